"""The most frequent names in bounded memory: Space-Saving (Metwally, Agrawal, El Abbadi: Efficient Computation of
Frequent and Top-k Elements in Data Streams, ICDT 2005).

With m slots and n events: no count is too low; none is too high by more than its ``error``, which is at most n / m;
a name that came more than n / m times has a slot.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from schemas.seen import Seen

Key = tuple[str, str, str]
"""Name, source, outcome."""


class SpaceSaving:
    """Counters for at most ``room`` keys. ``evicted`` counts how often one lost its slot to another; a key without a
    slot came ``floor`` times at most."""

    def __init__(self, room: int, entries: Iterable[Seen] = (), evicted: int = 0, floor: int = 0) -> None:
        self._room = room
        self.evicted = evicted
        self.floor = floor
        self._entries: dict[Key, Seen] = {(entry.name, entry.source, entry.outcome): entry for entry in entries}
        # One item per key, with a count that may have grown meanwhile; put right when it comes to the top.
        self._heap: list[tuple[int, Key]] = [(entry.count, key) for key, entry in self._entries.items()]
        heapify(self._heap)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> list[Seen]:
        return list(self._entries.values())

    def add(self, key: Key, count: int, first: int, last: int) -> None:
        """``count`` more events of ``key``, appended between ``first`` and ``last``."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.count += count
            entry.first = min(entry.first, first)
            entry.last = max(entry.last, last)
            return
        if len(self._entries) >= self._room:
            self._evict()
        # It may have had a slot before: so many times at most.
        self._entries[key] = Seen(*key, self.floor + count, first, last, self.floor)
        heappush(self._heap, (self.floor + count, key))

    def take(self, key: Key) -> Seen:
        """Remove a key and give up its slot."""
        entry = self._entries.pop(key)
        self._heap = [item for item in self._heap if item[1] != key]
        heapify(self._heap)
        return entry

    def _evict(self) -> None:
        """Free the slot with the smallest count."""
        while True:
            count, key = heappop(self._heap)
            now = self._entries[key].count
            if now == count:
                del self._entries[key]
                self.evicted += 1
                self.floor = count
                return
            heappush(self._heap, (now, key))

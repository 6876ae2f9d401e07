"""Arrivals and their outcomes put together, in whatever order they are read. Pure: the time is given.

A dead letter names its original by coordinates. A journal record has its id and, to the millisecond, when it was
received. What neither comes of was dropped, or was not judged yet: that is for the caller to tell (``waiting``).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from console.events.arrivals import Arrival, Where
from console.events.stored import Stored
from console.events.verdicts import DROPPED, VALID, WAITING, Verdict
from schemas.dead_letter import StoredLetter

K = TypeVar("K")
V = TypeVar("V")
MOST = 20_000
"""How many arrivals, and how many verdicts that were told, are remembered."""
KEYS = 10 * MOST
"""The same of what is only a key."""
Joins = tuple[str, int]


class _Newest(OrderedDict[K, V], Generic[K, V]):
    """The newest ones by when they were put in."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def put(self, key: K, value: V) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)


class Joiner:
    """Times are seconds of any clock that does not go back. ``pending`` counts arrivals without a verdict."""

    def __init__(self) -> None:
        self._arrived: OrderedDict[Where, tuple[Arrival, float]] = OrderedDict()
        self._by_id: dict[Joins, deque[Where]] = {}
        self._early: OrderedDict[Joins, deque[tuple[Stored, float]]] = OrderedDict()
        self._told: _Newest[Where, None] = _Newest(KEYS)
        self._late: _Newest[Joins, None] = _Newest(KEYS)
        self._journal: _Newest[tuple[int, int], Verdict] = _Newest(MOST)
        self._ids: _Newest[tuple[str, str], Stored] = _Newest(MOST)
        self._waiting: set[Where] = set()

    @property
    def pending(self) -> int:
        return len(self._arrived)

    @property
    def early(self) -> int:
        """Journal records whose arrival was not read yet."""
        return len(self._early)

    @property
    def ahead(self) -> int:
        """Outcomes of all kinds whose arrival was not read yet."""
        return len(self._early) + len(self._told)

    def arrive(self, arrival: Arrival, now: float) -> Verdict | None:
        joins = arrival.joins
        if arrival.where in self._told:
            del self._told[arrival.where]
            return None
        if joins is not None and joins in self._late:
            return None
        if joins is not None:
            early = self._early.get(joins)
            if early:
                stored, _ = early.popleft()
                if not early:
                    del self._early[joins]
                return self._valid(arrival, stored)
            self._by_id.setdefault(joins, deque()).append(arrival.where)
        self._arrived[arrival.where] = (arrival, now)
        return None

    def store(self, stored: Stored, now: float) -> Verdict | None:
        waiting = self._by_id.get(stored.joins)
        if not waiting:
            self._early.setdefault(stored.joins, deque()).append((stored, now))
            return None
        arrival = self._take(waiting[0])
        return None if arrival is None else self._valid(arrival, stored)

    def expects(self, stored: Stored) -> bool:
        """Whether its arrival was read."""
        return stored.joins in self._by_id

    def bury(self, letter: StoredLetter, original: Arrival | None, stored: Stored | None = None) -> Verdict:
        """A dead letter. ``original`` is what it holds itself, in case its arrival was not read; None for one of the
        rules, whose original is the journal record ``stored``."""
        where = (letter.topic, letter.partition, letter.offset)
        if original is None:
            before = self._journal.get((letter.partition, letter.offset))
            return Verdict(letter.reason, before.arrival if before else None, stored, letter)
        arrived = self._take(where)
        if arrived is None:
            self._told.put(where, None)
        return Verdict(letter.reason, arrived or original, None, letter)

    def pendings(self, older_than: float) -> list[Arrival]:
        """Arrivals without a verdict that came before that time, the oldest first."""
        found = []
        for arrival, since in self._arrived.values():
            if since > older_than:
                break
            found.append(arrival)
        return found

    def drop(self, arrival: Arrival, note: str) -> Verdict:
        """Validation has passed it by and written nothing."""
        self._take(arrival.where)
        return Verdict(DROPPED, arrival, note=note)

    def waiting(self, older_than: float, note: str) -> Iterator[Verdict]:
        """Those that have waited longer, each told once. They go on waiting."""
        for arrival in self.pendings(older_than):
            if arrival.where not in self._waiting:
                self._waiting.add(arrival.where)
                yield Verdict(WAITING, arrival, note=note)

    def forget(self, keep: int = MOST) -> None:
        """Give up waiting for verdicts of the oldest arrivals, if there are more than ``keep``."""
        while len(self._arrived) > keep:
            self._take(next(iter(self._arrived)))

    def unmatched(self, older_than: float) -> Iterator[Verdict]:
        """Journal records whose arrival did not come within a time."""
        while self._early:
            joins, queue = next(iter(self._early.items()))
            if queue[0][1] > older_than:
                return
            del self._early[joins]
            self._late.put(joins, None)
            for stored, _ in queue:
                yield self._valid(None, stored)

    def _valid(self, arrival: Arrival | None, stored: Stored) -> Verdict:
        who = (stored.entity, stored.meta["event_id"])
        before = self._ids.get(who)
        verdict = Verdict(VALID, arrival, stored)
        if before is not None and before.at != stored.at:
            verdict.repeats(before.at, otherwise=before.meta["content_hash"] != stored.meta["content_hash"])
        else:
            self._ids.put(who, stored)
        self._journal.put(stored.at, verdict)
        return verdict

    def _take(self, where: Where) -> Arrival | None:
        found = self._arrived.pop(where, None)
        if found is None:
            return None
        self._waiting.discard(where)
        joins = found[0].joins
        if joins is not None:
            queue = self._by_id[joins]
            queue.remove(where)
            if not queue:
                del self._by_id[joins]
        return found[0]

"""What a partition keeps of its fold, in memory: the states packed, as Redis has them, with timers and open offers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from heapq import heapify, heappop, heappush

from offerflow.runtime.redis.store import Loaded, Reach
from schemas.folding.partition import Work


class _States(dict[str, bytes]):
    """Knows every entity: one that has no state is new."""

    def __missing__(self, entity: str) -> None:
        return None


class Kept:
    """``next``, ``fold``, ``states``, ``timers`` and ``opened`` are what offerflow.runtime.redis.store keeps under
    those names."""

    def __init__(
        self, next_offset: int = 0, fold: bytes | None = None, states: dict[str, bytes] | None = None,
        timers: dict[str, int] | None = None, opened: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self.next = next_offset
        self.fold = fold
        self.states: dict[str, bytes] = _States(states or ())
        self.timers = {} if timers is None else timers
        self.opened = set(opened)
        # May hold what is no longer so; `timers` tells.
        self._queue = [(at, entity) for entity, at in self.timers.items()]
        heapify(self._queue)
        self._sorted: list[str] | None = None

    def load_all(self, reach: Reach | None) -> Loaded:
        """All states, and what ``reach`` asks for: an answer to any batch, until the next apply."""
        loaded = Loaded(self.next, None, self.fold, None, self.states)  # type: ignore[arg-type]  # answers None as well
        if reach is not None:
            loaded.due = self._due(reach.until, reach.timers)
            if reach.swept:
                loaded.open = self._open_after(reach.cursor, reach.swept)
        return loaded

    def apply(self, work: Work) -> None:
        """Take what a batch came to."""
        self.states.update(work.states)
        for entity, at in work.timers.items():
            if at is None:
                self.timers.pop(entity, None)
            elif self.timers.get(entity) != at:
                self.timers[entity] = at
                heappush(self._queue, (at, entity))
        for entity, now in work.opened.items():
            if now != (entity in self.opened):
                self.opened.symmetric_difference_update((entity,))
                self._sorted = None
        if work.fold is not None:
            self.fold = work.fold
        self.next = work.to

    def _due(self, until: int, limit: int) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        while self._queue and len(found) < limit and self._queue[0][0] <= until:
            first = heappop(self._queue)
            if self.timers.get(first[1]) == first[0] and (not found or found[-1] != first):
                found.append(first)
        for one in found:
            heappush(self._queue, one)
        return found

    def _open_after(self, cursor: str, limit: int) -> list[str]:
        if self._sorted is None:
            self._sorted = sorted(self.opened)
        at = bisect_right(self._sorted, cursor)
        return self._sorted[at : at + limit]

"""The states of a partition in memory, with their timers: what Redis is to a worker, for tests and simulations."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from heapq import heappop, heappush

from offerflow.rules.fold import Fold, Passed
from offerflow.rules.state import EntityState


class MemoryStates:
    """Keeps every state as it is, unpacked. ``entities``, ``timers`` (entity to fire_at) and ``opened`` are what
    the worker keeps in Redis."""

    def __init__(self) -> None:
        self.entities: dict[str, EntityState] = {}
        self.timers: dict[str, int] = {}
        self.opened: set[str] = set()
        # May hold what is no longer so; `timers` tells.
        self._queue: list[tuple[int, str]] = []
        self._sorted: list[str] | None = None

    def get(self, entity: str) -> EntityState:
        return self.entities.get(entity) or EntityState()

    def put(self, entity: str, state: EntityState, fire_at: int | None, is_open: bool) -> None:
        self.entities[entity] = state
        if fire_at is None:
            self.timers.pop(entity, None)
        elif self.timers.get(entity) != fire_at:
            self.timers[entity] = fire_at
            heappush(self._queue, (fire_at, entity))
        if is_open != (entity in self.opened):
            self.opened.symmetric_difference_update((entity,))
            self._sorted = None

    def due(self, until: int, limit: int) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        while len(found) < limit and (first := self._first()) is not None and first[0] <= until:
            heappop(self._queue)
            if not found or found[-1] != first:
                found.append(first)
        for one in found:
            heappush(self._queue, one)
        return found

    def open_after(self, cursor: str, limit: int) -> list[str]:
        if self._sorted is None:
            self._sorted = sorted(self.opened)
        at = bisect_right(self._sorted, cursor)
        return self._sorted[at : at + limit]

    def first(self) -> int | None:
        """The T from which the first timer of all fires, None if there is none."""
        first = self._first()
        return None if first is None else first[0]

    def _first(self) -> tuple[int, str] | None:
        while self._queue and self.timers.get(self._queue[0][1]) != self._queue[0][0]:
            heappop(self._queue)
        return self._queue[0] if self._queue else None


def pass_time(fold: Fold, states: MemoryStates, until: int, offset: int) -> Iterator[tuple[int, Passed]]:
    """Insert the ticks that the owner of a partition would by the time ``until``: one at each moment a timer fires, and
    one where a sweep goes on. Gives T and what came of it. Folds nothing if no timer fires by then."""
    while True:
        first = states.first()
        if first is None or first > until:
            if fold.state.sweep is None:
                return
            first = until
        passed = fold.tick(first, until, offset)
        yield fold.state.time, passed

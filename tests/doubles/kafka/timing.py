"""The broker's time: a clock that moves when somebody waits, and what is to happen at which moment."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush


class Time:
    """Seconds since 1970 that pass only by ``pause``. For tests that have no scheduler."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self.seconds = start

    def now(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += seconds


class Agenda:
    """Events in the order of their time; those of the same time in the order in which they were planned."""

    def __init__(self) -> None:
        self._planned: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.next = float("inf")
        """When the first event is due."""

    def at(self, moment: float, event: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._planned, (moment, self._count, event))
        self.next = self._planned[0][0]

    def run(self, now: float) -> None:
        """Let everything happen that is due, what it plans for ``now`` included."""
        while self._planned and self._planned[0][0] <= now:
            event = heappop(self._planned)[2]
            self.next = self._planned[0][0] if self._planned else float("inf")
            event()

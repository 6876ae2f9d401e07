"""Many workers in one thread, taking turns as one seeded random generator says, in a time that only this room moves.

A task is a greenlet. It gives way at switch points (``point``) and where it would wait (``wait``); the hub then picks
who goes on. The same seed gives the same schedule to the last switch: nothing here asks a clock, an address or a hash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random
from typing import Protocol

from greenlet import getcurrent, greenlet

START_S = 1000.0


class Killed(BaseException):
    """Raised wherever a task of a dead process tries to go on; what its ``finally`` blocks do reaches nobody."""


class Owner(Protocol):
    """Whom a task belongs to."""

    name: str
    dead: bool

    stopped_until: float
    """It is stopped before that moment."""


@dataclass(frozen=True)
class Pace:
    """``switch``: how often a switch point lets others go on. ``stall``: how often it also stands still there for a
    random time up to ``longest`` seconds. ``step``: the longest time that passes between two points."""

    switch: float = 0.3
    stall: float = 0.01
    longest: float = 3.0
    step: float = 0.002


class Task:
    """``wake``: when it goes on by itself; ``ready``: what lets it go on before. ``at`` is its last switch point."""

    def __init__(self, name: str, owner: Owner | None, number: int) -> None:
        self.name = name
        self.owner = owner
        self.number = number
        self.wake = 0.0
        self.ready: Callable[[], bool] | None = None
        self.at = "start"
        self.started = self.finished = False
        self.failure: BaseException | None = None
        self.greenlet: greenlet = greenlet(lambda: None)


class Scheduler:
    """``now`` is what every monotonic clock shows. ``between`` is called by the hub before each decision, outside of
    any task: faults and work come from there."""

    def __init__(self, seed: int, pace: Pace | None = None, *, trace: bool = False) -> None:
        self.random = Random(seed)
        self.pace = pace or Pace()
        self.now = START_S
        self.decisions = 0
        self.between: list[Callable[[], None]] = []
        self.ended: Callable[[Task], None] = lambda task: None
        self.trace: list[str] | None = [] if trace else None
        self.tasks: list[Task] = []
        self._hub = getcurrent()
        self._current: Task | None = None
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = 0

    @property
    def current(self) -> Task | None:
        """The task that runs, None while the hub does."""
        return self._current

    @property
    def owner(self) -> Owner | None:
        return self._current.owner if self._current is not None else None

    def note(self, text: str) -> None:
        """Keep a line of the trace, if one is kept."""
        if self.trace is not None:
            who = self._current.name if self._current is not None else "-"
            self.trace.append(f"{self.now - START_S:9.4f} {who:14s} {text}")

    def spawn(self, name: str, target: Callable[[], None], owner: Owner | None = None) -> Task:
        """A new task, to begin when it is picked."""
        self._numbers += 1
        task = Task(name, owner, self._numbers)
        task.greenlet = greenlet(lambda: self._live(task, target), parent=self._hub)
        self.tasks.append(task)
        return task

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Have the hub call ``action`` when that time is over."""
        self._numbers += 1
        heappush(self._timers, (self.now + seconds, self._numbers, action))

    # -- what tasks call --------------------------------------------------------------------------------------------

    def point(self, name: str) -> None:
        """A moment at which anything else may happen first. Does nothing when the hub itself calls."""
        task = self._current
        if task is None:
            return
        if task.owner is not None and task.owner.dead:
            raise Killed
        task.at = name
        if self.trace is not None:
            self.note(name)
        random, pace = self.random.random, self.pace
        self.now += random() * pace.step
        chance = random()
        if chance < pace.switch:
            stalled = chance < pace.stall
            self._give_way(random() * pace.longest if stalled else 0.0, None)

    def wait(self, seconds: float, ready: Callable[[], bool] | None = None) -> bool:
        """Let others go on until ``ready``, or until the time is over; what ``ready`` says then. In the hub, where
        nobody else goes on, time is over at once."""
        task = self._current
        if task is None:
            if ready is not None and ready():
                return True
            self.now += max(0.0, seconds)
        else:
            if task.owner is not None and task.owner.dead:
                raise Killed
            self._give_way(max(0.0, seconds), ready)
        return ready is not None and ready()

    def _give_way(self, seconds: float, ready: Callable[[], bool] | None) -> None:
        task = self._current
        assert task is not None
        task.wake, task.ready = self.now + seconds, ready
        self._hub.switch()
        task.ready = None
        if task.owner is not None and task.owner.dead:
            raise Killed

    # -- the hub ----------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One decision: what is due happens, then one task goes on to its next point. If all of them wait, time
        moves to what comes first."""
        self.decisions += 1
        for action in self.between:
            action()
        now = self.now
        timers = self._timers
        while timers and timers[0][0] <= now:
            heappop(timers)[2]()
        able = []
        first = timers[0][0] if timers else now + 60.0
        for task in self.tasks:
            owner = task.owner
            if owner is not None and owner.stopped_until > now:
                first = min(first, owner.stopped_until)
            elif task.wake <= now or (task.ready is not None and task.ready()):
                able.append(task)
            elif task.wake < first:
                first = task.wake
        if able:
            self._resume(able[int(self.random.random() * len(able))])
        else:
            self.now = max(now, first)

    def _resume(self, task: Task) -> None:
        self._current = task
        try:
            task.greenlet.switch()
        finally:
            self._current = None
        if task.finished:
            self.tasks.remove(task)
            self.ended(task)

    def end(self, owner: Owner) -> None:
        """Unwind the tasks of a dead owner. To be called by the hub."""
        assert self._current is None
        for task in [task for task in self.tasks if task.owner is owner]:
            self._unwind(task)
            self.tasks.remove(task)

    def close(self) -> None:
        """Unwind every task; whoever owns one must be dead."""
        for task in list(self.tasks):
            self._unwind(task)
        self.tasks.clear()
        self._timers.clear()

    def _unwind(self, task: Task) -> None:
        if not task.started:
            return
        self._current = task
        try:
            task.greenlet.throw(Killed)
        finally:
            self._current = None

    def _live(self, task: Task, target: Callable[[], None]) -> None:
        task.started = True
        try:
            target()
        except BaseException as failure:
            # Whatever a dead one raises while it unwinds is of no account.
            if task.owner is None or not task.owner.dead:
                task.failure = failure
        task.finished = True

"""A worker as a simulated process: the real composition root of its stage, in a program without signals and threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from offerflow.runtime.health import Health
from offerflow.runtime.program import Program
from offerflow.runtime.settings import Settings
from offerflow.runtime.steps import Step
from tests.schedules.scheduler import Killed, Scheduler, Task


class Process:
    """Its main loop is a task, threads that it starts are tasks of the same owner. ``skew``: by how many seconds its
    wall clock is ahead. ``stopped_until``: stopped, as by SIGSTOP, before that moment. ``beat``: when its main loop
    last told the watchdog that it is alive. ``hang``: for how long its next bounded call of the client hangs."""

    def __init__(self, scheduler: Scheduler, name: str, number: int, settings: Settings) -> None:
        self.name = name
        self.number = number
        self.settings = settings
        self.dead = False
        self.skew = 0.0
        self.stopped_until = 0.0
        self.beat: float | None = None
        self.hang = 0.0
        self.stop = Signal(scheduler)
        self.exit_code: int | None = None
        self.crash: BaseException | None = None
        self.kills: dict[Step, int] = {}
        self.task: Task | None = None

    def __repr__(self) -> str:
        return f"{self.name}#{self.number}"

    def reached(self, step: Step) -> None:
        """Die here, if that was asked for."""
        left = self.kills.get(step)
        if left is not None:
            self.kills[step] = left - 1
            if left <= 1:
                del self.kills[step]
                self.dead = True
                raise Killed


class Signal:
    """In place of ``threading.Event``."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        self._scheduler.wait(3600.0 if timeout is None else timeout, self.is_set)
        return self._set


class Thread:
    """In place of ``threading.Thread``."""

    def __init__(self, scheduler: Scheduler, name: str, target: Callable[[], None]) -> None:
        self._scheduler = scheduler
        self._name = name
        self._target = target
        self._task: Task | None = None

    @property
    def ident(self) -> int | None:
        return None if self._task is None else self._task.number

    def start(self) -> None:
        owner = self._scheduler.owner
        name = f"{owner.name}.{self._name}" if owner is not None else self._name
        self._task = self._scheduler.spawn(name, self._target, owner)

    def is_alive(self) -> bool:
        return self._task is not None and not self._task.finished

    def join(self, timeout: float | None = None) -> None:
        self._scheduler.wait(3600.0 if timeout is None else timeout, lambda: not self.is_alive())


class Unserved:
    """In place of a program's health server: nobody asks."""

    url = "nowhere"

    def close(self) -> None:
        pass


class Watched:
    """In place of a program's watchdog: the deployment looks at ``process.beat`` now and then."""

    def __init__(self, scheduler: Scheduler, process: Process) -> None:
        self._scheduler = scheduler
        self._process = process
        self.beat()

    def beat(self) -> None:
        self._process.beat = self._scheduler.now

    def stop(self) -> None:
        self._process.beat = None


class SimulatedProgram(Program):
    """The real loop around a worker and the real pauses, in simulated time."""

    def __init__(self, scheduler: Scheduler, process: Process) -> None:
        self.name = process.name
        self.health = Health()
        parts: tuple[Any, Any, Any] = Unserved(), Watched(scheduler, process), process.stop
        self._server, self._watchdog, self._stop = parts

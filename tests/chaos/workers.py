"""Three workers of each stage and one that delivers webhooks, started again whenever they end, as the stack does it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, RLock, Thread

import httpx

from console.stack.program import Child, Program
from offerflow.runtime.steps import Step
from tests.chaos.dying import ARMED, Trigger
from tests.chaos.servers import HOST, Ports
from tests.deployment import ROOT
from tests.waiting import until

MODULES = {"validation": "consumers.validation", "rules": "consumers.rules", "webhooks": "consumers.webhooks"}
TURN_S = 0.05


class Worker:
    """One slot: its name stays, its process changes."""

    def __init__(self, name: str, directory: Path, ports: Ports, environment: Mapping[str, str]) -> None:
        self.name = name
        self.stage = name.rpartition("-")[0]
        self.trigger = Trigger(directory / f"{name}.armed")
        port = ports.one()
        self.url = f"http://{HOST}:{port}"
        own = {
            "OFFERFLOW_WORKER": name, "OFFERFLOW_METRICS__PORT": str(port), "PYTHONUNBUFFERED": "1",
            ARMED: str(directory / f"{name}.armed"),
        }  # fmt: skip
        self._program = Program(
            name=name,
            command=[sys.executable, "-m", "tests.chaos.dying", MODULES[self.stage]],
            directory=ROOT,
            log=directory / f"{name}.log",
            environment={**environment, **own},
            url=self.url,
            stop_seconds=20.0,
        )
        self._root = directory
        self.child = Child(self._program, directory)

    @property
    def log(self) -> Path:
        return self._program.log

    @property
    def pid(self) -> int | None:
        return self.child.pid

    def signal(self, number: signal.Signals) -> int | None:
        """Send it to the process there is; its pid."""
        pid = self.pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return pid

    def again(self) -> None:
        """Put it to work once more after it has left."""
        self.child = Child(self._program, self._root)

    def metrics(self) -> str:
        """What it tells Prometheus; empty while it does not answer."""
        try:
            return httpx.get(f"{self.url}/metrics", timeout=5).text
        except httpx.TransportError:
            return ""

    def tail(self, characters: int = 2500) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-characters:] if self.log.exists() else ""


class Workers:
    """All slots. ``start`` puts them to work in a thread that keeps them there."""

    def __init__(self, workers: list[Worker]) -> None:
        self.all = workers
        self._resting: set[str] = set()
        self._lock, self._stop = RLock(), Event()
        self._thread = Thread(target=self._supervise, name="workers", daemon=True)

    def of(self, stage: str) -> list[Worker]:
        return [one for one in self.all if one.stage == stage]

    def start(self) -> None:
        self._thread.start()

    def rest(self, workers: list[Worker], seconds: float = 40) -> None:
        """Ask them to finish, and wait until they have."""
        with self._lock:
            self._resting |= {one.name for one in workers}
            for one in workers:
                one.child.leave(time.monotonic())
        until(lambda: all(one.child.gone for one in workers), "workers to leave", seconds)

    def work(self, workers: list[Worker]) -> None:
        with self._lock:
            for one in workers:
                one.again()
            self._resting -= {one.name for one in workers}

    def stop(self) -> None:
        """End all of them, and keep nothing running."""
        with suppress(AssertionError):
            self.rest(self.all)
        self._stop.set()
        self._thread.join(10)
        for one in self.all:
            one.signal(signal.SIGKILL)

    def _supervise(self) -> None:
        while not self._stop.wait(TURN_S):
            with self._lock:
                for one in self.all:
                    if one.child.last_exit is not None and one.child.last_exit < 0:
                        # Killed by us: whoever dies often here does not crash-loop.
                        one.child.hurry()
                    one.child.turn(time.monotonic())


def armed(worker: Worker, step: Step, passes: int, number: signal.Signals, seconds: float) -> bool:
    """Have it get ``number`` the next time it comes by ``step``; whether it did."""
    worker.trigger.arm(step, passes, number)
    deadline = time.monotonic() + seconds
    while not worker.trigger.gone_off and time.monotonic() < deadline:
        time.sleep(TURN_S)
    worker.trigger.disarm()
    return worker.trigger.gone_off

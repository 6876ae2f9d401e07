"""One program of the stack: what to run, and a child process that is kept running until it is asked to leave."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from console.stack.files import ProgramState
from offerflow.runtime.settings import environment

MARK = "OFFERFLOW_STACK_DIR"
"""In the environment of every program: whose it is. That is how programs of a killed supervisor are found."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0
LOG_LIMIT = 20 * 1024 * 1024
"""A log larger than this when its program starts is moved aside to ``.1``."""


@dataclass(frozen=True)
class Program:
    """``url`` is the base of its ``/readyz`` and ``/metrics``; None for the services, which are asked otherwise: a
    broker at its ``address``."""

    name: str
    command: list[str]
    directory: Path
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    url: str | None = None
    address: str | None = None
    stop_seconds: float = 30.0


def wait_before(deaths: int) -> float:
    """Seconds to wait before the next start after ``deaths`` in a row: none, 0.5, 1, 2, 4, 8, then 10 for good."""
    if deaths <= 1:
        return 0.0
    return min(FIRST_WAIT * 2.0 ** min(deaths - 2, 10), LONGEST_WAIT)


class Child:
    """Keeps one program running. ``turn`` is called often with the monotonic time and does whatever is due."""

    def __init__(self, program: Program, root: Path) -> None:
        self.program = program
        self.restarts = 0
        self.last_exit: int | None = None
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._deaths = 0
        self._due = 0.0
        self._kill_at: float | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def gone(self) -> bool:
        """True once it was asked to leave and has."""
        return self._kill_at is not None and self._process is None

    def state(self) -> ProgramState:
        program = self.program
        leaving = self._kill_at is not None
        return ProgramState(
            program.name, self.pid, self.restarts, str(program.log), program.url, leaving, program.address
        )

    def hurry(self) -> None:
        """Start at the next turn even if the back-off says to wait."""
        self._due = 0.0

    def turn(self, now: float) -> bool:
        """Reap, start or kill as is due; returns whether anything changed."""
        if self._process is not None and self._process.poll() is not None:
            self._died(now)
            changed = True
        else:
            changed = False
        if self._process is None and self._kill_at is None and now >= self._due:
            self._start(now)
            changed = True
        if self._process is not None and self._kill_at is not None and now >= self._kill_at:
            _signal(self._process, signal.SIGKILL)
        return changed

    def leave(self, now: float) -> None:
        """Ask it to finish; killed after ``stop_seconds``. Never started again."""
        if self._kill_at is not None:
            return
        self._kill_at = now + self.program.stop_seconds
        if self._process is not None:
            _signal(self._process, signal.SIGTERM)

    def _start(self, now: float) -> None:
        program = self.program
        if program.log.exists() and program.log.stat().st_size > LOG_LIMIT:
            program.log.replace(program.log.with_name(program.log.name + ".1"))
        if self._deaths:
            self.restarts += 1
        self._started = now
        try:
            with program.log.open("ab") as log:
                self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                    program.command, cwd=program.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    env={**environment(), **program.environment, MARK: str(self._root)}, start_new_session=True,
                )  # fmt: skip
        except OSError as error:  # no memory, process or disk to be had now: as if it had died at once
            with contextlib.suppress(OSError), program.log.open("a") as text:
                text.write(f"cannot start {program.name}: {error}\n")
            self._failed(now)

    def _died(self, now: float) -> None:
        assert self._process is not None  # noqa: S101 - for the type checker; the caller looked
        self.last_exit = self._process.returncode
        self._process = None
        self._failed(now)

    def _failed(self, now: float) -> None:
        # One that lived longer than the longest wait is not crash-looping: its next restart is at once again.
        self._deaths = 1 if now - self._started > LONGEST_WAIT else self._deaths + 1
        self._due = now + wait_before(self._deaths)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log file, indented, for an error that says why a program did not come up."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16 * 1024))
            lines = file.read().decode("utf-8", "replace").splitlines()[-count:]
    except FileNotFoundError:
        lines = ["(no log)"]
    return "\n".join(f"    {line}" for line in lines)

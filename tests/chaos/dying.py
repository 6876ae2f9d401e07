"""A worker that can be told to die, or to fall asleep, at a labelled step: ``python -m tests.chaos.dying MODULE``.

What it is told stands in a small file that both sides map into memory, so that looking costs nothing.
"""

from __future__ import annotations

import mmap
import os
import runpy
import signal
import sys
from pathlib import Path

from offerflow.runtime import steps
from offerflow.runtime.steps import Step

ARMED = "CHAOS_ARMED"
STEPS = tuple(Step)
SIZE = 8


class Trigger:
    """Bytes: the step (0 for none) and how often it is passed before, the signal, and whether it went off."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(SIZE))
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), SIZE)

    def arm(self, step: Step, passes: int, number: signal.Signals) -> None:
        self._bytes[0] = 0
        self._bytes[1:4] = bytes([passes, number, 0])
        self._bytes[0] = 1 + STEPS.index(step)

    def disarm(self) -> None:
        self._bytes[0] = 0

    @property
    def gone_off(self) -> bool:
        return bool(self._bytes[3])

    def reached(self, step: Step) -> None:
        if self._bytes[0] != 1 + STEPS.index(step):
            return
        if self._bytes[1]:
            self._bytes[1] -= 1
            return
        self._bytes[0], self._bytes[3] = 0, 1
        os.kill(os.getpid(), self._bytes[2])


def main() -> None:
    steps.watch = Trigger(Path(os.environ[ARMED])).reached
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

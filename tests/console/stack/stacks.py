"""Real stacks, driven by the command as a user would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil

from console.stack.files import StackFiles
from console.stack.program import MARK
from tests.deployment import OFFERFLOW
from tests.lone_broker import kill_between_commits
from tests.waiting import until


class Stack:
    """One directory with a stack of its own. What is not said here is asked of ``offerflow``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = StackFiles.find(directory)

    def environment(self, **more: str) -> dict[str, str]:
        """The caller's, without any deployment it may point at."""
        return {name: value for name, value in os.environ.items() if not name.startswith("OFFERFLOW_")} | more

    def run(self, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [OFFERFLOW, *map(str, arguments), "--dir", str(self.directory)], env=self.environment(**environment),
            capture_output=True, text=True, timeout=240, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def up(self, *arguments: object, **environment: str) -> dict[str, Any]:
        done = self.run("up", "--detach", "--output", "json", *arguments, **environment)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert isinstance(told, dict)
        return told

    def programs(self) -> dict[str, dict[str, Any]]:
        """What ``status`` tells, which it does even while Kafka is away (and then exits with 69)."""
        done = self.run("status", "--output", "json")
        assert done.stdout, done.stderr
        return {program["name"]: program for program in json.loads(done.stdout)["programs"]}

    def pids(self) -> dict[str, int | None]:
        return {name: program["pid"] for name, program in self.programs().items()}

    def supervisor(self) -> psutil.Process:
        pid = self.files.supervisor()
        assert pid is not None
        return psutil.Process(pid)

    def processes(self) -> list[psutil.Process]:
        """Every process that carries the stack's mark, whoever started it."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self.files.root):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def kill(self, name: str) -> int:
        """SIGKILL a program and wait for the next one under its name; returns the new pid."""
        old = self.pids()[name]
        assert old is not None
        if name == "kafka":
            kill_between_commits(self.directory)
        else:
            os.kill(old, signal.SIGKILL)
        return until(lambda: (now := self.pids()[name]) != old and now, f"{name} to be started again") or 0

"""A stack driven through the command line alone, as a user would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.deployment import OFFERFLOW, Headers, Services, new_prefix, offsets, parse, publish, remove_topics
from tests.lone_broker import kill_between_commits
from tests.oracle.verdict import Examined, examine
from tests.waiting import until


class Stack:
    """``offerflow …`` in a directory of its own, on ``services`` that are there or, without, on services of its own.
    ``up`` fills in the addresses."""

    def __init__(self, directory: Path, services: Services | None) -> None:
        self.directory = directory
        self.told: dict[str, Any] = {}
        self._services = services
        self._prefix = new_prefix()

    def run(self, *arguments: object, seconds: float = 180, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command; the caller judges its exit code."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("OFFERFLOW_TOPIC_PREFIX")}
        if self._services is not None:
            own |= {**self._services.environment(), "OFFERFLOW_TOPIC_PREFIX": self._prefix}
        return subprocess.run(
            [OFFERFLOW, *map(str, arguments)], cwd=self.directory, env={**own, **environment}, capture_output=True,
            text=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def up(self, validation: int = 1, rules: int = 1, **environment: str) -> dict[str, Any]:
        workers = ("--validation-workers", validation, "--rules-workers", rules)
        self.told = dict(parse(self.run("up", "--detach", "--output", "json", *workers, **environment)))
        return self.told

    def apply(self, *workspaces: Path) -> dict[str, Any]:
        return dict(parse(self.run("apply", *workspaces, "--yes", "--output", "json")))

    def status(self) -> dict[str, Any]:
        return dict(parse(self.run("status", "--output", "json")))

    def wait_idle(self, seconds: int = 180) -> None:
        done = self.run("wait", "--idle", "--timeout", f"{seconds}s", seconds=seconds + 30)
        assert done.returncode == 0, f"never idle: {done.stderr}\n{self.run('status').stdout}"

    def down(self) -> None:
        done = self.run("down", "--purge", "--yes")
        assert done.returncode == 0, done.stderr
        if self._services is not None:
            remove_topics(self._services.kafka, self._prefix)

    def publish(self, raws: list[tuple[str, bytes | None, bytes | None, Headers]]) -> None:
        """Topics are named without the prefix."""
        prefix = self.told["topic_prefix"]
        publish(self.told["kafka"], ((prefix + topic, *record) for topic, *record in raws))  # type: ignore[misc]

    def post(self, events: object, key: str | None = None) -> httpx.Response:
        """``POST /v1/events`` with the server key of the local stack, or another."""
        headers = {"Authorization": f"Bearer {key or self.told['api_key']}"}
        return httpx.post(f"{self.told['ingest']}/v1/events", json=events, headers=headers, timeout=30)

    def ends(self, topic: str) -> int:
        places = offsets(self.told["kafka"], self.told["topic_prefix"] + topic, None)
        return sum(end for _, end in places.values())

    def pid(self, name: str) -> int:
        """The process of a program that runs now; waits for one that is being restarted."""

        return until(lambda: self._pid(name), f"{name} to run", 60, self.state)

    def _pid(self, name: str) -> int:
        done = self.run("status", "--output", "json")
        programs = json.loads(done.stdout)["programs"] if done.stdout else []
        return next((program["pid"] for program in programs if program["name"] == name), None) or 0

    def state(self) -> str:
        """What `status` says, for messages."""
        done = self.run("status")
        return done.stdout + done.stderr

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until another process has taken its place and the stack is well again."""
        before = self._supervised(name)
        if name == "kafka":
            kill_between_commits(self.directory)
        else:
            os.kill(self.pid(name), signal.SIGKILL)
        until(lambda: self._supervised(name) not in (None, before), f"{name} to be started again", 90, self.state)
        done = self.run("wait", "--timeout", "90s")
        assert done.returncode == 0, f"the stack is not well: {done.stderr}\n{self.state()}"

    def _supervised(self, name: str) -> int | None:
        """What the supervisor has started for a program, from its file: a command each time would cost the machine."""
        state = json.loads((self.directory / ".offerflow" / "state.json").read_text(encoding="utf-8"))
        return next((program["pid"] for program in state["programs"] if program["name"] == name), None)

    def folded(self) -> dict[int, int]:
        """Where the rules stage stands in each journal partition."""
        prefix = self.told["topic_prefix"]
        places = offsets(self.told["kafka"], f"{prefix}journal", f"{prefix}rules")
        return {partition: committed for partition, (committed, _) in places.items()}

    def redis(self) -> Redis:
        return Redis.from_url(self.told["redis"])

    def empty_redis(self) -> None:
        """What FLUSHALL would do, on a Redis that others may share: every key of this stack is gone at once."""
        script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('DEL', key) end"
        with self.redis() as redis:
            redis.eval(script, 0, self._keys())

    def has_states(self) -> bool:
        with self.redis() as redis:
            return any(True for _ in redis.scan_iter(self._keys()))

    def _keys(self) -> str:
        return f"{{of:{self.told['topic_prefix']}*"

    def examine(self, *workspaces: Path, later: Iterable[Path] = ()) -> Examined:
        return examine(self.told["kafka"], self.told["topic_prefix"], workspaces, later=later)


@pytest.fixture
def cli(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Makes stacks; each is taken down with its data when the test ends. They run on the broker and the Redis of the
    session, which is quicker, unless the test asks for ``own`` ones: to kill them, or to see that they keep their data.
    """
    numbers = count()
    with ExitStack() as closing:

        def make(*, own: bool = False) -> Stack:
            directory = tmp_path / f"stack{next(numbers)}"
            directory.mkdir()
            made = Stack(directory, None if own else request.getfixturevalue("stack"))
            closing.callback(made.down)
            return made

        yield make

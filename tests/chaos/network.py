"""The proxy as a process of its own, and orders to it."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from tests.chaos.servers import HOST, Ports, Server
from tests.deployment import ROOT
from tests.waiting import until


class Network:
    """Routes are added before ``start``; what lies behind one is reached at the port that ``route`` gives."""

    def __init__(self, directory: Path, ports: Ports) -> None:
        self._ports, self._port = ports, ports.one()
        self._routes: list[dict[str, Any]] = []
        self._lock = Lock()
        self._directory = directory
        self._server: Server | None = None
        self._socket: socket.socket | None = None

    def route(self, name: str, to: int, *, kafka: bool, port: int | None = None) -> int:
        chosen = port or self._ports.one()
        self._routes.append({"name": name, "port": chosen, "to": to, "kafka": kafka})
        return chosen

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.chaos.proxy", str(self._port), json.dumps(self._routes)]
        self._server = Server("proxy", command, ROOT, {})
        self._server.log = self._directory / "proxy.log"
        self._server.start()
        until(self._connected, "the proxy to answer", 30)

    def stop(self) -> None:
        if self._socket is not None:
            self._file.close()
            self._socket.close()
        if self._server is not None:
            self._server.stop(5)

    def cut(self, route: str = "", client: str = "") -> int:
        """Break connections now; how many there were."""
        return int(self._ask({"do": "cut", "route": route, "client": client})["struck"])

    @contextmanager
    def trouble(
        self, what: str, route: str = "", client: str = "", seconds: float = 0.0, times: int = 1
    ) -> Iterator[Trouble]:
        order = {"do": "begin", "what": what, "route": route, "client": client, "seconds": seconds, "times": times}
        made = Trouble(self, int(self._ask(order)["id"]))
        try:
            yield made
        finally:
            self._ask({"do": "end", "id": made.number})

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._file.write(json.dumps(order).encode() + b"\n")
            self._file.flush()
            answer: dict[str, Any] = json.loads(self._file.readline())
            return answer

    def _connected(self) -> bool:
        with suppress(OSError):
            self._socket = socket.create_connection((HOST, self._port), timeout=30)
            self._file = self._socket.makefile("rwb")
            return True
        return False


class Trouble:
    """Something wrong with the network, until the ``with`` ends."""

    def __init__(self, network: Network, number: int) -> None:
        self.number = number
        self._network = network

    @property
    def struck(self) -> int:
        """How many requests were held, or connections were met at the beginning."""
        return int(self._network._ask({"do": "look", "id": self.number})["struck"])

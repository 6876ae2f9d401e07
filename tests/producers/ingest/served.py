"""The edge of the tests behind a real socket, on a thread of its own, and clients that write what bytes they like."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop

from producers.ingest.connections import Bounds
from producers.ingest.server import EdgeServer
from tests.producers.ingest.edge import KEY, PURCHASE, Edge
from tests.waiting import until


@dataclass
class Served:
    """``bounds`` may be changed between requests."""

    edge: Edge
    bounds: Bounds
    server: EdgeServer
    address: tuple[str, int]
    clients: list[socket.socket] = field(default_factory=list)

    def client(self, *, receive_buffer: int | None = None) -> Client:
        own = socket.socket()
        own.settimeout(30)
        if receive_buffer:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        own.connect(self.address)
        self.clients.append(own)
        return Client(own)

    @property
    def connections(self) -> int:
        return len(self.server.server_state.connections)

    def taken(self) -> list[str]:
        """Ids of the events that went to Kafka."""
        return [json.loads(record.value or b"")["event_id"] for record in self.edge.publisher.records]


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """One connection, read answer by answer."""

    def __init__(self, own: socket.socket) -> None:
        self.socket = own
        self._read = b""

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)

    def answer(self) -> Answered:
        """The next one. Fails if the connection ends before."""
        found = self.answer_if_any()
        assert found is not None, "the connection ended without an answer"
        return found

    def answer_if_any(self) -> Answered | None:
        while b"\r\n\r\n" not in self._read:
            if not self._more():
                assert not self._read, self._read
                return None
        head, _, rest = self._read.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(rest) < length:
            assert self._more(), "the connection ended within an answer"
            rest = self._read.partition(b"\r\n\r\n")[2]
        self._read = rest[length:]
        return Answered(int(status.split()[1]), headers, rest[:length])

    def ended(self) -> bool:
        """Waits for the end of the connection, whatever still comes."""
        while self._more():
            pass
        return True

    def close(self) -> None:
        self.socket.close()

    def _more(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            return False
        self._read += data
        return bool(data)


def event(event_id: str) -> bytes:
    return json.dumps({**PURCHASE, "event_id": event_id}).encode()


def post(body: bytes, *more: bytes, length: int | None = None, path: str = "/v1/events") -> bytes:
    """A request as bytes. ``more``: header lines; ``length`` is a lie about the body."""
    lines = [
        f"POST {path} HTTP/1.1".encode(), b"Host: edge", f"Authorization: Bearer {KEY}".encode(), *more,
        b"Content-Length: %d" % (len(body) if length is None else length),
    ]  # fmt: skip
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*more: bytes) -> bytes:
    """The head of a request whose body comes in chunks."""
    return post(b"", *more).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")


@contextmanager
def serving(edge: Edge, bounds: Bounds | None = None) -> Iterator[Served]:
    """The edge on a port of its own until the end of the block, which waits for it to drain."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    held = bounds or Bounds(look_s=0.05)
    server = EdgeServer(edge.app, held)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            uvloop.run(server.serve(sockets=[listener]))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="edge")
    thread.start()
    served = Served(edge, held, server, listener.getsockname())
    try:
        until(lambda: server.started or failed, "the edge to start")
        yield served
    finally:
        for client in served.clients:
            client.close()
        server.should_exit = True
        thread.join(60)
    assert not failed, failed
    assert not thread.is_alive()

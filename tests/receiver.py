"""A receiver of webhooks on the loopback interface that behaves as a test tells it to, well or badly."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Got:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def verify(self, secret: str) -> Any:
        """The payload, if the signature holds. Raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


Behave = Callable[[Got, asyncio.StreamWriter], Awaitable[None]]


def answer(status: int, *headers: str, body: str = "") -> Behave:
    """Answers at once."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", body]

    async def behave(got: Got, out: asyncio.StreamWriter) -> None:
        out.write("\r\n".join(lines).encode())

    return behave


def say(raw: bytes, *, leave: bool = True) -> Behave:
    """Writes ``raw`` and closes the connection, or leaves it open and silent."""

    async def behave(got: Got, out: asyncio.StreamWriter) -> None:
        out.write(raw)
        await out.drain()
        if leave:
            out.close()
        else:
            await asyncio.Event().wait()

    return behave


def endless(head: bytes, piece: bytes) -> Behave:
    """Writes ``head``, then ``piece`` again and again until the other side has had enough."""

    async def behave(got: Got, out: asyncio.StreamWriter) -> None:
        out.write(head)
        while True:
            out.write(piece)
            await out.drain()
            await asyncio.sleep(0)

    return behave


@dataclass
class Receiver:
    """``behave`` decides about each request; everything that came in is in ``got``. ``connections`` were opened."""

    behave: Behave = field(default_factory=lambda: answer(200, body="ok"))
    tls: ssl.SSLContext | None = None
    got: list[Got] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Receiver:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.got]

    async def _connected(self, source: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                while not out.is_closing():
                    got = await _read(source)
                    self.got.append(got)
                    await self.behave(got, out)
                    await out.drain()
        finally:
            out.close()


async def _read(source: asyncio.StreamReader) -> Got:
    first, *lines = (await source.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return Got(first.split(" ")[1], headers, await source.readexactly(int(headers["content-length"])))


@contextmanager
def serving(receiver: Receiver) -> Iterator[Receiver]:
    """The receiver on a thread of its own, for tests that run programs as processes."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        async with receiver:
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()

"""Stands between a client and the edge: answers as a test says for a while, then passes everything on.

What came is kept as it came, so that a test sees how often a client tried, and with which ids.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.waiting import until

_HOP = {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "accept-encoding"}
_OPEN = {"access-control-allow-origin": "*", "access-control-expose-headers": "*"}
"""Without these a browser tells its page that the network failed, and not which status came."""


@dataclass(frozen=True)
class Seen:
    """One request. ``status`` is what was answered, 0 where the connection was cut. Header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer: bytes = b""

    @property
    def text(self) -> bytes:
        """The body without its compression."""
        return _plain(self.body)

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class _Fault:
    status: int
    body: Any
    headers: Mapping[str, str]
    mark: bytes
    cut: bool = False


@dataclass
class Front:
    """A server on the loopback interface in a thread of its own; use it as a context manager."""

    edge: str
    url: str = ""
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._faults: list[_Fault] = []
        self._loop = asyncio.new_event_loop()
        self._started: Future[str] = Future()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = self._started.result(30)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the front did not end"

    def answer(self, status: int, times: int = 1, *, mark: str = "", body: Any = None, **headers: str) -> None:
        """The next ``times`` POST requests get ``status`` and never reach the edge. ``body`` is sent as JSON; headers
        are named with underscores: ``retry_after="1"``. With a ``mark`` only requests whose body has it are meant."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._faults.extend([_Fault(status, {} if body is None else body, named, mark.encode())] * times)

    def lose_answer(self, times: int = 1, *, mark: str = "") -> None:
        """The next ``times`` POST requests reach the edge, and the connection ends before its answer is passed on."""
        self._faults.extend([_Fault(0, None, {}, mark.encode(), cut=True)] * times)

    def posts(self, count: int = 1, *, mark: str = "") -> list[Seen]:
        """The POST requests, with the mark in their bodies, that came and were answered, once there are ``count``."""

        def look() -> list[Seen] | None:
            found = [seen for seen in [*self.seen] if seen.method == "POST" and mark.encode() in seen.text]
            return found if len(found) >= count else None

        return until(look, f"{count} POST requests of {mark!r}", 60, lambda: self.seen) or []

    def forget(self) -> None:
        """What came, and what was asked for and has not happened yet."""
        self._faults.clear()
        self.seen = []

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._stop = asyncio.Event()
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:
            if self._started.done():
                raise
            self._started.set_exception(error)
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        async with aiohttp.ClientSession(auto_decompress=False) as self._session:
            runner = web.ServerRunner(web.Server(self._handle, auto_decompress=False), shutdown_timeout=1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self._started.set_result(f"http://127.0.0.1:{runner.addresses[0][1]}")
            await self._stop.wait()
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        fault = self._fault(_plain(body)) if request.method == "POST" else None
        if fault is not None and not fault.cut:
            self._keep(request, headers, body, fault.status)
            return web.json_response(fault.body, status=fault.status, headers={**_OPEN, **fault.headers})
        passed = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        passed["X-Forwarded-Host"] = request.host  # as proxies do, so that the edge tells clients this address
        async with self._session.request(
            request.method, self.edge + request.raw_path, headers=passed, data=body, allow_redirects=False,
            skip_auto_headers=("Content-Type", "User-Agent", "Accept"),
        ) as answer:  # fmt: skip
            content = await answer.read()
        if fault is not None:
            self._keep(request, headers, body, 0)
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        self._keep(request, headers, body, answer.status, content)
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP]
        return web.Response(status=answer.status, body=content, headers=kept)

    def _fault(self, text: bytes) -> _Fault | None:
        found = next((fault for fault in self._faults if fault.mark in text), None)
        if found is not None:
            self._faults.remove(found)
        return found

    def _keep(
        self, request: web.BaseRequest, headers: Mapping[str, str], body: bytes, status: int, answer: bytes = b""
    ) -> None:
        self.seen.append(Seen(request.method, request.raw_path, headers, body, status, answer))


def _plain(body: bytes) -> bytes:
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body

"""One connection of a client: HTTP as uvicorn speaks it, with bounds on how long and how much it may take.

uvicorn knows one time-out, that of idle connections. Here headers and bodies have theirs, and headers, trailers and
requests sent ahead of their answers are bounded. What cannot be read as HTTP gets an answer that says why; nothing is
logged per connection, ``offerflow_ingest_connections_refused_total`` counts. No timer per request: ``Watch`` looks at
all connections once a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from offerflow.runtime.metrics import ingest_connections_refused

_BETWEEN, _HEADERS, _BODY = range(3)
_UPGRADING = (b"connection", b"upgrade", b"http2-settings")
_FAREWELL_SECONDS = 2.0
"""How long a client that was refused may still send, so that it gets to read why: closing on unread data would reset
the connection and lose the answer."""


@dataclass(slots=True)
class Bounds:
    """Seconds from a request's first byte to the end of its headers, for its body, for its answer to be taken, and from
    there to the next request; numbers and bytes of what a client may send. ``wire_bytes`` is one request with its
    trailers and the frames of its chunks. ``look_s``: seconds between looks. Changes hold at once; ``draining`` makes
    every answer the last of its connection."""

    headers_s: float = 10.0
    body_s: float = 30.0
    answer_s: float = 60.0
    idle_s: float = 75.0
    header_bytes: int = 64 * 1024
    headers: int = 128
    ahead: int = 32
    wire_bytes: int = 32 * 1024 * 1024
    connections: int = 10_000
    look_s: float = 1.0
    draining: bool = False


class _Refused(Exception):
    """Ends the parsing of a connection: (status, why, message)."""


class Connection(HttpToolsProtocol):
    """``look`` is called now and then with the time of the loop."""

    def __init__(self, bounds: Bounds, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._bounds = bounds
        self._phase = _BETWEEN
        self._since = self.loop.time()
        self._taken = 0
        self._ended = False
        self._upgrading = False
        self._running: RequestResponseCycle | None = None
        self.headers = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._bounds.connections:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_connections", "no more connections; come again")
            transport.close()

    def data_received(self, data: bytes) -> None:
        self._taken += len(data)
        if self._ended:
            if self._taken > self._bounds.wire_bytes:
                self.transport.abort()
            return
        try:
            while data:
                try:
                    self.parser.feed_data(data)
                    break
                except httptools.HttpParserUpgrade as upgrade:
                    data = self._as_asked_without(data[upgrade.args[0] :])
            self._weigh()
        except httptools.HttpParserError as error:
            self._stop(error)
        except _Refused as refused:
            self._stop(refused)

    def _weigh(self) -> None:
        """Raises _Refused for headers, or a request, larger than allowed."""
        if self._phase == _HEADERS and self._taken > self._bounds.header_bytes:
            raise self._large_headers()
        if len(self.headers) > self._bounds.headers:  # trailers are counted as well
            raise self._large_headers()
        if self._taken > self._bounds.wire_bytes:
            message = f"one request of more than {self._bounds.wire_bytes} bytes"
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", message)

    def on_message_begin(self) -> None:
        self._phase = _HEADERS
        self._since = self.loop.time()
        super().on_message_begin()

    def _as_asked_without(self, rest: bytes) -> bytes:
        """A request that asks for another protocol, as if it did not. The parser takes its body for that protocol, but
        it is events: Java's client asks for HTTP/2 with whatever it sends first."""
        head = b"".join(b"%s: %s\r\n" % one for one in self.headers if one[0] not in _UPGRADING)
        return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (self.parser.get_method(), self.url, head, rest)

    def on_headers_complete(self) -> None:
        bounds = self._bounds
        if len(self.headers) > bounds.headers or (
            self._taken > bounds.header_bytes
            and sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > bounds.header_bytes
        ):
            raise self._large_headers()
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise _Refused(HTTPStatus.BAD_REQUEST, "bad_http", "this is no proxy")
            self._upgrading = True
            return
        if len(self.pipeline) >= bounds.ahead:
            message = f"more than {bounds.ahead} requests ahead of their answers"
            raise _Refused(HTTPStatus.BAD_REQUEST, "too_many_ahead", message)
        self._phase = _BODY
        self._since = self.loop.time()
        super().on_headers_complete()
        if bounds.draining:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        if self._upgrading:
            self._upgrading = False
            return
        self._phase = _BETWEEN
        self._since = self.loop.time()
        self._taken = 0
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """As uvicorn's, without a timer per answer: ``look`` ends idle connections."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._since = self.loop.time()

    def look(self, now: float) -> None:
        """End what takes too long."""
        bounds, past = self._bounds, now - self._since
        if self._ended:
            answering = self._running is not None and not self._running.response_complete
            if past > (bounds.answer_s if answering and self._phase != _BODY else _FAREWELL_SECONDS):
                self.transport.abort()
        elif self._phase == _HEADERS:
            if past > bounds.headers_s:
                self._refuse(
                    HTTPStatus.REQUEST_TIMEOUT, "too_slow", f"the headers took more than {bounds.headers_s:g} s"
                )
        elif self._phase == _BODY:
            if past > bounds.body_s:
                self._refuse(
                    HTTPStatus.REQUEST_TIMEOUT, "too_slow", f"the body did not arrive within {bounds.body_s:g} s"
                )
        elif self._running is None:
            if past > bounds.headers_s:  # nothing was ever sent
                self._end()
                self.transport.close()
        elif self._running.response_complete:
            if past > bounds.idle_s:
                self.transport.close()
        elif past > bounds.answer_s:
            ingest_connections_refused.labels("answer_not_taken").inc()
            self.transport.abort()

    def drain(self) -> None:
        """Make the answer under way the last one, if there is one."""
        for cycle in (self._running, self.cycle):
            if cycle is not None and not cycle.response_complete:
                cycle.keep_alive = False

    def _large_headers(self) -> _Refused:
        message = f"more than {self._bounds.header_bytes} bytes or {self._bounds.headers} headers"
        return _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", message)

    def _stop(self, error: Exception) -> None:
        # What a callback raises comes out as the context of the parser's own error.
        refused = error if isinstance(error, _Refused) else error.__context__
        if isinstance(refused, _Refused):
            self._refuse(*refused.args)
        else:
            self._refuse(HTTPStatus.BAD_REQUEST, "bad_http", f"this is no HTTP/1.1 request: {error}"[:300])

    def _refuse(self, status: int, why: str, message: str) -> None:
        """Answer, and end the connection. Requests before the one at fault are answered first, and then no more is
        said: an answer out of turn would be taken for theirs."""
        ingest_connections_refused.labels(why).inc()
        faulty = self.cycle if self._phase == _BODY else None
        if faulty is not None:  # its body will not become whole
            faulty.disconnected = True
            faulty.message_event.set()
            if self.pipeline and self.pipeline[0][0] is faulty:
                self.pipeline.popleft()
        last = self.pipeline[0][0] if self.pipeline else self._running
        if last is not None and last is not faulty and not last.response_complete:
            last.keep_alive = False
        elif faulty is None or not faulty.response_started:
            self._say(status, why, message)
        self._end()

    def _say(self, status: int, why: str, message: str) -> None:
        body = msgspec.json.encode({"error": why, "message": message, "code": int(status)})
        self.transport.write(
            b"%scontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n%s\r\n%s"
            % (STATUS_LINE[status], len(body), b"retry-after: 1\r\n" if status == 503 else b"", body)
        )
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _end(self) -> None:
        self._ended = True
        self._since = self.loop.time()


class Watch:
    """Looks at every connection now and then for as long as it runs."""

    def __init__(self, connections: Iterable[Any], bounds: Bounds) -> None:
        self._connections = connections
        self._bounds = bounds

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._bounds.look_s)
            now = loop.time()
            for connection in tuple(self._connections):
                connection.look(now)

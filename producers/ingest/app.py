"""The ASGI application: route, read, find the key, hand to the protocol's adapter, publish, answer.

An answer that says "taken" is sent only after Kafka has acknowledged every event of the request. Content-Type is never
looked at: real clients send any. What is no protocol for events may be the API for servers (producers.ingest.api).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from prometheus_client import Counter

from offerflow.runtime.kafka.publisher import Record
from offerflow.runtime.logs import get_logger
from offerflow.runtime.metrics import ingest_request_seconds, ingest_requests
from producers.ingest import cors
from producers.ingest.adapters.protocol import Adapter, RawEvent
from producers.ingest.answers import Answer, Refusal, plain_refusal, unavailable, wrong_method
from producers.ingest.api.serving import Api, NotYet, allowed, not_for
from producers.ingest.gate import Gate, WrongKey
from producers.ingest.intake import Intake
from producers.ingest.keyring import Source, bearer_key
from producers.ingest.limits import Limits
from producers.ingest.pages import Pages, described
from producers.ingest.readiness import Readiness
from producers.ingest.request import ClientGone, Message, Receive, Request, Room, plain_path, read_request
from producers.ingest.routes import Routed, Routes

Send = Callable[[Message], Awaitable[None]]
Headers = Mapping[bytes, bytes]


class _Said(NamedTuple):
    """An answer, and what is counted with it: in whose words it is, of which source the key was, and whether it was
    none."""

    answer: Answer
    protocol: str = "none"
    source: str = ""
    wrong_key: bool = False


class _Taken(NamedTuple):
    """What of a request is still needed once its body is read: it need not wait for Kafka in memory."""

    source: Source
    events: Sequence[RawEvent]
    records: list[Record]


class IngestApp:
    """Adapters are tried by path, then ``api``, then ``pages``."""

    def __init__(
        self,
        adapters: Sequence[Adapter],
        gate: Gate,
        intake: Intake,
        readiness: Readiness,
        limits: Limits,
        api: Api | None = None,
        room: Room | None = None,
    ) -> None:
        self._routes = Routes(adapters)
        self._gate = gate
        self._intake = intake
        self._readiness = readiness
        self._body_limit = limits.body_bytes
        self._room = room or Room(32 * limits.body_bytes)
        self._adapters = adapters
        self._api = Api({})
        self.serve(api or self._api)
        self._counters: dict[tuple[str, int, str], Counter] = {}

    def serve(self, api: Api) -> None:
        """From here on ``api`` is the API, for requests and for who reads what there is."""
        before, self._api = self._api, api
        if isinstance(before, NotYet):
            before.over.set()
        self._pages = Pages(self._routes.told, api.told, {"/openapi.json": described(self._adapters, api.table)})

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"only HTTP is served here, not {scope['type']}")
        start = time.perf_counter()
        path, headers = plain_path(scope["path"]), dict(scope["headers"])
        routed = self._routes.find(path)
        try:
            if routed:
                said = await self._events(routed, scope, headers, receive)
            else:
                said = await self._elsewhere(path, scope, headers, receive)
        except ClientGone:
            return
        except Exception:
            get_logger().exception("a request failed", path=path[:200])
            refusal = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the failure is logged; try again later")
            said = _refused(routed[0].adapter, refusal) if routed else _Said(plain_refusal(refusal))
        self._count(said)
        ingest_request_seconds.observe(time.perf_counter() - start)
        if said.wrong_key:
            await self._gate.hold_back((scope.get("client") or ("",))[0])
        extra = cors.headers_for(headers) if b"origin" in headers else ()
        await _send(said.answer, send, extra, body=scope["method"] != "HEAD")

    async def _events(self, routed: Sequence[Routed], scope: Message, headers: Headers, receive: Receive) -> _Said:
        """A request to a path where events go."""
        method = scope["method"]
        serving = [adapter for adapter, methods in routed if method in methods]
        if not serving:
            return self._other_method(routed, scope, headers)
        adapter = serving[0]
        request = await read_request(scope, headers, receive, self._body_limit, self._room)
        if isinstance(request, Refusal):
            return _refused(adapter, request)
        if serving[1:]:
            adapter = next((one for one in serving if one.claims(request)), serving[-1])
        taken = await self._take(adapter, request)
        if isinstance(taken, _Said):
            return taken
        del request
        refusal = await self._intake.publish(taken.records)
        if refusal is not None:
            self._gate.not_taken(taken.events, taken.source)
            return _refused(adapter, refusal, taken.source.id)
        return _Said(adapter.accepted(taken.events), adapter.name, taken.source.id)

    async def _take(self, adapter: Adapter, request: Request) -> _Taken | _Said:
        source = self._source(adapter.key, request)
        if isinstance(source, Refusal):
            return _refused(adapter, source)
        events = adapter.read(request, source)
        if isinstance(events, Answer):
            return _Said(events, adapter.name, source.id)
        if isinstance(events, Refusal):
            return _refused(adapter, events, source.id)
        if not events:
            return _Said(adapter.accepted(events), adapter.name, source.id)
        let_in = self._intake.too_large(events) or await self._gate.let_in(events, source, request)
        if isinstance(let_in, Answer):
            return _Said(let_in, adapter.name, source.id)
        if isinstance(let_in, Refusal):
            return _refused(adapter, let_in, source.id)
        return _Taken(source, let_in, self._intake.records(let_in, source, request))

    def _source(self, key_of: Callable[[Request], str | Refusal], request: Request) -> Source | Refusal:
        if self._readiness.why is not None:
            return unavailable("not ready: waiting for Kafka and the catalog; nothing was taken, send it again", 2)
        return self._gate.source(key_of(request), request)

    def _other_method(self, routed: Sequence[Routed], scope: Message, headers: Headers) -> _Said:
        methods = sorted({method for _, methods in routed for method in methods})
        adapter = routed[0].adapter
        if scope["method"] == "OPTIONS":
            preflight = cors.preflight(headers, methods) or cors.handshake(headers)
            if preflight is not None:
                return _Said(preflight, adapter.name)
        return _refused(adapter, wrong_method(plain_path(scope["path"]), scope["method"], methods))

    async def _elsewhere(self, path: str, scope: Message, headers: Headers, receive: Receive) -> _Said:
        """A call of the API, or what people read."""
        found = self._api.find(path)
        if found is not None and isinstance(self._api, NotYet):
            await self._api.wait()
            found = self._api.find(path)
        if found is None:
            return _Said(self._pages.answer(path, scope))
        methods, named = found
        if scope["method"] not in allowed(methods):
            return _Said(plain_refusal(wrong_method(path, scope["method"], allowed(methods))), self._api.name)
        request = await read_request(scope, headers, receive, self._body_limit, self._room)
        if isinstance(request, Refusal):
            return _Said(plain_refusal(request), self._api.name)
        source = self._source(_bearer, request)
        if isinstance(source, Refusal):
            return _Said(plain_refusal(source), self._api.name, "", isinstance(source, WrongKey))

        async def publish(event: RawEvent) -> Refusal | None:
            return await self._intake.publish(self._intake.records([event], source, request))

        refusal = not_for(_bearer(request), source)
        if refusal is not None:
            return _Said(plain_refusal(refusal), self._api.name, source.id)
        answer = await self._api.answer(methods, named, request, source, publish)
        return _Said(answer, self._api.name, source.id)

    def _count(self, said: _Said) -> None:
        labels = (said.protocol, int(said.answer.status), said.source)
        counter = self._counters.get(labels)
        if counter is None:
            protocol, status, source = labels
            counter = self._counters[labels] = ingest_requests.labels(protocol, str(status), source)
        counter.inc()


def _refused(adapter: Adapter, refusal: Refusal, source: str = "") -> _Said:
    return _Said(adapter.refused(refusal), adapter.name, source, isinstance(refusal, WrongKey))


def _bearer(request: Request) -> str | Refusal:
    return bearer_key(request.headers)


async def _send(answer: Answer, send: Send, extra: Sequence[tuple[bytes, bytes]], *, body: bool) -> None:
    headers: list[Any] = [*answer.headers, *extra]
    if answer.status != HTTPStatus.NO_CONTENT:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if body else b""})

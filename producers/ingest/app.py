"""The ASGI application: route, read, find the key, hand to the protocol's adapter, publish, answer.

An answer that says "taken" is sent only after Kafka has acknowledged every event of the request. Content-Type is never
looked at: real clients send any. What is no protocol for events may be the API for servers (producers.ingest.api).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.kafka.publisher import QueueFull, Record
from offerflow.runtime.logs import get_logger
from offerflow.runtime.metrics import ingest_request_seconds, ingest_requests
from producers.ingest.acknowledged import AcknowledgedPublisher
from producers.ingest.adapters.protocol import Adapter, RawEvent
from producers.ingest.answers import Answer, Refusal, plain_refusal, unavailable
from producers.ingest.api.routes import Methods
from producers.ingest.api.serving import Api, allowed, not_for
from producers.ingest.keyring import KeyRing, Source, bearer_key
from producers.ingest.limits import Limits
from producers.ingest.readiness import Readiness
from producers.ingest.request import ClientGone, Message, Receive, Request, plain_path, read_request
from producers.ingest.routes import Routed, Routes
from producers.ingest.welcome import welcome

Send = Callable[[Message], Awaitable[None]]


class IngestApp:
    """``topic`` gives the full name of a channel. Adapters are tried by path, then ``api``."""

    def __init__(
        self,
        adapters: Sequence[Adapter],
        publisher: AcknowledgedPublisher,
        keys: KeyRing,
        readiness: Readiness,
        limits: Limits,
        topic: Callable[[str], str],
        api: Api | None = None,
    ) -> None:
        self._routes = Routes(adapters)
        self._publisher = publisher
        self._keys = keys
        self._readiness = readiness
        self._limits = limits
        self._topic = topic
        self._api = api or Api({})

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"only HTTP is served here, not {scope['type']}")
        start = time.perf_counter()
        routed = self._routes.find(plain_path(scope["path"]))
        adapter = routed[0].adapter if routed else None
        try:
            adapter, answer = await self._answer(routed, scope, receive)
        except ClientGone:
            return
        except Exception:
            get_logger().exception("a request failed", path=scope["path"])
            refusal = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "the failure is logged; try again later")
            answer = adapter.refused(refusal) if adapter else plain_refusal(refusal)
        protocol = adapter.name if adapter else answer.protocol
        ingest_requests.labels(protocol, str(int(answer.status)), answer.source).inc()
        ingest_request_seconds.observe(time.perf_counter() - start)
        await _send(answer, send, body=scope["method"] != "HEAD")

    async def _answer(
        self, routed: Sequence[Routed], scope: Message, receive: Receive
    ) -> tuple[Adapter | None, Answer]:
        """What is answered, and the protocol in whose words."""
        method, path = scope["method"], plain_path(scope["path"])
        if not routed:
            found = self._api.find(path)
            if found is None:
                return None, self._elsewhere(method, path, scope)
            return None, replace(await self._served(*found, scope, receive), protocol=self._api.name)
        serving = [adapter for adapter, methods in routed if method in methods]
        if not serving:
            methods = sorted({method for _, methods in routed for method in methods})
            return routed[0].adapter, routed[0].adapter.refused(_wrong_method(method, path, methods))
        request = await read_request(scope, receive, self._limits.body_bytes)
        if isinstance(request, Refusal):
            return serving[0], serving[0].refused(request)
        adapter = next((one for one in serving if one.claims(request)), serving[-1]) if serving[1:] else serving[0]
        return adapter, await self._exchange(adapter, request)

    async def _exchange(self, adapter: Adapter, request: Request) -> Answer:
        source = self._source(adapter.key, request)
        if isinstance(source, Refusal):
            return adapter.refused(source)
        taken = await self._take(adapter, request, source)
        if isinstance(taken, Answer):
            return replace(taken, source=source.id)
        answer = adapter.refused(taken) if isinstance(taken, Refusal) else adapter.accepted(taken)
        return replace(answer, source=source.id)

    async def _served(self, methods: Methods, named: Mapping[str, str], scope: Message, receive: Receive) -> Answer:
        """What the API answers."""
        method, path = scope["method"], plain_path(scope["path"])
        if method not in allowed(methods):
            return plain_refusal(_wrong_method(method, path, allowed(methods)))
        request = await read_request(scope, receive, self._limits.body_bytes)
        if isinstance(request, Refusal):
            return plain_refusal(request)
        source = self._source(_bearer, request)
        if isinstance(source, Refusal):
            return plain_refusal(source)

        async def publish(event: RawEvent) -> Refusal | None:
            return await self._publish([event], source, request)

        refusal = not_for(_bearer(request), source)
        if refusal is not None:
            return replace(plain_refusal(refusal), source=source.id)
        return replace(await self._api.answer(methods, named, request, source, publish), source=source.id)

    def _source(self, key_of: Callable[[Request], str | Refusal], request: Request) -> Source | Refusal:
        if self._readiness.why is not None:
            return unavailable("not ready: waiting for Kafka and the catalog; nothing was taken, send it again", 2)
        key = key_of(request)
        return key if isinstance(key, Refusal) else self._keys.source_of(key)

    async def _take(self, adapter: Adapter, request: Request, source: Source) -> Sequence[RawEvent] | Refusal | Answer:
        events = adapter.read(request, source)
        if isinstance(events, Refusal | Answer):
            return events
        return await self._publish(events, source, request) or events

    async def _publish(self, events: Sequence[RawEvent], source: Source, request: Request) -> Refusal | None:
        """None once Kafka has all of them."""
        try:
            await self._publisher.publish(self._records(events, source, request))
        except QueueFull:
            return unavailable("too much is waiting for Kafka; nothing was taken, send it again", 1)
        except OfferflowError as error:
            self._readiness.doubt(error)
            return unavailable("Kafka did not acknowledge every event; send all again, with the ids they had", 2)
        return None

    def _records(self, events: Sequence[RawEvent], source: Source, request: Request) -> list[Record]:
        topic = self._topic(source.channel)
        trace = request.headers.get(b"traceparent")
        headers = (("traceparent", trace),) if trace else ()
        return [Record(topic, event.key.encode(), event.value, headers) for event in events]

    def _elsewhere(self, method: str, path: str, scope: Message) -> Answer:
        if path == "/":
            if method in ("GET", "HEAD"):
                return welcome(scope)
            return plain_refusal(_wrong_method(method, path, ("GET", "HEAD")))
        events = self._routes.told
        api = f"; the API for servers: {', '.join(self._api.told)}" if self._api.told else ""
        message = f"there is nothing at {path[:200]}; events go to: {', '.join(events)}{api}"
        return plain_refusal(Refusal(HTTPStatus.NOT_FOUND, "no_such_route", message))


def _bearer(request: Request) -> str | Refusal:
    return bearer_key(request.headers)


def _wrong_method(method: str, path: str, methods: Sequence[str]) -> Refusal:
    allowed = ", ".join(methods)
    return Refusal(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "wrong_method",
        f"{path} takes {allowed}, not {method[:20]}",
        headers=((b"allow", allowed.encode()),),
    )


async def _send(answer: Answer, send: Send, *, body: bool) -> None:
    headers: list[Any] = [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if body else b""})

"""Which endpoint a path and a method lead to, and what an endpoint is given. The contract is docs/offers-api.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import Answer, Refusal, json_answer
from producers.ingest.keyring import Source
from producers.ingest.request import Request
from schemas.asking import Request as Asking

Publish = Callable[[RawEvent], Awaitable[Refusal | None]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request by a server. ``named`` holds what stands in the path for ``{…}``; ``publish`` returns None once Kafka
    has the event."""

    request: Request
    source: Source
    named: Mapping[str, str]
    publish: Publish


Endpoint = Callable[[Call], Awaitable[Answer | Refusal]]
Methods = Mapping[str, Endpoint]


async def publish(call: Call, request: Asking) -> Answer | Refusal:
    """202 with the id of the request once Kafka has it."""
    refusal = await call.publish(RawEvent(request.event_id, request.user_id, request.encode()))
    return refusal or json_answer(HTTPStatus.ACCEPTED, {"eventId": request.event_id})


class Routes:
    """``table``: endpoints by path and method. A part of a path that is written ``{name}`` takes any text."""

    name = "offers"
    """The ``protocol`` label of the metrics."""

    def __init__(self, table: Mapping[str, Methods]) -> None:
        self.table = table
        self._by_length: dict[int, list[tuple[Sequence[str], Methods]]] = {}
        for path, methods in table.items():
            parts = path.split("/")
            self._by_length.setdefault(len(parts), []).append((parts, methods))

    def find(self, path: str) -> tuple[Methods, dict[str, str]] | None:
        """The methods at ``path``, and what it names."""
        parts = path.split("/")
        for pattern, methods in self._by_length.get(len(parts), ()):
            named: dict[str, str] = {}
            for expected, part in zip(pattern, parts, strict=True):
                if expected[:1] == "{":
                    named[expected[1:-1]] = part
                elif expected != part:
                    break
            else:
                return methods, named
        return None

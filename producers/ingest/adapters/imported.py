"""Past events by servers: ``POST /v1/events/import``, the native protocol with at most 500 events a request.

They go to ``raw.import``, where no lateness is held against them. A request is taken whole or not at all, and each
event keeps its own id, so a request may be sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus

from offerflow.runtime.keys import SERVER
from producers.ingest.adapters.native import NativeAdapter
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import Answer, Refusal
from producers.ingest.keyring import Source
from producers.ingest.limits import Limits
from producers.ingest.request import Request

MOST = 500
PATH = "/v1/events/import"


class ImportAdapter:
    """Reads bodies as the native protocol does, under the same limits but for the number of events."""

    name = "import"
    routes: Mapping[str, tuple[str, ...]] = {PATH: ("POST",)}

    def __init__(self, limits: Limits) -> None:
        self._native = NativeAdapter(replace(limits, events=min(MOST, limits.events)))

    def claims(self, request: Request) -> bool:
        return True

    def key(self, request: Request) -> str | Refusal:
        key = self._native.key(request)
        if isinstance(key, Refusal) or key.startswith(SERVER):
            return key
        message = "past events are imported by servers alone; expected a server key, sk_…"
        return Refusal(HTTPStatus.FORBIDDEN, "forbidden", message)

    def read(self, request: Request, source: Source) -> Sequence[RawEvent] | Refusal | Answer:
        events = self._native.read(request, source)
        if isinstance(events, Refusal | Answer):
            return events
        return [event._replace(past=True) for event in events]

    def accepted(self, events: Sequence[RawEvent]) -> Answer:
        return self._native.accepted(events)

    def refused(self, refusal: Refusal) -> Answer:
        return self._native.refused(refusal)

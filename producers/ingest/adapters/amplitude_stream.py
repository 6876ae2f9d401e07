"""Amplitude's event streaming: a webhook with one event per request, in the format of Amplitude's Export API.

The key comes in a header that whoever sets up the sync types in. Amplitude sends again for four hours what was not
answered by 200. Its event times are corrected already, and are UTC without saying so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from producers.ingest.adapters.amplitude import split, translated
from producers.ingest.adapters.amplitude_events import Came, Form
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import Answer, Refusal, json_answer, plain_refusal
from producers.ingest.bodies import decoded, json_of, tolerant
from producers.ingest.keyring import Source, first_key
from producers.ingest.limits import Limits
from producers.ingest.request import Request

_FORMS = 'expected an event in the format of Amplitude\'s export, {"event_type": …, "user_id": …, "event_time": …}'
_EXPORT = Form(
    "amplitude_stream", ids=("$insert_id", "insert_id", "uuid"), times=("event_time", "client_event_time", "time"),
    snapshots=True,
)  # fmt: skip


class _Body(Struct):
    events: Raw | UnsetType = UNSET
    event_type: Raw | UnsetType = UNSET


_decode_whole = msgspec.json.Decoder(Raw).decode
_decode_body = msgspec.json.Decoder(_Body).decode


class AmplitudeStreamAdapter:
    name = "amplitude_stream"
    routes: Mapping[str, tuple[str, ...]] = {"/integrations/amplitude": ("POST",)}

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def claims(self, request: Request) -> bool:
        return True

    def key(self, request: Request) -> str | Refusal:
        return first_key(
            request.headers, "the header `x-api-key: wk_…` or `Authorization: Bearer wk_…` among those of the sync",
            named=(b"x-api-key", b"x-offerflow-key"), query=request.query, query_names=("api_key", "key"),
        )  # fmt: skip

    def read(self, request: Request, source: Source) -> Sequence[RawEvent] | Refusal:
        text = json_of(request.body, self._limits)
        if isinstance(text, Refusal):
            return text
        whole = tolerant(_decode_whole, text, _FORMS, self._limits)
        if isinstance(whole, Refusal):
            return whole
        body = decoded(_decode_body, bytes(whole), _FORMS, self._limits) if bytes(whole)[:1] == b"{" else _Body()
        if isinstance(body, Refusal):
            return body
        events = whole if body.events is UNSET or body.event_type is not UNSET else body.events
        items = split(events, self._limits, _FORMS)
        return items if isinstance(items, Refusal) else translated(items, _EXPORT, Came(source, request.received_at))

    def accepted(self, events: Sequence[RawEvent]) -> Answer:
        return json_answer(HTTPStatus.OK, {"accepted": len(events), "ids": [event.id for event in events]})

    def refused(self, refusal: Refusal) -> Answer:
        return plain_refusal(refusal)

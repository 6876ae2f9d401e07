"""Amplitude's HTTP V2 protocol: ``POST /2/httpapi`` and ``POST /batch`` with ``{"api_key": …, "events": [ … ]}``.

Its SDKs go by ``code`` in the body, which therefore every answer has. Of a 400 they drop the events whose indexes it
lists and send the rest again; one that lists none makes them send the batch until they give up, except where it says
``missing_field`` or that the key is wrong. A single event over a limit is such a 400, so that the others get through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from producers.ingest.adapters.amplitude_events import Came, Form, envelopes
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import Answer, BadEvent, Refusal, json_answer
from producers.ingest.bodies import decoded, json_of, tolerant, within
from producers.ingest.keyring import Source, first_key
from producers.ingest.limits import Limits
from producers.ingest.request import Request
from producers.ingest.times import milliseconds, stamp

FORMS = 'expected {"api_key": "wk_…", "events": [{"event_type": …, "user_id": …}, … ]}'
_HTTP = Form("amplitude", ids=("insert_id",), times=("time",), snapshots=False)
_EVENT = "event"
_BAD_REQUEST = frozenset((HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN,
                          HTTPStatus.UNSUPPORTED_MEDIA_TYPE))  # fmt: skip
_INVALID_KEY = "Invalid API key: "  # what SDKs look for


class _Body(Struct):
    api_key: Any = UNSET
    events: Raw | UnsetType = UNSET
    client_upload_time: Any = UNSET


class _Keys(Struct):
    api_key: Raw | UnsetType = UNSET
    events: Raw | UnsetType = UNSET
    batch: Raw | UnsetType = UNSET


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_keys = msgspec.json.Decoder(_Keys).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode


class Taken(list[RawEvent]):
    """The events of one request; ``items`` and ``size`` are what the client counts: its events and bytes."""

    items = 0
    size = 0
    received_at = 0


class AmplitudeAdapter:
    name = "amplitude"
    routes: Mapping[str, tuple[str, ...]] = {"/2/httpapi": ("POST",), "/batch": ("POST",)}

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def claims(self, request: Request) -> bool:
        """``/batch`` is PostHog's too, whose bodies have ``batch`` where these have ``events``."""
        if request.path != "/batch":
            return True
        text = json_of(request.body, self._limits)
        if isinstance(text, Refusal):
            return False
        keys = tolerant(_decode_keys, text, FORMS, self._limits)
        return not isinstance(keys, Refusal) and keys.events is not UNSET and keys.batch is UNSET

    def key(self, request: Request) -> str | Refusal:
        body = self._body(request)
        inside = None if isinstance(body, Refusal) else body.api_key
        key = first_key(request.headers, "the write key as `api_key` in the body", body=lambda: inside,
                        query=request.query, query_names=("api_key",))  # fmt: skip
        # What cannot be read may well have the key in it.
        return body if isinstance(key, Refusal) and isinstance(body, Refusal) else key

    def read(self, request: Request, source: Source) -> Sequence[RawEvent] | Refusal:
        body = self._body(request)
        if isinstance(body, Refusal):
            return body
        items = split(body.events, self._limits)
        if isinstance(items, Refusal):
            return items
        uploaded = stamp(body.client_upload_time)
        came = Came(source, request.received_at, milliseconds(uploaded), uploaded)
        events = translated(items, _HTTP, came)
        events.size = len(request.body)
        return events

    def accepted(self, events: Sequence[RawEvent]) -> Answer:
        said: dict[str, Any] = {"code": 200, "events_ingested": len(events)}
        if isinstance(events, Taken):
            said = {"code": 200, "events_ingested": events.items, "payload_size_bytes": events.size,
                    "server_upload_time": events.received_at}  # fmt: skip
        return json_answer(HTTPStatus.OK, said)

    def refused(self, refusal: Refusal) -> Answer:
        status = HTTPStatus(refusal.status)
        error = f"{refusal.error}: {refusal.message}"
        said: dict[str, Any] = {}
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            error = _INVALID_KEY + refusal.message
        elif refusal.events:
            said = _by_field(refusal.events)
        elif status in _BAD_REQUEST:
            said = {"missing_field": "events"}
        elif status == HTTPStatus.TOO_MANY_REQUESTS:
            said = {"throttled_devices": {}, "throttled_users": {}, "throttled_events": list(range(refusal.count))}
        if status in _BAD_REQUEST or refusal.events:
            status = HTTPStatus.BAD_REQUEST
        return json_answer(status, {"code": int(status), "error": error, **said}, refusal.headers)

    def _body(self, request: Request) -> _Body | Refusal:
        text = json_of(request.body, self._limits)
        return text if isinstance(text, Refusal) else tolerant(_decode_body, text, FORMS, self._limits)


def split(events: Raw | UnsetType, limits: Limits, forms: str = FORMS) -> list[bytes] | Refusal:
    """The JSON of each event, of one alone too."""
    if events is UNSET:
        return Refusal(HTTPStatus.BAD_REQUEST, "bad_body", f"the body has no `events`; {forms}")
    text = bytes(events)
    items = [events] if text[:1] == b"{" else decoded(_decode_list, text, forms, limits)
    if isinstance(items, Refusal):
        return items
    if not items:
        return Refusal(HTTPStatus.BAD_REQUEST, "no_events", f"the body holds no event; {forms}")
    return within(items, limits)


def translated(items: Sequence[bytes], form: Form, came: Came) -> Taken:
    """All events of a request, and those that they carry."""
    events = Taken()
    for item in items:
        events += envelopes(item, form, came)
    events.items, events.received_at = len(items), came.received_at
    return events


def _by_field(events: Sequence[BadEvent]) -> dict[str, dict[str, list[int]]]:
    """The indexes of bad events by field, as SDKs look for them."""
    invalid: dict[str, list[int]] = {}
    missing: dict[str, list[int]] = {}
    for bad in events:
        fields = missing if bad.message.startswith("missing") else invalid
        fields.setdefault(bad.field or _EVENT, []).append(bad.index)
    return {"events_with_invalid_fields": invalid, "events_with_missing_fields": missing}

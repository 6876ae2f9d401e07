"""The Reteno protocol: ``POST /api/v2/event`` and its elder ``/api/v1/event`` of servers, and what mobile SDKs send.

``POST /api/v1/events`` is two things: events that an SDK sends with its device, and past events of a server, at most
500, which go to ``raw.import``. ``/api/v1/user`` and ``/api/v1/device`` are what an SDK knows of its user and device.
The SDKs take exactly 200 for success and never send again what was answered 4xx. Source of the protocol: the public
documentation of Reteno and the public sources of its SDKs for Android and iOS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from offerflow.runtime.keys import SERVER
from producers.ingest.adapters import reteno_sdk
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.adapters.reteno_events import EXPECTED, Ids, event_sent
from producers.ingest.answers import Answer, Refusal, json_answer, plain_refusal
from producers.ingest.bodies import json_of, one_or_many, spread, tolerant, within
from producers.ingest.envelopes import no_object, raw_event
from producers.ingest.idempotency import given_ids
from producers.ingest.keyring import Source, first_key
from producers.ingest.limits import Limits
from producers.ingest.members import Members, fields_of
from producers.ingest.request import Request

MOST_PAST = 500
_EVENT = ("/api/v2/event", "/api/v1/event")
_EVENTS = "/api/v1/events"
_USER = "/api/v1/user"
_DEVICE = "/api/v1/device"
_FORMS = 'expected {"eventTypeKey": "…", "keyValue": "…", "params": [{"name": "…", "value": "…"}]}, or events: [ … ]'


class _Body(Struct):
    """``device_id`` tells the events of an SDK from past events."""

    device_id: Raw | UnsetType = msgspec.field(name="deviceId", default=UNSET)
    user_id: Raw | UnsetType = msgspec.field(name="externalUserId", default=UNSET)
    events: Raw | UnsetType = UNSET


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode


class RetenoAdapter:
    name = "reteno"
    routes: Mapping[str, tuple[str, ...]] = {
        **dict.fromkeys(_EVENT, ("POST",)), _EVENTS: ("POST",), _USER: ("POST",), _DEVICE: ("POST",)
    }  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._past = replace(limits, events=min(MOST_PAST, limits.events))

    def claims(self, request: Request) -> bool:
        return True

    def key(self, request: Request) -> str | Refusal:
        return first_key(
            request.headers,
            "Basic with any user and the key as password, `Authorization: Bearer sk_…`, or `X-Reteno-Access-Key: wk_…`",
            named=(b"x-reteno-access-key", b"x-api-key"),
        )

    def read(self, request: Request, source: Source) -> Sequence[RawEvent] | Refusal | Answer:
        text = json_of(request.body, self._limits)
        if isinstance(text, Refusal):
            return text
        if request.path == _EVENTS:
            return self._events(text, request, source)
        if request.path in (_USER, _DEVICE):
            return self._told(text, request, source)
        return self._each(one_or_many(text, _FORMS, self._limits), request, source)

    def accepted(self, events: Sequence[RawEvent]) -> Answer:
        return json_answer(HTTPStatus.OK, {"accepted": len(events), "ids": [event.id for event in events]})

    def refused(self, refusal: Refusal) -> Answer:
        """With the structure that was expected, where the body was of another."""
        if refusal.error not in ("bad_body", "no_events", "malformed_json"):
            return plain_refusal(refusal)
        content = {"error": refusal.error, "message": refusal.message, "expected": EXPECTED}
        return json_answer(refusal.status, content, refusal.headers)

    def _events(self, text: bytes, request: Request, source: Source) -> Sequence[RawEvent] | Refusal | Answer:
        if text.lstrip()[:1] == b"[":
            body = _Body(events=Raw(text))
        else:
            read = tolerant(_decode_body, text, _FORMS, self._limits)
            if isinstance(read, Refusal):
                return read
            body = read
        if body.events is UNSET:
            return Refusal(HTTPStatus.BAD_REQUEST, "bad_body", f"the body has no `events`: {_FORMS}")
        items = tolerant(_decode_list, bytes(body.events), _FORMS, self._limits)
        if body.device_id is not UNSET or b"x-reteno-access-key" in request.headers:
            if not items:
                return self.accepted(())  # an SDK may have nothing to say
            sender = reteno_sdk.sender_of(body.device_id, body.user_id, request)
            return self._each(items, request, source, sender, body)
        key = self.key(request)
        if isinstance(key, Refusal) or not key.startswith(SERVER):
            message = "past events are imported by servers alone: expected a server key, sk_…, or `deviceId` of an SDK"
            return Refusal(HTTPStatus.FORBIDDEN, "forbidden", message)
        events = self._each(items, request, source)
        return events if isinstance(events, Refusal) else [event._replace(past=True) for event in events]

    def _each(
        self,
        items: Sequence[Raw] | Refusal,
        request: Request,
        source: Source,
        sender: reteno_sdk.Sender | None = None,
        body: _Body | None = None,
    ) -> Sequence[RawEvent] | Refusal:
        if isinstance(items, Refusal):
            return items
        if not items:
            return Refusal(HTTPStatus.BAD_REQUEST, "no_events", f"the body holds no event: {_FORMS}")
        past = request.path == _EVENTS and sender is None
        checked = within(items, self._past if past else self._limits)
        if isinstance(checked, Refusal):
            return checked
        copied = spread(b"".join(bytes(raw) for raw in _who(body)), checked, self._limits)
        if copied is not None:
            return copied
        ids = Ids(given_ids(request, len(checked)))
        events = []
        for item in checked:
            fields = fields_of(item)
            if len(items) == 1 and sender is None and (fields is None or "eventTypeKey" not in fields):
                return Refusal(HTTPStatus.BAD_REQUEST, "bad_body", f"the event has no `eventTypeKey`: {_FORMS}")
            if fields is None:
                events.append(no_object(item, self.name, source))
                continue
            sent = event_sent(Members(fields), request.received_at, sender, ids, item)
            events.append(raw_event(sent, source))
        return events

    def _told(self, text: bytes, request: Request, source: Source) -> Sequence[RawEvent] | Refusal | Answer:
        """What an SDK tells of its user or device, as the event of the plan that says so; a device without a push token
        says nothing."""
        items = one_or_many(text, _FORMS, self._limits)
        checked = items if isinstance(items, Refusal) else within(items, self._limits)
        if isinstance(checked, Refusal):
            return checked
        fields = fields_of(checked[0]) if len(checked) == 1 else None
        if fields is None:
            return Refusal(HTTPStatus.BAD_REQUEST, "bad_body", f"the body is no JSON object: {_FORMS}")
        tell = reteno_sdk.user_sent if request.path == _USER else reteno_sdk.device_sent
        sent = tell(Members(fields), request)
        return self.accepted(()) if sent is None else [raw_event(sent, source)]


def _who(body: _Body | None) -> list[Raw]:
    """What a body says of the sender of all of its events."""
    told = (body.device_id, body.user_id) if body is not None else ()
    return [raw for raw in told if isinstance(raw, Raw)]

"""The Resonance protocol: ``POST /events/v1/events`` with ``{userId, name, eventAt?, data?}`` and ``x-api-key``.

The answer is 200 with the id the event got. Several events in an array are taken too. Source of the protocol: the
public documentation of the Resonance Events API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from msgspec import UNSET

from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import Answer, Refusal, json_answer, plain_refusal
from producers.ingest.bodies import json_of, one_or_many, within
from producers.ingest.clock import happened
from producers.ingest.envelopes import Sent, Via, no_object, raw_event
from producers.ingest.idempotency import given_ids
from producers.ingest.keyring import Source, first_key
from producers.ingest.limits import Limits
from producers.ingest.members import Members, fields_of
from producers.ingest.request import Request

_FORMS = 'expected {"userId": "…", "name": "…"}, with `eventAt` (RFC 3339) and `data` (an object) if you like'


class ResonanceAdapter:
    name = "resonance"
    routes: Mapping[str, tuple[str, ...]] = {"/events/v1/events": ("POST",)}

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def claims(self, request: Request) -> bool:
        return True

    def key(self, request: Request) -> str | Refusal:
        return first_key(request.headers, "the header `x-api-key: sk_…`", named=(b"x-api-key",))

    def read(self, request: Request, source: Source) -> Sequence[RawEvent] | Refusal:
        text = json_of(request.body, self._limits)
        if isinstance(text, Refusal):
            return text
        items = one_or_many(text, _FORMS, self._limits)
        if isinstance(items, Refusal):
            return items
        if not items:
            return Refusal(HTTPStatus.BAD_REQUEST, "no_events", f"the body holds no event: {_FORMS}")
        checked = within(items, self._limits)
        if isinstance(checked, Refusal):
            return checked
        ids = given_ids(request, len(checked))
        events = []
        for item, given in zip(checked, ids, strict=True):
            fields = fields_of(item)
            if fields is not None:
                events.append(raw_event(_sent(Members(fields), given, request.received_at), source))
            elif len(checked) > 1:
                events.append(no_object(item, self.name, source))
            else:
                return Refusal(HTTPStatus.BAD_REQUEST, "bad_body", f"the body holds no JSON object: {_FORMS}")
        return events

    def accepted(self, events: Sequence[RawEvent]) -> Answer:
        ids = [event.id for event in events]
        return json_answer(HTTPStatus.OK, {"id": ids[0]} if len(ids) == 1 else {"ids": ids})

    def refused(self, refusal: Refusal) -> Answer:
        return plain_refusal(refusal)


def _sent(members: Members, given_id: str, received_at: int) -> Sent:
    time = happened(members.value("eventAt"), None, received_at)
    sent = Sent(
        event=members.text("name"),
        user_id=members.text("userId"),
        event_id=given_id or UNSET,
        time=time.time,
        properties=members.raw("data"),
    )
    sent.via = Via("resonance", time=time.given, rest=members.rest)
    return sent

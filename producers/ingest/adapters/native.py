"""The native protocol: ``POST /v1/events`` with one event, an array of events, or ``{"events": […]}``.

The JSON of an event passes on as it came, unknown fields included; only ``source`` (set by the key) and a missing
``event_id`` are added. A request is taken whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from producers.envelope import Envelope, Problem, mint_id, misfit, problems
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import Answer, BadEvent, Refusal, json_answer, plain_refusal
from producers.ingest.bodies import decoded, json_of, sized
from producers.ingest.keyring import Source, bearer_key
from producers.ingest.limits import Limits, deeper_than
from producers.ingest.request import Request
from schemas.envelope import MAX_ID, TYPED
from schemas.requests import PREFIX

_FORMS = 'expected one event {"event": …, "user_id": …}, an array of them, or {"events": [ … ]}'
_RESERVED = (
    f"names that begin with {PREFIX} are reserved for requests, which are no events; expected a call of the API of"
    " offers and rewards, /offers/v1/… or /rewards/v1/…, with a server key"
)
"""Keys that send events live in apps: none may enter people into offers or pay out."""


class _Body(Struct):
    """Tells one event from a list of them: a body with ``events`` and without ``event`` or ``type`` is a list."""

    events: Raw | UnsetType = UNSET
    event: Raw | UnsetType = UNSET
    type: Raw | UnsetType = UNSET


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode
_decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode


class NativeAdapter:
    """``mint`` makes the ids of events that have none."""

    name = "native"
    routes: Mapping[str, tuple[str, ...]] = {"/v1/events": ("POST",)}

    def __init__(self, limits: Limits, mint: Callable[[], str] = mint_id) -> None:
        self._limits = limits
        self._mint = mint

    def claims(self, request: Request) -> bool:
        return True

    def key(self, request: Request) -> str | Refusal:
        return bearer_key(request.headers)

    def accepted(self, events: Sequence[RawEvent]) -> Answer:
        told: dict[str, Any] = {"accepted": len(events), "ids": [event.id for event in events]}
        stripped = [{"index": index, "id": event.id, "properties": event.stripped}
                    for index, event in enumerate(events) if event.stripped]  # fmt: skip
        return json_answer(HTTPStatus.ACCEPTED, {**told, "stripped": stripped} if stripped else told)

    def refused(self, refusal: Refusal) -> Answer:
        return plain_refusal(refusal)

    def read(self, request: Request, source: Source) -> Sequence[RawEvent] | Refusal:
        split = self._split(request.body)
        if isinstance(split, Refusal):
            return split
        read: list[RawEvent] = []
        bad: list[BadEvent] = []
        idempotency_key = _text(request.headers.get(b"idempotency-key", b""))
        for index, raw in enumerate(split):
            checked = self._check(raw)
            if isinstance(checked, Envelope):
                given = f"{idempotency_key}-{index}" if idempotency_key and len(split) > 1 else idempotency_key
                if len(given) <= MAX_ID:
                    read.append(self._raw_event(raw, checked, source, given))
                else:
                    bad.append(BadEvent(index, "Idempotency-Key", f"longer than {MAX_ID} characters"))
            else:
                bad += [BadEvent(index, problem.field, problem.message) for problem in checked]
        return _refusal(bad, len(split)) if bad else read

    def _split(self, body: bytes) -> list[bytes] | Refusal:
        """The JSON of each event."""
        text = json_of(body, self._limits)
        if isinstance(text, Refusal):
            return text
        if text.lstrip()[:1] == b"[":
            events = decoded(_decode_list, text, _FORMS, self._limits)
        else:
            parts = decoded(_decode_body, text, _FORMS, self._limits)
            if isinstance(parts, Refusal):
                return parts
            if parts.events is UNSET or parts.event is not UNSET or parts.type is not UNSET:
                return sized([Raw(text.strip())], self._limits)
            events = decoded(_decode_list, bytes(parts.events), _FORMS, self._limits)
        if isinstance(events, Refusal):
            return events
        if not events:
            return Refusal(HTTPStatus.BAD_REQUEST, "no_events", f"the body holds no event: {_FORMS}")
        return sized(events, self._limits)

    def _check(self, raw: bytes) -> Envelope | list[Problem]:
        if deeper_than(raw, self._limits.depth):
            return [Problem("", f"nested deeper than the limit of {self._limits.depth} levels")]
        try:
            envelope = _decode_envelope(raw)
        except msgspec.ValidationError as error:
            return [misfit(error)]
        if envelope.event is not None and envelope.event.startswith(PREFIX):
            return [Problem("event", _RESERVED)]
        return problems(envelope) or envelope

    def _raw_event(self, raw: bytes, envelope: Envelope, source: Source, given_id: str) -> RawEvent:
        event_id = envelope.event_id or given_id or self._mint()
        added: dict[str, Any] = {"source": source.id}
        if not envelope.event_id:
            added["event_id"] = event_id
        if envelope.source is UNSET and (envelope.event_id or envelope.event_id is UNSET):
            value = raw[:-1] + b"," + _encode(added)[1:]  # the closing brace replaced by the added fields
        else:
            value = _encode({**_decode_fields(raw), **added})
        name = TYPED.get(envelope.type or "track", envelope.event)
        return RawEvent(event_id, envelope.key, value, name or "")


def _refusal(bad: list[BadEvent], events: int) -> Refusal:
    count = len({event.index for event in bad})
    message = f"{count} of {events} events cannot be read, so none was taken; `events` says what to mend"
    return Refusal(HTTPStatus.BAD_REQUEST, "bad_events", message, bad)


def _text(header: bytes) -> str:
    try:
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")

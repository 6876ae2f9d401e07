"""PostHog's capture protocols: batches and single events with the key in the body, and the newer one with a Bearer key
that is told of every event by itself.

Its SDKs take 200 alone for success, send again after 408, 429 and 5xx, and drop the batch on other answers; some halve
it on 413. The newer protocol drops just the events that its answer says to drop.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from producers.ingest.adapters.posthog_events import KEYS, Came, envelopes
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import Answer, Refusal, json_answer
from producers.ingest.bodies import decoded, json_of, tolerant, within
from producers.ingest.keyring import Source, first_key
from producers.ingest.limits import Limits
from producers.ingest.members import as_text, fields_of
from producers.ingest.request import Request
from producers.ingest.times import milliseconds, stamp

FORMS = 'expected {"api_key": "wk_…", "batch": [{"event": …, "distinct_id": …}, … ]}, or one such event with the key'
_PATHS = ("/batch", "/capture", "/e", "/i/v0/e", "/i/v0/ai/batch")
_LIBRARY = 200
_FIRST = 128 * 1024
_TYPES = {400: "validation_error", 401: "authentication_error", 403: "authentication_error", 429: "throttled_error"}


class _Body(Struct):
    api_key: Any = UNSET
    token: Any = UNSET
    batch: Raw | UnsetType = UNSET
    sent_at: Any = UNSET


_decode_whole = msgspec.json.Decoder(Raw).decode
_decode_body = msgspec.json.Decoder(_Body).decode
_decode_first = json.JSONDecoder().raw_decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode


class PostHogAdapter:
    name = "posthog"
    routes: Mapping[str, tuple[str, ...]] = dict.fromkeys(_PATHS, ("POST",))

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def claims(self, request: Request) -> bool:
        return True

    def key(self, request: Request) -> str | Refusal:
        body = parts_of(request, self._limits)
        inside = None if isinstance(body, Refusal) else key_in(*body)
        key = first_key(request.headers, "the write key as `api_key` in the body", body=lambda: inside,
                        query=request.query, query_names=("token", "api_key"))  # fmt: skip
        # What cannot be read may well have the key in it.
        return body if isinstance(key, Refusal) and isinstance(body, Refusal) else key

    def read(self, request: Request, source: Source) -> Sequence[RawEvent] | Refusal:
        read = read_body(request, self._limits)
        if isinstance(read, Refusal):
            return read
        body, raw = read
        items = within(raw, self._limits)
        if isinstance(items, Refusal):
            return items
        sent_at = stamp(body.sent_at)
        came = Came(source, request.received_at, milliseconds(sent_at), sent_at)
        return [event for item in items for event in envelopes(item, came)]

    def accepted(self, events: Sequence[RawEvent]) -> Answer:
        return json_answer(HTTPStatus.OK, {"status": "Ok"})

    def refused(self, refusal: Refusal) -> Answer:
        return refused(refusal)


class PostHogV1Adapter:
    """``POST /i/v1/analytics/events``: an event over a limit is dropped by itself, and the others are taken."""

    name = "posthog"
    routes: Mapping[str, tuple[str, ...]] = {"/i/v1/analytics/events": ("POST",)}

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def claims(self, request: Request) -> bool:
        return True

    def key(self, request: Request) -> str | Refusal:
        return first_key(request.headers, "`Authorization: Bearer wk_…`")

    def read(self, request: Request, source: Source) -> Sequence[RawEvent] | Refusal | Answer:
        read = read_body(request, self._limits)
        if isinstance(read, Refusal):
            return read
        items, dropped = self._within(read[1])
        if isinstance(items, Refusal):
            return items
        told = _header(request, b"posthog-request-timestamp")
        sent_at = milliseconds(told)
        came = Came(source, request.received_at, sent_at, UNSET if sent_at is None else told,
                    _header(request, b"posthog-sdk-info")[:_LIBRARY])  # fmt: skip
        made = [envelopes(item, came) for item in items]
        events = Judged(event for each in made for event in each)
        events.dropped, events.taken = dropped, [each[-1].id for each in made]
        return events or _judged(events)

    def accepted(self, events: Sequence[RawEvent]) -> Answer:
        return _judged(events)

    def refused(self, refusal: Refusal) -> Answer:
        return refused(refusal)

    def _within(self, raw: list[Raw]) -> tuple[list[bytes] | Refusal, dict[str, str]]:
        """Events within the limits, and what is wrong with each of the others by its id."""
        dropped: dict[str, str] = {}
        items = within(raw, self._limits)
        while isinstance(items, Refusal) and items.events:
            bad = {one.index: one.message for one in items.events}
            for index, message in bad.items():
                event_id = as_text((fields_of(raw[index]) or {}).get("uuid", UNSET))
                if not isinstance(event_id, str):
                    return items, {}
                dropped[event_id] = message
            raw = [one for index, one in enumerate(raw) if index not in bad]
            items = within(raw, self._limits)
        return items, dropped


class Judged(list[RawEvent]):
    """The events made of a request: ``taken``, ids of those that were sent; ``dropped``: why the others were not."""

    taken: Sequence[str] = ()
    dropped: Mapping[str, str] = {}


def read_body(request: Request, limits: Limits) -> tuple[_Body, list[Raw]] | Refusal:
    """What holds for all events, and the events: of a batch, of an array, or one alone."""
    parts = parts_of(request, limits)
    if isinstance(parts, Refusal):
        return parts
    body, listed = parts
    if body.batch is UNSET and bytes(listed)[:1] == b"{":
        return body, [listed]
    items = decoded(_decode_list, bytes(listed), FORMS, limits)
    if isinstance(items, Refusal):
        return items
    if not items:
        return Refusal(HTTPStatus.BAD_REQUEST, "no_events", f"the body holds no event; {FORMS}")
    return body, items


def parts_of(request: Request, limits: Limits) -> tuple[_Body, Raw] | Refusal:
    """What holds for all events, and the JSON of the events together, or of the only one: as much as the key takes."""
    text = json_of(request.body, limits)
    whole = text if isinstance(text, Refusal) else tolerant(_decode_whole, text, FORMS, limits)
    if isinstance(whole, Refusal):
        return whole
    if bytes(whole)[:1] != b"{":
        return _Body(), whole
    found = decoded(_decode_body, bytes(whole), FORMS, limits)
    if isinstance(found, Refusal):
        return found
    return found, whole if isinstance(found.batch, UnsetType) else found.batch


def key_in(body: _Body, listed: Raw) -> Any:
    """The key of a body, or of its first event: browsers say it in each. Nobody knows yet who asks, so nothing is made
    of the events behind the first, or of a first one that is long."""
    for given in (body.api_key, body.token):
        if isinstance(given, str) and given:
            return given
    first = _first(bytes(listed)[:_FIRST])
    inner = first.get("properties")
    for where in (first, inner if isinstance(inner, dict) else {}):
        for name in KEYS:
            given = where.get(name)
            if isinstance(given, str) and given:
                return given
    return None


def _first(text: bytes) -> dict[str, Any]:
    """The object that JSON begins with, or begins its array with; empty where it is none, or is cut."""
    try:
        found, _ = _decode_first(text.removeprefix(b"[").lstrip().decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def refused(refusal: Refusal) -> Answer:
    """Under the names that SDKs of either protocol look for."""
    said: dict[str, Any] = {
        "type": _TYPES.get(refusal.status, "server_error" if refusal.status >= 500 else "validation_error"),
        "code": refusal.error, "detail": refusal.message, "attr": None,
        "error": refusal.error, "error_description": refusal.message,
    }  # fmt: skip
    if refusal.events:
        said["events"] = [{"index": bad.index, "field": bad.field, "message": bad.message} for bad in refusal.events]
    return json_answer(refusal.status, said, refusal.headers)


def _judged(events: Sequence[RawEvent]) -> Answer:
    results: dict[str, Any] = {}
    if isinstance(events, Judged):
        results = {event_id: {"result": "ok"} for event_id in events.taken}
        results |= {event_id: {"result": "drop", "details": why} for event_id, why in events.dropped.items()}
    return json_answer(HTTPStatus.OK, {"results": results})


def _header(request: Request, name: bytes) -> str:
    return request.headers.get(name, b"").decode("latin-1")

"""The protocol of Segment's HTTP tracking API, which RudderStack's clients speak too.

Every call (``/v1/track``, …), its short form for browsers (``/v1/t``, …), and batches. The key comes as the user of
Basic, or as ``writeKey`` in the body or the query. 200 ``{"success": true}`` when Kafka has every event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.adapters.segment_items import PROTOCOL, Batch, sent
from producers.ingest.adapters.segment_settings import rudderstack_config, segment_settings
from producers.ingest.answers import Answer, Refusal, json_answer
from producers.ingest.bodies import decoded, json_of, spread, tolerant, within
from producers.ingest.clock import HELD_MS, STORED_MS
from producers.ingest.envelopes import raw_event
from producers.ingest.keyring import Source, first_key
from producers.ingest.limits import Limits
from producers.ingest.members import as_value
from producers.ingest.request import Request
from producers.ingest.times import milliseconds, stamp

_CALLS = ("track", "identify", "page", "screen", "group", "alias")
_PATHS = {
    **{f"/v1/{call}": call for call in _CALLS},
    **{f"/v1/{call[0]}": call for call in _CALLS if call != "alias"},
    "/v1/a": "alias",
    "/v1/merge": "merge",
    **dict.fromkeys(("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"), ""),
}
"""The kind of the events by path; "" where each says it itself."""
_SETTINGS = "/v1/projects/{key}/settings"
_CONFIG = "/sourceConfig"

_KEY = "Basic authentication with the key as user and no password, or `writeKey` in the body"
_FORMS = 'expected one call {"type": "track", "userId": …, "event": …} or {"batch": [ … ]}'
_WRITE_KEY = re.compile(rb'"writeKey"\s*:\s*"([^"\\]{1,512})"')
_SUCCESS = json_answer(HTTPStatus.OK, {"success": True})
_STORED = (b"analytics-kotlin/", b"analytics-ios/")
"""User agents of libraries that write whole requests to the disk of a phone, and send them when it is online."""


class _Body(Struct):
    batch: Raw | UnsetType = UNSET
    sentAt: Raw | UnsetType = UNSET  # noqa: N815
    context: Raw | UnsetType = UNSET


class _Keyed(Struct):
    writeKey: Any = None  # noqa: N815


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode
_decode_raw = msgspec.json.Decoder(Raw).decode
_decode_key = msgspec.json.Decoder(_Keyed).decode


class SegmentAdapter:
    name = PROTOCOL
    routes: Mapping[str, tuple[str, ...]] = {
        **dict.fromkeys(_PATHS, ("POST",)),
        _SETTINGS: ("GET",),
        _CONFIG: ("GET",),
    }

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def claims(self, request: Request) -> bool:
        return True

    def key(self, request: Request) -> str | Refusal:
        if request.path.endswith("/settings"):
            return _path_key(request)
        return first_key(
            request.headers, _KEY, body=lambda: self._body_key(request.body), query=request.query,
            query_names=("writeKey", "write_key"),
        )  # fmt: skip

    def read(self, request: Request, source: Source) -> Sequence[RawEvent] | Refusal | Answer:
        kind = _PATHS.get(request.path)
        if kind is None:
            key = self.key(request)
            if isinstance(key, Refusal):
                return key
            return rudderstack_config(source, key) if request.path == _CONFIG else segment_settings(request, key)
        text = json_of(request.body, self._limits)
        if isinstance(text, Refusal):
            return text
        split = self._split(text)
        if isinstance(split, Refusal):
            return split
        body, items = split
        if not items:
            return _SUCCESS
        checked = within(items, self._limits)
        if isinstance(checked, Refusal):
            return checked
        held = STORED_MS if request.headers.get(b"user-agent", b"").startswith(_STORED) else HELD_MS
        context = body.context
        too_much = spread(b"" if context is UNSET else bytes(context), checked, self._limits)
        if too_much is not None:
            return too_much
        sent_at = stamp(as_value(body.sentAt))
        batch = Batch(kind, sent_at, milliseconds(sent_at), context, request.received_at, source.id, held, {})
        return [raw_event(sent(item, batch), source) for item in checked]

    def accepted(self, events: Sequence[RawEvent]) -> Answer:
        return _SUCCESS

    def refused(self, refusal: Refusal) -> Answer:
        """``code`` and ``message`` are what clients look for: RudderStack's for Python takes an error without a
        ``code`` for a broken connection, and sends again for ever what was refused for good."""
        content: dict[str, Any] = {"success": False, "code": refusal.error, "message": refusal.message}
        if refusal.events:
            content["events"] = [
                {"index": bad.index, "field": bad.field, "message": bad.message} for bad in refusal.events
            ]
        return json_answer(refusal.status, content, refusal.headers)

    def _split(self, text: bytes) -> tuple[_Body, Sequence[Raw]] | Refusal:
        """What holds for all events of the body, and their JSON."""
        if text.lstrip()[:1] == b"[":
            items = tolerant(_decode_items, text, _FORMS, self._limits)
            return items if isinstance(items, Refusal) else (_Body(), items)
        body = tolerant(_decode_body, text, _FORMS, self._limits)
        if isinstance(body, Refusal):
            return body
        if body.batch is not UNSET:
            items = tolerant(_decode_items, bytes(body.batch), _FORMS, self._limits)
            return items if isinstance(items, Refusal) else (body, items)
        single = tolerant(_decode_raw, text, _FORMS, self._limits)
        return single if isinstance(single, Refusal) else (_Body(), [single])

    def _body_key(self, body: bytes) -> object:
        """``writeKey`` of the body, else the first one anywhere in it. Nobody knows yet who asks, so its events are not
        made into anything."""
        text = json_of(body, self._limits)
        if isinstance(text, Refusal):
            return None
        found = decoded(_decode_key, text, _FORMS, self._limits)
        if not isinstance(found, Refusal) and found.writeKey:
            return found.writeKey
        searched = _WRITE_KEY.search(text)
        return searched[1].decode() if searched else None


def _path_key(request: Request) -> str:
    """Of ``/v1/projects/{key}/settings``."""
    return request.path.split("/")[3]

"""One made-up event, and its bytes on a raw topic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

SDK, BACKEND, INTEGRATION = "raw.sdk", "raw.backend", "raw.integration"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


class Event(NamedTuple):
    """``time`` is milliseconds since 1970. ``properties`` and ``extra`` fields are written as they are."""

    channel: str
    name: str | None
    time: int
    properties: dict[str, Any]
    user_id: str | None = None
    anonymous_id: str | None = None
    event_id: str | None = None
    source: str | None = None
    extra: Mapping[str, Any] = MappingProxyType({})

    @property
    def key(self) -> bytes:
        return (self.user_id or self.anonymous_id or "").encode()


class Sent(NamedTuple):
    """A record for a raw topic. ``channel`` is the topic's name without prefix.

    ``what`` says why it is there: ``good``, ``repeated``, or the name of a broken kind.
    """

    channel: str
    key: bytes | None
    value: bytes | None
    what: str = "good"


def envelope(event: Event) -> dict[str, Any]:
    """The native envelope; absent fields are left out. Front ends send times as integers, others as RFC 3339."""
    fields: dict[str, Any] = {}
    if event.name is not None:
        fields["event"] = event.name
    if event.user_id is not None:
        fields["user_id"] = event.user_id
    if event.anonymous_id is not None:
        fields["anonymous_id"] = event.anonymous_id
    if event.event_id is not None:
        fields["event_id"] = event.event_id
    fields["time"] = event.time if event.channel == SDK else rfc3339(event.time)
    if event.source is not None:
        fields["source"] = event.source
    fields.update(event.extra)
    fields["properties"] = event.properties
    return fields


def encode(event: Event) -> Sent:
    return Sent(event.channel, event.key, _encode(envelope(event)))


def rfc3339(time: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=time)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time % 1000:03d}Z"

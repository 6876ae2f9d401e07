"""The native envelope as producers see it: what it needs before it may go to a raw topic.

Only what is needed to name the event and its user is read here. Everything else passes on untouched and is judged by
the validation stage against the event plan. The format is in docs/formats.md.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from typing import Literal, NamedTuple, get_args

from msgspec import UNSET, Raw, Struct, UnsetType, ValidationError

from schemas.envelope import MAX_ID

_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)

Kind = Literal["track", "identify", "alias", "page", "screen", "group"]


class Envelope(Struct, frozen=True):
    """The fields a producer reads. Raw ones are looked at no further than their first byte."""

    event: str | None = None
    type: Kind | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    event_id: str | UnsetType | None = UNSET
    time: str | int | None = None
    source: Raw | UnsetType = UNSET
    properties: Raw | UnsetType = UNSET
    context: Raw | UnsetType = UNSET
    specversion: Raw | UnsetType = UNSET

    @property
    def key(self) -> str:
        """The Kafka key: the user id, else the anonymous id. Empty when ``problems`` would say so."""
        return self.user_id or self.anonymous_id or ""


class Problem(NamedTuple):
    field: str
    message: str


def problems(envelope: Envelope) -> list[Problem]:
    """What keeps this envelope from being published; empty when nothing does."""
    if envelope.specversion is not UNSET:
        return [Problem("specversion", "this is a CloudEvent; expected the native envelope of docs/formats.md")]
    found = []
    kind = envelope.type or "track"
    if kind == "track" and not envelope.event:
        found.append(Problem("event", 'missing: expected the name of the event, such as "Purchase Completed"'))
    if not envelope.key:
        found.append(Problem("user_id", "missing: expected `user_id` or `anonymous_id`, a string that is not empty"))
    found += [
        Problem(field, f"too long: expected at most {MAX_ID} characters, got {len(value)}")
        for field, value in (
            ("user_id", envelope.user_id),
            ("anonymous_id", envelope.anonymous_id),
            ("previous_id", envelope.previous_id),
            ("event_id", envelope.event_id),
        )
        if value and len(value) > MAX_ID
    ]
    for field, raw in (("properties", envelope.properties), ("context", envelope.context)):
        if raw is not UNSET and bytes(raw)[:1] not in (b"{", b"n"):
            found.append(Problem(field, "expected an object"))
    return found


def misfit(error: ValidationError) -> Problem:
    """What a decoder of Envelope complains of. msgspec says: Expected `str | null`, got `int` - at `$.user_id`."""
    match = _AT.match(str(error))
    what, path = (match["what"], match["path"]) if match else (str(error), None)
    if path == "type":
        what = f"expected one of {', '.join(get_args(Kind))}"
    words = what.replace("`", "").replace(" | null", "").replace("Expected str", "expected a string")
    return Problem(path or "", words[:1].lower() + words[1:])


def mint_id() -> str:
    """A new event id: a UUID of version 7 (RFC 9562), so ids sort by the time they were made."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))

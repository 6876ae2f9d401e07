"""The native JSON envelope of the raw topics. The contract is in docs/formats.md, Native JSON envelope."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

MAX_RAW_BYTES = 1024 * 1024
MAX_DEPTH = 16
MAX_ID = 512
"""Characters of a user id, an anonymous id or an event id."""

TYPED = {
    "identify": "Identified", "alias": "Aliased", "page": "Page Viewed", "screen": "Screen Viewed",
    "group": "Group Joined",
}  # fmt: skip
"""Events of the plan that the types other than ``track`` become."""


class Envelope(msgspec.Struct, gc=False):
    """What of a raw event is read. Unknown keys, ``context`` among them, are left alone: raw keeps every byte."""

    event: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    event_id: str | None = None
    time: int | str | None = None
    source: str | None = None
    type: Literal["track", "identify", "alias", "page", "screen", "group"] | None = None
    properties: dict[str, Any] | None = None
    previous_id: str | None = None
    specversion: Any = None


_decoder = msgspec.json.Decoder(Envelope)
_MISFIT = re.compile(r"Expected `(?P<expected>.+)`, got `(?P<got>.+)` - at `\$\.(?P<field>\w+)`")

Headers = Sequence[tuple[str, bytes | None]]
Blame = tuple[str | None, str | None, str | None]
"""A member of the envelope, what was expected there, what came."""
NOBODY: Blame = (None, None, None)


class Undecodable(ValueError):
    """The bytes are not a native envelope; the message says what was expected and where. What could be read all the
    same is in ``event`` and ``source``; ``field``, ``expected`` and ``got`` are set where one member is to blame."""

    def __init__(self, message: str, readable: Mapping[str, Any] | None = None, blame: Blame = NOBODY) -> None:
        super().__init__(message)
        self.event, self.source = (_text((readable or {}).get(name)) for name in ("event", "source"))
        self.field, self.expected, self.got = blame


class NotNative(Exception):
    """The bytes are a JSON object with a ``specversion``: a CloudEvent, whatever else is in it."""


def decode(value: bytes | None) -> Envelope:
    """The envelope in ``value``. Raises NotNative for a CloudEvent and Undecodable for everything else that is none."""
    if not value:
        raise Undecodable("expected a JSON object, got an empty value")
    if value[0] == 0:
        raise Undecodable("expected a JSON object, got Avro in Confluent wire format")
    try:
        # Whole, since the decoder does not look inside what it skips.
        envelope = _decoder.decode(value.decode())
    except msgspec.ValidationError as error:
        readable = _readable(value)
        if readable.get("specversion") is not None:
            raise NotNative from None
        raise Undecodable(f"not an event envelope: {error}", readable, blamed(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Undecodable(f"not JSON: {error}") from None
    if envelope.specversion is not None:
        raise NotNative
    if not envelope.event and envelope.type in (None, "track"):
        raise Undecodable("not an event envelope: expected the event's name in event")
    _check_lengths(envelope)
    if is_deep(value, envelope.properties):
        raise Undecodable(f"properties are nested deeper than {MAX_DEPTH} levels")
    return envelope


def blamed(error: msgspec.ValidationError) -> Blame:
    """The member that a decoder complains of, if it is just one."""
    found = _MISFIT.fullmatch(str(error))
    return (found["field"], found["expected"], found["got"]) if found else NOBODY


class _Readable(msgspec.Struct, gc=False):
    event: Any = None
    source: Any = None
    specversion: Any = None


_reader = msgspec.json.Decoder(_Readable)


def _readable(value: bytes) -> Mapping[str, Any]:
    """What an object that is no envelope says all the same; empty if it is not even an object."""
    try:
        return msgspec.structs.asdict(_reader.decode(value))
    except (ValueError, RecursionError):
        return {}


def _text(member: Any) -> str | None:
    return member if isinstance(member, str) else None


def is_deep(data: bytes, value: Any) -> bool:
    """Whether ``value``, which was decoded from ``data``, has more levels than an event may."""
    # Counting brackets is cheap and right for all but odd events; only those are walked.
    return data.count(b"{") + data.count(b"[") > MAX_DEPTH and depth(value) > MAX_DEPTH


def depth(value: Any) -> int:
    """Levels of objects and arrays in a JSON value: 0 for a scalar, 1 for ``{}``."""
    level, layer = 0, [value]
    while layer := [item for item in layer if isinstance(item, dict | list)]:
        level += 1
        layer = [child for item in layer for child in (item.values() if isinstance(item, dict) else item)]
    return level


def _check_lengths(envelope: Envelope) -> None:
    for name in ("user_id", "anonymous_id", "event_id"):
        text = getattr(envelope, name)
        if text is not None and len(text) > MAX_ID:
            expected, got = f"at most {MAX_ID} characters", f"{len(text)}"
            readable = {"event": envelope.event, "source": envelope.source}
            raise Undecodable(f"{name}: expected {expected}, got {got}", readable, (name, expected, got))

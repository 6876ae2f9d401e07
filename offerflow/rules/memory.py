"""What an entity remembers of past events, so that a repeat is known: event ids, and facts named by a unique key.

Both are flat byte strings of fixed-size records, oldest first: small to store, and searched without unpacking.
"""

from __future__ import annotations

import struct
from functools import cache

import xxhash
from xxhash import xxh3_64_digest

from offerflow.rules.events import Event, EventType
from offerflow.rules.state import MAX_FACTS, MAX_IDS, MAX_REVERSALS

UNIQUE_FOR = 90 * 24 * 3600
"""Seconds within which the same unique key is the same fact."""

REVERSIBLE_FOR = 90 * 24 * 3600 * 1000
"""Milliseconds between an event and the one that reverses it."""

_ID = struct.Struct(">8sBBI")
_FACT = struct.Struct(">QI")
_REVERSAL = struct.Struct(">8sq")


class ConflictError(ValueError):
    """An event id was seen before for this entity, with other content."""


def remember_event(ids: bytes, event: Event) -> bytes | None:
    """The memory with this event added; None if the same event is there. Raises ConflictError.

    A record is 8 bytes of the id's xxh3-64, a byte each of the type's name and the schema's version, and the low 4
    bytes of the content hash. Contents are compared within one version only: a repeat that was written with another
    version of the schema, as after a change of the plan, is the same event.
    """
    event_id = xxh3_64_digest(event.event_id.encode())
    event_type, version = type_byte(event.type), event.version & 0xFF
    content = event.content_hash & 0xFFFFFFFF
    at = ids.find(event_id)
    if at >= 0 and at % _ID.size:
        at = _find(ids, event_id, _ID.size)
    if at < 0:
        if len(ids) >= MAX_IDS * _ID.size:
            ids = ids[_ID.size :]
        return ids + _ID.pack(event_id, event_type, version, content)
    _, known_type, known_version, known_content = _ID.unpack_from(ids, at)
    if known_type == event_type and (known_version != version or known_content == content):
        return None
    raise ConflictError(f"event_id {event.event_id!r} was seen before for this user with other content")


def remember_request(ids: bytes, event_id: str, content_hash: int) -> bytes | None:
    """The memory with a request's id added, None if the same request is there. Raises ConflictError."""
    short = xxhash.xxh3_64_digest(event_id.encode())
    record = _ID.pack(short, 0, 0, content_hash & 0xFFFFFFFF)
    at = _find(ids, short, _ID.size)
    if at < 0:
        return ids[-(MAX_IDS - 1) * _ID.size :] + record
    if ids[at : at + _ID.size] == record:
        return None
    raise ConflictError(f"event_id {event_id!r} was seen before for this user with other content")


@cache
def type_byte(name: str) -> int:
    return xxhash.xxh3_64_digest(name.encode())[-1]


def remember_reversal(reversals: bytes, event_type: str, by: str, value: object, time: int) -> bytes:
    """The memory with it added that events of ``event_type`` whose ``by`` is ``value`` were reversed at ``time``."""
    record = _REVERSAL.pack(_reversal(event_type, by, value), time)
    return reversals[-(MAX_REVERSALS - 1) * _REVERSAL.size :] + record


def was_reversed(reversals: bytes, event_type: str, by: str, value: object, time: int) -> bool:
    """Whether an event of that type, value and time was reversed before it came."""
    key = _reversal(event_type, by, value)
    return any(
        known == key and abs(at - time) <= REVERSIBLE_FOR for known, at in _REVERSAL.iter_unpack(reversals)
    )  # fmt: skip


def _reversal(event_type: str, by: str, value: object) -> bytes:
    if value.__class__ is float and value.is_integer():
        value = int(value)
    return xxhash.xxh3_64_digest(repr((event_type, by, value)).encode())


def remember_fact(facts: bytes, event: Event, event_type: EventType) -> bytes | None:
    """The memory with this event's unique key added, or None if the fact was there within UNIQUE_FOR seconds.

    A record is 8 bytes of xxh3-64 over the type and the key's values, and the event time in seconds.
    """
    values = [event.properties.get(name) for name in event_type.unique]
    key = xxhash.xxh3_64_intdigest(repr((event_type.name, *values)).encode())
    seconds = min(max(event.time // 1000, 0), 0xFFFFFFFF)
    record = _FACT.pack(key, seconds)
    at = _find(facts, record[:8], _FACT.size)
    if at >= 0:
        if abs(_FACT.unpack_from(facts, at)[1] - seconds) <= UNIQUE_FOR:
            return None
        facts = facts[:at] + facts[at + _FACT.size :]
    return facts[-(MAX_FACTS - 1) * _FACT.size :] + record


def _find(records: bytes, start: bytes, size: int) -> int:
    """Where the record of ``size`` bytes that starts with these 8 bytes begins, or -1."""
    at = records.find(start)
    while at >= 0 and at % size:
        at = records.find(start, at + 1)
    return at

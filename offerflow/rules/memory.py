"""What an entity remembers of past events, so that a repeat is known: event ids, and facts named by a unique key.

Both are flat byte strings of fixed-size records, oldest first: small to store, and searched without unpacking.
"""

from __future__ import annotations

import struct

import xxhash

from offerflow.rules.events import Event, EventType
from offerflow.rules.outcomes import Conflict
from offerflow.rules.state import MAX_FACTS, MAX_IDS

UNIQUE_FOR = 90 * 24 * 3600
"""Seconds within which the same unique key is the same fact."""

_ID = struct.Struct(">8sBBI")
_FACT = struct.Struct(">QI")


def remember_event(ids: bytes, event: Event) -> bytes | Conflict | None:
    """The memory with this event added; None if the same event is there; Conflict if its id has other content.

    A record is 8 bytes of the id's xxh3-64, a byte each of the type's name and the schema's version, and the low 4
    bytes of the content hash. Contents are compared within one version only: a repeat that was written with another
    version of the schema, as after a change of the plan, is the same event.
    """
    event_id = xxhash.xxh3_64_digest(event.event_id.encode())
    event_type, version = xxhash.xxh3_64_digest(event.type.encode())[-1], event.version & 0xFF
    content = event.content_hash & 0xFFFFFFFF
    at = _find(ids, event_id, _ID.size)
    if at < 0:
        return ids[-(MAX_IDS - 1) * _ID.size :] + _ID.pack(event_id, event_type, version, content)
    _, known_type, known_version, known_content = _ID.unpack_from(ids, at)
    if known_type == event_type and (known_version != version or known_content == content):
        return None
    return Conflict(f"event_id {event.event_id!r} was seen before for this user with other content")


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

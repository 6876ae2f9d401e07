"""A planned event with a property of every kind, and such events."""

from __future__ import annotations

import zlib
from typing import Any

from offerflow.rules.events import Event, EventType, Kind, PropertyType

NOON = 1_790_000_000_000

PROPERTIES = {
    "x": PropertyType(Kind.NUMBER),
    "n": PropertyType(Kind.NUMBER, integer=True),
    "from0": PropertyType(Kind.NUMBER, minimum=0, maximum=100),
    "s": PropertyType(Kind.STRING),
    "b": PropertyType(Kind.BOOLEAN),
    "any": PropertyType(Kind.ANY),
    "key": PropertyType(Kind.STRING),
    "plan": PropertyType(Kind.ENUM, ("free", "plus", "pro")),
    "at": PropertyType(Kind.TIME),
    "tags": PropertyType(Kind.LIST),
    "sizes": PropertyType(Kind.MAP),
    "phone": PropertyType(Kind.STRING, pii=True),
    "secret": PropertyType(Kind.RECORD, fields={"city": PropertyType(Kind.STRING)}, pii=True),
    "loose": PropertyType(Kind.ANY, pii=True),
    "home": PropertyType(
        Kind.RECORD,
        fields={
            "city": PropertyType(Kind.STRING),
            "geo": PropertyType(Kind.RECORD, fields={"zip": PropertyType(Kind.NUMBER, integer=True)}),
        },
    ),
}
PLANNED = EventType("A", ("A", "A again"), PROPERTIES)


def an_event(**given: Any) -> Event:
    """What is no field of an event is a property of it."""
    fields = {
        "type": "A", "event_id": "e7", "user_id": "ann", "anonymous_id": None, "time": NOON, "received_at": NOON + 5,
        "source": "shop", "origin": "backend", "partition": 3, "offset": 7,
    }  # fmt: skip
    properties = {key: value for key, value in given.items() if key not in Event.__struct_fields__}
    content = zlib.crc32(repr(sorted(properties.items())).encode())
    fields |= {"content_hash": content, **{key: value for key, value in given.items() if key not in properties}}
    return Event(properties=properties, **fields)

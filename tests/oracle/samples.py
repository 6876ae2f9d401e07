"""A small plan and ways to write records by hand, for the oracle's own tests."""

from __future__ import annotations

import json
from typing import Any

from tests.oracle.model import Event, Placed, Record
from tests.oracle.workspace import EventType, Source, Workspace

NOON = 1_790_000_000_000
PREFIX = "t."


def event_type(name: str, *names: str, fields: list[dict[str, Any]] | None = None, **more: Any) -> EventType:
    schema = {
        "type": "record",
        "namespace": "events",
        "name": name,
        "fields": [{"name": "meta", "type": "events.Meta"}, *(fields or [])],
    }
    given = {"origins": ("backend", "sdk"), "unplanned": "strip", "unique": (), "system": False, **more}
    return EventType(name, 1, names, schema=schema, **given)


def plan(**more: Any) -> Workspace:
    """Purchases with most kinds of field, a screen event that can be switched off, three sources."""
    bought = event_type(
        "Bought", "Bought", "Ordered", origins=("backend",), unique=("order",),
        fields=[
            {"name": "order", "type": ["null", "string"], "default": None},
            {"name": "amount", "type": "double", "minimum": 0, "maximum": 1000},
            {"name": "code", "type": ["null", "string"], "default": None, "pattern": "^[A-Z]+$"},
            {"name": "email", "type": ["null", "string"], "default": None, "pii": True},
        ],
    )  # fmt: skip
    seen = event_type("ScreenViewed", "Screen Viewed", system=True)
    moved = event_type(
        "Moved",
        "Moved",
        fields=[{"name": "extra", "type": {"type": "map", "values": "string"}, "default": {}}],
        unplanned="allow",
    )
    strict = event_type("Strict", "Strict", unplanned="dead-letter")
    sources = [
        Source("shop", "backend", ("raw.backend", "raw.own")),
        Source("app", "sdk", (), frozenset({"Screen Viewed"})),
        Source("web", "sdk"),
    ]
    made = Workspace(sources={one.id: one for one in sources}, **more)
    for one in (bought, seen, moved, strict):
        made.add(one)
    return made


def record(value: Any, topic: str = "raw.backend", **more: Any) -> Record:
    """A raw record; ``value`` is written as JSON unless it is bytes."""
    data = value if isinstance(value, bytes | None) else json.dumps(value).encode()
    given = {"topic_id": "AAAA", "partition": 0, "offset": 7, "timestamp": NOON, "key": None, **more}
    return Record(PREFIX + topic, value=data, **given)


def bought(**more: Any) -> dict[str, Any]:
    """A good purchase, changed by ``more``; a property is changed by its own name."""
    properties = {"order": "o-1", "amount": 10.0, **more.pop("properties", {})}
    return {"event": "Bought", "user_id": "u1", "event_id": "e1", "time": NOON, "properties": properties, **more}


def placed(offset: int, name: str = "A", user: str | None = "u1", **properties: Any) -> Placed:
    """An event in journal partition 0 whose id is e<offset> unless ``id`` is given."""
    made = properties.pop("id", f"e{offset}")
    anonymous = None if user else "anon"
    event = Event(name, 1, made, user, anonymous, NOON + offset, NOON + offset, "shop", "backend", properties)
    return Placed(event, 0, offset)

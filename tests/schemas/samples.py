"""Event schemas written by hand, and what judging came to."""

from __future__ import annotations

from typing import Any

from schemas.plan import EventSchema, parse_event_schema

META = {"name": "meta", "type": "events.Meta"}


def definition(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An event schema with these properties."""
    return {"type": "record", "namespace": "events", "name": "Bought", **more, "fields": [META, *fields]}


def schema(*fields: dict[str, Any], **more: Any) -> EventSchema:
    return parse_event_schema(definition(*fields, **more), 1000)


def field(name: str, kind: Any = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def optional(name: str, kind: Any = "string", **more: Any) -> dict[str, Any]:
    return field(name, ["null", kind], default=None, **more)

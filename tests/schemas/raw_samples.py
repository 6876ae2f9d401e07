"""A small plan with its sources and channels, and raw records by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from offerflow.catalog.view import Source
from schemas.channels import Channel
from schemas.plan import Plan, parse_event_schema
from schemas.step import Step
from tests.oracle import workspace
from tests.oracle.samples import NOON

PREFIX = "t."
TOPIC_ID = "cGxhbiBiIGlzIGhlcmU"
Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Raw:
    """A raw record as the Kafka client gives it."""

    data: bytes | None
    name: str = "raw.backend"
    headers_: Headers = ()
    at: int = 7
    time: int = NOON
    key_: bytes | None = field(default=b"whatever")

    def topic(self) -> str:
        return PREFIX + self.name

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.key_

    def value(self) -> bytes | None:
        return self.data

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self.headers_) or None

    def timestamp(self) -> tuple[int, int]:
        return (2, self.time)


def record_type(name: str, *names: str, fields: Sequence[dict[str, Any]] = (), **more: Any) -> dict[str, Any]:
    head = {"type": "record", "namespace": "events", "name": name, "event": list(names) or [name]}
    return {**head, **more, "fields": [{"name": "meta", "type": "events.Meta"}, *fields]}


TEXTS = {"type": "map", "values": "string"}
TIME = {"type": "long", "logicalType": "timestamp-millis"}
LINE = {"type": "record", "name": "Line", "fields": [
    {"name": "sku", "type": "string", "pattern": "^[a-z0-9-]*$"},
    {"name": "price", "type": ["null", "double"], "default": None, "minimum": 0},
    {"name": "for", "type": ["null", {"type": "record", "name": "Person", "fields": [
        {"name": "name", "type": ["null", "string"], "default": None, "pii": True},
        {"name": "age", "type": "int", "minimum": 0, "maximum": 150},
    ]}], "default": None},
    {"name": "note", "type": ["null", "string"], "default": None, "pii": True, "pattern": "^[A-Z]"},
]}  # fmt: skip
SCHEMAS = [
    record_type("Bought", "Bought", "Ordered", origins=["backend"], unique=["order"], fields=[
        {"name": "order", "type": ["null", "string"], "default": None},
        {"name": "amount", "type": "double", "minimum": 0, "maximum": 1000},
        {"name": "code", "type": ["null", "string"], "default": None, "pattern": "^[A-Z]+$"},
        {"name": "email", "type": ["null", "string"], "default": None, "pii": True},
    ]),
    record_type("ScreenViewed", "Screen Viewed", system=True, fields=[
        {"name": "name", "type": ["null", "string"], "default": None},
    ]),
    record_type("Identified", fields=[{"name": "extra", "type": TEXTS, "default": {}}], unplanned="allow"),
    record_type("Aliased", fields=[{"name": "previous_id", "type": "string"}]),
    record_type("Moved", fields=[
        {"name": "to", "type": {"type": "record", "name": "Place", "fields": [{"name": "city", "type": "string"}]}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 0},
        {"name": "tags", "type": {"type": "array", "items": ["null", "long"]}, "default": []},
        {"name": "scores", "type": {"type": "map", "values": "float"}, "default": {}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["FAST", "SLOW"]}, "default": "FAST"},
        {"name": "count", "type": "int", "default": 0},
        {"name": "sure", "type": ["boolean", "string"], "default": False},
    ]),
    record_type("Strict", unplanned="dead-letter", fields=[{"name": "n", "type": "long", "default": 1}]),
    record_type("Rich", "Rich One", fields=[
        {"name": "lines", "type": {"type": "array", "items": LINE}, "default": []},
        {"name": "either", "type": ["null", "int", "string", "double"], "default": None},
        {"name": "notes", "type": {"type": "map", "values": ["null", "string"]}, "default": {}},
        {"name": "plan", "type": ["null", "string"], "default": None, "origins": ["backend"], "pattern": "^[a-z]"},
        {"name": "level", "type": "int", "default": 3, "origins": ["backend", "integration"]},
        {"name": "at", "type": ["null", TIME], "default": None},
        {"name": "score", "type": "float", "default": 0},
    ]),
    record_type("Rich", "Rich Two", version=2, origins=["backend", "sdk"], fields=[
        {"name": "lines", "type": {"type": "array", "items": LINE}, "default": []},
        {"name": "either", "type": ["null", "int", "string", "double"], "default": None, "pii": True},
        {"name": "key", "type": ["null", "string"], "default": None},
    ], unique=["key"]),
]  # fmt: skip
GONE = record_type("Gone", "Gone by", fields=[])
"""A schema that was in force once, with the id behind those of SCHEMAS."""
SOURCES = [
    Source("shop", "backend", ("raw.backend", "raw.own")), Source("till", "backend", ("raw.own",)),
    Source("app", "sdk", (), {"Screen Viewed": False}), Source("web", "sdk", ("raw.sdk",)),
]  # fmt: skip
CHANNELS: dict[str, str] = {
    "raw.backend": "backend",
    "raw.own": "backend",
    "raw.sdk": "sdk",
    "raw.integration": "integration",
}


def a_step(schema_ids: Callable[[int], int | None] | None = None) -> Step:
    """The plan with schema ids from 1000, in the order of SCHEMAS."""
    parsed = [parse_event_schema(one, 1000 + at) for at, one in enumerate([*SCHEMAS, GONE])]
    plan = Plan(parsed[:-1], parsed[-1:])
    channels = {PREFIX + name: Channel(name, "again", None, None) for name in ("raw.replay", "raw.import")}
    for name, origin in CHANNELS.items():
        declared = [source.id for source in SOURCES if name in source.topics]
        channels[PREFIX + name] = Channel(name, TOPIC_ID, origin, declared[0] if len(declared) == 1 else None)
    return Step(plan, {source.id: source for source in SOURCES}, channels, schema_ids)


def oracle_plan() -> workspace.Workspace:
    """The same plan as the oracle has it."""
    found = workspace.Workspace(topic_ids={PREFIX + name: TOPIC_ID for name in CHANNELS})
    for at, one in enumerate(SCHEMAS):
        made = workspace.EventType(
            one["name"], one.get("version", 1), tuple(one["event"]),
            tuple(one.get("origins", ("sdk", "backend", "integration"))), one.get("unplanned", "strip"),
            tuple(one.get("unique", ())), one.get("system", False), one,
        )  # fmt: skip
        found.add(made)
        found.ids[1000 + at] = made
    for source in SOURCES:
        off = frozenset(name for name, on in source.system_events.items() if not on)
        found.sources[source.id] = workspace.Source(source.id, source.origin, source.topics, off)
    return found


def envelope(**more: Any) -> dict[str, Any]:
    """A good purchase, changed by ``more``."""
    good = {"event": "Bought", "user_id": "u1", "event_id": "e1", "time": NOON, "source": "shop"}
    return {**good, "properties": {"order": "o-1", "amount": 10}, **more}


def raw(value: Any = None, name: str = "raw.backend", **more: Any) -> Raw:
    """A record of this envelope; bytes go as they are."""
    data = value if isinstance(value, bytes) else json.dumps(envelope() if value is None else value).encode()
    return Raw(data, name, **more)

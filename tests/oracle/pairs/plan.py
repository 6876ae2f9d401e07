"""Event plans, and the one that the pairs live in."""

from __future__ import annotations

from typing import Any

from tests.oracle.workspace import EventType


def _field(name: str, kind: Any, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "type": kind} if required else {"name": name, "type": ["null", kind], "default": None}


def _schema(name: str, *fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    meta = {"name": "meta", "type": "events.Meta"}
    return {"type": "record", "namespace": "events", "name": name, "fields": [meta, *fields], **more}


_TIME = {"type": "long", "logicalType": "timestamp-millis"}
LOOSE = [_field("x", "double"), _field("n", "long"), _field("s", "string"), _field("b", "boolean"), _field("at", _TIME)]
SCHEMAS = [
    _schema("Bought", _field("order", "string", required=True), _field("no", "int", required=True),
            _field("amount", "double", required=True), *LOOSE, event=["Bought", "Ordered"]),
    _schema("Refunded", _field("order", "string", required=True), *LOOSE,
            reverses={"event": "Bought", "by": "order"}),
    _schema("Opened", _field("cart", "string"), *LOOSE),
    _schema("Closed", _field("cart", "string"), *LOOSE),
    _schema("Paid", _field("key", "string", required=True), _field("amount", "double", required=True), *LOOSE,
            unique=["key"]),
    _schema("Seen", *LOOSE, system=True),
    _schema("Identified", _field("plan", "string"), _field("score", "long"), _field("vip", "boolean"),
            _field("joined", _TIME)),
]  # fmt: skip


class EventPlan:
    """``schemas`` as people write them; ``types`` as the oracle has them, by every name."""

    def __init__(self, schemas: list[dict[str, Any]]) -> None:
        self.schemas = schemas
        self.types: dict[str, EventType] = {}
        for one in schemas:
            names = tuple(one.get("event", [one["name"]]))
            made = EventType(one["name"], 1, names, ("backend",), "strip", tuple(one.get("unique", ())),
                             bool(one.get("system")), one)  # fmt: skip
            self.types |= dict.fromkeys(names, made)


PLAN = EventPlan(SCHEMAS)
NUMBERS = {"Bought": ("amount", "x", "n", "no"), "Paid": ("amount", "x", "n"), "Identified": ("score",)}
KEYS = {"Bought": ("order", "no"), "Paid": ("key",), "Refunded": ("order",)}

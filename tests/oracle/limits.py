"""What the plan says beyond types: bounds, patterns, who may set what, keys that must be there, what is not kept."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from tests.oracle.shape import TIMES, Branch, bare, fit
from tests.oracle.workspace import EventType

Field = dict[str, Any]


def not_finite(fields: list[Field], tree: dict[str, Any]) -> str | None:
    """The first number that is none, or time that is no time: what Avro can carry and JSON cannot."""
    for one, schema, value in _leaves(fields, tree):
        logical = schema.get("logicalType") if isinstance(schema, dict) else None
        if isinstance(value, float) and not math.isfinite(value):
            return f"{one['name']} is {value}"
        if logical == "timestamp-millis" and value not in TIMES:
            return f"{one['name']} is {value}, which is in no year of the calendar"
    return None


def broken(planned: EventType, tree: dict[str, Any], set_: set[str], origin: str) -> str | None:
    """The first rule that is broken. ``set_``: the properties that came; what a default filled in sets nothing."""
    for one, _, value in _leaves(planned.fields, tree):
        if ("minimum" in one and value < one["minimum"]) or ("maximum" in one and value > one["maximum"]):
            return f"{one['name']} is out of range"
        if "pattern" in one and not re.search(one["pattern"], value):
            return f"{one['name']} does not match"
    for one in planned.fields:
        value = bare(tree[one["name"]])
        if one["name"] not in set_ or value is None or origin in one.get("origins", (origin,)):
            continue
        if value != bare(fit(one["default"], one["type"], one["name"])):
            return f"{one['name']} is not for {origin} to set"
    for name in planned.unique:
        if name not in set_ or bare(tree[name]) is None:
            return f"{name} is part of the unique key and absent"
    return None


def kept(fields: list[Field], tree: dict[str, Any]) -> dict[str, Any]:
    """The tree as the journal carries it: pii as null, at any depth."""
    return {one["name"]: _hidden(one["type"]) if one.get("pii") else _kept(one["type"], tree[one["name"]])
            for one in fields}  # fmt: skip


def _hidden(union: list[Any]) -> Branch:
    return Branch(union.index("null"), None)


def _kept(schema: Any, value: Any) -> Any:
    if isinstance(schema, list):
        return Branch(value.index, _kept(schema[value.index], value.value))
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(kind, dict | list):
        return _kept(kind, value)
    if kind == "record":
        return kept(schema["fields"], value)
    if kind == "array":
        return [_kept(schema["items"], item) for item in value]
    return {key: _kept(schema["values"], item) for key, item in value.items()} if kind == "map" else value


def _leaves(fields: list[Field], tree: dict[str, Any]) -> Iterator[tuple[Field, Any, Any]]:
    """Every value that is no null, with its type and the field whose rules it is under."""
    for one in fields:
        yield from _leaves_of(one, one["type"], tree[one["name"]])


def _leaves_of(one: Field, schema: Any, value: Any) -> Iterator[tuple[Field, Any, Any]]:
    if isinstance(value, Branch):
        yield from _leaves_of(one, schema[value.index], value.value)
        return
    kind = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(kind, dict | list):
        yield from _leaves_of(one, kind, value)
    elif kind == "record":
        yield from _leaves(schema["fields"], value)
    elif kind in ("array", "map"):
        inner = schema["items" if kind == "array" else "values"]
        for item in value if kind == "array" else value.values():
            yield from _leaves_of({"name": one["name"]}, inner, item)
    elif value is not None:
        yield one, schema, value

"""Properties against one event schema: the bytes that the journal carries, or the first violation.

The whole type check comes before the first rule of the plan, so that the reason of a dead letter does not depend on
the order of fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from schemas.plan import EventSchema, Field
from schemas.values import MISSING
from schemas.violations import Violation

Properties = dict[str, Any]


def judge(
    schema: EventSchema, properties: Properties, stripped: Callable[[int], None], origin: str | None = None
) -> bytes:
    """The properties in Avro, pii as null. Raises Violation.

    ``stripped`` is told how many unplanned properties were left out, if any. ``origin`` is that of the source; without
    it nobody asks which fields it may set.
    """
    if properties and not schema.known.issuperset(properties):
        properties = _planned(schema, properties, stripped)
    get = properties.get
    parts = []
    for field in schema.fields:
        value = get(field.name, MISSING)
        if value is not MISSING:
            parts.append(field.encode(value, field.name))
        elif field.default is not None:
            parts.append(field.default)
        else:
            raise Violation(field.name, "a value, since the property is required", "nothing")
    for field in schema.checked:
        value = get(field.name)
        if value is not None and field.check is not None:
            field.check(value, field.name)
    for field in schema.reserved:
        value = get(field.name)
        if value is None or origin is None:
            continue
        if field.null is not None or field.encode(value, field.name) != field.default:
            refuse_origin(field, origin)
    for name in schema.unique:
        if get(name) is None:
            raise no_key(name)
    return b"".join(parts)


def refuse_origin(field: Field, origin: str) -> None:
    """Raises Violation if sources of ``origin`` may not set the field."""
    if field.origins is not None and origin not in field.origins:
        allowed = " or ".join(sorted(field.origins))
        raise Violation(field.name, f"a value from {allowed} only", f"one from {origin}", of_plan=True)


def no_key(name: str) -> Violation:
    """What is wrong with an event that lacks a part of what makes it unique."""
    return Violation(name, "a value, since it is part of the unique key", "null", of_plan=True)


def _planned(schema: EventSchema, properties: Properties, stripped: Callable[[int], None]) -> Properties:
    """The properties after the schema's policy for those it does not have."""
    names = [name for name in properties if name not in schema.known]
    if schema.unplanned == "dead-letter":
        raise Violation(names[0], "only planned properties", "an unplanned property")
    planned = {name: value for name, value in properties.items() if name in schema.known}
    if schema.unplanned == "strip":
        stripped(len(names))
        return planned
    extra = planned.get("extra")
    if not isinstance(extra, dict | None):
        return planned  # of a wrong type, which its encoder will say
    kept = {name: _text(properties[name]) for name in names}
    return {**planned, "extra": {**(extra or {}), **kept}}


def _text(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except OverflowError:
        # An integer of more than 64 bits, which JSON and Python know and the encoder does not.
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

"""Properties against one event schema: the bytes that the journal carries, or the first violation.

The whole type check comes before the first rule of the plan, so that the reason of a dead letter does not depend on
the order of fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from schemas.plan import EventSchema, Field
from schemas.values import MISSING
from schemas.violations import Violation

Properties = dict[str, Any]


def judge(schema: EventSchema, properties: Properties, stripped: Callable[[int], None]) -> bytes:
    """The properties in Avro, pii as null. Raises Violation.

    ``stripped`` is told how many unplanned properties were left out, if any.
    """
    if properties and not schema.known.issuperset(properties):
        properties = _planned(schema, properties, stripped)
    get = properties.get
    parts = []
    for field in schema.fields:
        value = get(field.name, MISSING)
        if value is not MISSING:
            parts.append(field.encode(value, field.name) if field.null is None else _hidden(field, value))
        elif field.default is not None:
            parts.append(field.default)
        else:
            raise Violation(field.name, "a value, since the property is required", "nothing")
    for field in schema.checked:
        value = get(field.name)
        if value is not None and field.check is not None:
            field.check(value)
    for name in schema.unique:
        if get(name) is None:
            raise Violation(name, "a value, since it is part of the unique key", "null", of_plan=True)
    return b"".join(parts)


def _hidden(field: Field, value: Any) -> bytes:
    """Null for a pii value, which is judged like any other but shown nowhere."""
    try:
        field.encode(value, field.name)
    except Violation as violation:
        # Not the path inside it either: the keys of a map are its value too.
        raise Violation(field.name, violation.expected, "a value that is not shown (pii)") from None
    assert field.null is not None  # noqa: S101 - the caller asked
    return field.null


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
    kept = {name: msgspec.json.encode(properties[name]).decode() for name in names}
    return {**planned, "extra": {**(extra or {}), **kept}}

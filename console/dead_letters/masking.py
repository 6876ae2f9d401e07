"""Hides what the event plan calls personal. By name and at any depth, since what is dead may have it anywhere: of an
event of another name, beside its properties, in a context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.plan import Plan

HIDDEN = "(pii, hidden)"
CHANGED = "(pii, hidden, changed)"
_MISSING = object()


def pii_names(plan: Plan) -> frozenset[str]:
    """Names of properties that some version of some event type marks as pii."""
    return frozenset(
        field["name"] for schema in plan.by_id.values() for field in schema.definition["fields"][1:] if field.get("pii")
    )


def mask(value: Any, names: frozenset[str], before: Any = _MISSING) -> Any:
    """``value`` with every member of these ``names`` hidden, null aside. Against ``before``, it says what changed."""
    if isinstance(value, Mapping):
        return {name: _member(name, item, names, before) for name, item in value.items()}
    if isinstance(value, list):
        return [mask(item, names, _at(before, place)) for place, item in enumerate(value)]
    return value


def _member(name: str, value: Any, names: frozenset[str], before: Any) -> Any:
    was = before.get(name, _MISSING) if isinstance(before, Mapping) else _MISSING
    if name not in names:
        return mask(value, names, was)
    if value is None:
        return None
    return HIDDEN if before is _MISSING or was == value else CHANGED


def _at(before: Any, place: int) -> Any:
    return before[place] if isinstance(before, list) and place < len(before) else _MISSING

"""What senders of an event may no longer do under a newer version: where the contract got narrower."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from console.workspace.differences import shown
from schemas.type_names import type_name

_WIDER = {
    "int": {"int", "long", "float", "double"},
    "long": {"long", "float", "double"},
    "float": {"float", "double"},
    "double": {"double"},
}
"""Types that take every JSON number which the first one takes."""


def narrowed(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each thing that was accepted (or kept) and is not any more."""
    was, will = ({field["name"]: field for field in schema["fields"][1:]} for schema in (old, new))
    closed = new.get("unplanned", "strip")
    for name in was:
        if name not in will and closed != "allow":
            yield f"{name} is no longer planned: {_unplanned(closed, 'it')}"
    for name, field in will.items():
        if name in was:
            yield from _field(was[name], field)
        elif "default" not in field:
            yield f"{name} is required: events without it become dead letters (schema_violation)"
    order = ("allow", "strip", "dead-letter")
    before = old.get("unplanned", "strip")
    if order.index(closed) > order.index(before):
        yield f"properties that are not planned: {_unplanned(closed, 'them')}"
    for name in new.get("unique", ()):
        if name not in old.get("unique", ()) and "null" in _branches(will[name]["type"]):
            yield f"{name} is part of the unique key: events without it become dead letters (rule_of_plan_violation)"


def _unplanned(rule: str, what: str) -> str:
    return {
        "strip": "stripped and counted",
        "dead-letter": f"events that carry {what} become dead letters (schema_violation)",
    }[rule]


def _field(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    name = new["name"]
    if "default" in old and "default" not in new:
        yield f"{name} is required: events without it become dead letters (schema_violation)"
    if not accepts(new["type"], old["type"]):
        text = f"{name} is {type_name(new['type'])} instead of {type_name(old['type'])}"
        if _symbols(old["type"]) - _symbols(new["type"]):
            text = f"{name} no longer takes {', '.join(sorted(_symbols(old['type']) - _symbols(new['type'])))}"
        yield f"{text}: other values become dead letters (schema_violation)"
    for bound, tighter in (("minimum", 1), ("maximum", -1)):
        low, high = old.get(bound), new.get(bound)
        if high is not None and (low is None or (high - low) * tighter > 0):
            yield f"{bound} of {name} is {shown(high)}: values beyond it become dead letters (rule_of_plan_violation)"
    if new.get("pattern") not in (None, old.get("pattern")):
        yield f"{name} must match {new['pattern']}: other values become dead letters (rule_of_plan_violation)"


def accepts(new: Any, old: Any) -> bool:
    """Whether every JSON value that fits the type ``old`` fits ``new``."""
    return all(any(_one(mine, theirs) for mine in _branches(new)) for theirs in _branches(old))


def _branches(schema: Any) -> list[Any]:
    return schema if isinstance(schema, list) else [schema]


def _one(new: Any, old: Any) -> bool:
    if new == old:
        return True
    mine, theirs = _kind(new), _kind(old)
    if mine in _WIDER and theirs in _WIDER:
        return mine in _WIDER[theirs] and not (_logical(new) and not _logical(old))
    if theirs == "enum" and mine == "string":
        return True
    if mine != theirs or mine is None:
        return False
    if mine == "enum":
        return _symbols(old) <= _symbols(new)
    if mine in ("array", "map"):
        inner = "items" if mine == "array" else "values"
        return accepts(new[inner], old[inner])
    if mine == "record":
        was, will = ({field["name"]: field for field in schema["fields"]} for schema in (old, new))
        return all(
            accepts(field["type"], was[name]["type"]) and ("default" in field or "default" not in was[name])
            if name in was else "default" in field
            for name, field in will.items()
        )  # fmt: skip
    return bool(_logical(new) == _logical(old))


def _kind(schema: Any) -> str | None:
    kind = schema.get("type") if isinstance(schema, dict) else schema
    return kind if isinstance(kind, str) else None


def _logical(schema: Any) -> Any:
    return schema.get("logicalType") if isinstance(schema, dict) else None


def _symbols(schema: Any) -> set[str]:
    return {symbol for branch in _branches(schema) if _kind(branch) == "enum" and isinstance(branch, dict)
            for symbol in branch["symbols"]}  # fmt: skip

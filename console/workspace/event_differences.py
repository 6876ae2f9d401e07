"""What changed between two versions of an event schema, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from console.workspace.differences import ABSENT, Detail, detail, shown
from schemas.plan import ORIGINS
from schemas.type_names import type_name

_FIELD_ATTRIBUTES = ("default", "minimum", "maximum", "pattern", "pii", "unit", "origins", "aliases", "doc", "order")
_RECORD_FIRST = ("event", "origins", "unplanned", "unique", "system", "owner", "compatibility", "doc")


def field_text(field: Mapping[str, Any]) -> str:
    """A field in one phrase: ``coupon (null or string, default null, pattern "^[A-Z]+$")``."""
    words = [type_name(field["type"])]
    for attribute in ("default", "minimum", "maximum", "pattern", "unit"):
        if attribute in field:
            words.append(f"{attribute} {shown(field[attribute])}")
    if field.get("pii"):
        words.append("pii")
    return f"{field['name']} ({', '.join(words)})"


def event_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Detail]:
    """Attributes of the record first, then fields in the order of ``after``; the version itself is left out."""
    found: list[Detail] = []
    keys = [*before, *(key for key in after if key not in before)]
    attributes = [*_RECORD_FIRST, *(key for key in keys if key not in _RECORD_FIRST)]
    for key in attributes:
        if key not in ("fields", "version") and (key in before or key in after):
            old, new = (_attribute(schema, key) for schema in (before, after))
            if old != new:
                found.append(detail(key, old, new))
    found += _fields(before["fields"], after["fields"], "")
    return found


def _attribute(schema: Mapping[str, Any], key: str) -> Any:
    """With the default where there is one, so that spelling it out is no change."""
    if key == "event":
        names = schema.get("event", [schema["name"]])
        return [names] if isinstance(names, str) else names
    defaults = {"origins": list(ORIGINS), "unplanned": "strip", "system": False, "unique": [], "namespace": "events"}
    return schema.get(key, defaults.get(key, ABSENT))


def _fields(before: list[dict[str, Any]], after: list[dict[str, Any]], path: str) -> Iterator[Detail]:
    old, new = ({field["name"]: field for field in fields} for fields in (before, after))
    for name, field in new.items():
        place = f"{path}{name}"
        if name not in old:
            yield Detail("add", place, f"field {path}{field_text(field)}", None, field)
        elif old[name] != field:
            yield from _field(old[name], field, place)
    for name, field in old.items():
        if name not in new:
            yield Detail("remove", f"{path}{name}", f"field {path}{field_text(field)}", field, None)
    kept = [[name for name in one if name in other and name != "meta"] for one, other in ((old, new), (new, old))]
    if kept[0] != kept[1]:
        yield Detail("change", path or "fields", f"order of fields: {', '.join(kept[1])}", *kept)


def _field(before: dict[str, Any], after: dict[str, Any], place: str) -> Iterator[Detail]:
    yield from _type(before["type"], after["type"], place)
    for attribute in _FIELD_ATTRIBUTES:
        old, new = before.get(attribute, ABSENT), after.get(attribute, ABSENT)
        if old is not new and old != new:
            one = detail(attribute, old, new)
            yield Detail(one.action, f"{place}.{attribute}", f"field {place}: {one.text}", one.before, one.after)


def _type(before: Any, after: Any, place: str) -> Iterator[Detail]:
    """Inside records, lists and enums of one name what differs in them; otherwise the whole type."""
    if before == after:
        return
    old, new = _alone(before), _alone(after)
    if type_name(before) == type_name(after) or _outer(before) == _outer(after):
        if isinstance(old, dict) and isinstance(new, dict) and old.get("type") == new.get("type"):
            if old["type"] == "record":
                yield from _fields(old["fields"], new["fields"], f"{place}.")
                return
            if old["type"] == "enum" and old.get("name") == new.get("name"):
                yield from _symbols(old, new, place)
                return
            for inside, mark in (("items", "[]"), ("values", "{}")):
                if inside in old and inside in new:
                    yield from _type(old[inside], new[inside], f"{place}{mark}")
                    return
        words = shown(before), shown(after)
    else:
        words = type_name(before), type_name(after)
    yield Detail("change", f"{place}.type", f"field {place}: {words[0]} -> {words[1]}", before, after)


def _symbols(before: dict[str, Any], after: dict[str, Any], place: str) -> Iterator[Detail]:
    old, new = before["symbols"], after["symbols"]
    for symbol in new:
        if symbol not in old:
            yield Detail("add", f"{place}.symbols", f"field {place}: symbol {symbol}", None, symbol)
    for symbol in old:
        if symbol not in new:
            yield Detail("remove", f"{place}.symbols", f"field {place}: symbol {symbol}", symbol, None)
    if sorted(old) == sorted(new) and old != new:
        yield detail(f"{place}.symbols", old, new)
    if before.get("default") != after.get("default"):
        yield detail(f"{place}.symbols default", before.get("default", ABSENT), after.get("default", ABSENT))


def _outer(schema: Any) -> Any:
    """The shape around what may differ inside: which branches are null, which complex type, and its name."""
    if isinstance(schema, list):
        return [_outer(branch) for branch in schema]
    if isinstance(schema, dict) and schema.get("type") in ("record", "enum", "array", "map"):
        return (schema["type"], schema.get("name"))
    return type_name(schema)


def _alone(schema: Any) -> Any:
    """The one branch of a union that is not null, or the type itself."""
    if isinstance(schema, list):
        others = [branch for branch in schema if branch != "null"]
        return others[0] if len(others) == 1 else schema
    return schema

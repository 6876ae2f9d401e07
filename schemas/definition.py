"""What the file of an event schema may say. A definition that cannot work is refused here, when it is applied, so that
judging an event never fails for a reason of ours.

What an attribute means is in docs/formats.md, Event schemas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import re2

from offerflow.rules.nearest import did_you_mean
from schemas.bounds import NUMBERS, bare_type, quiet
from schemas.codec import META_NAME, ORIGINS
from schemas.values import is_name

UNPLANNED = ("strip", "dead-letter", "allow")
LEVELS = (
    "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE", "NONE",
)  # fmt: skip
"""Compatibility levels, as Confluent's registry names them."""
DEFAULT_LEVEL = "FULL_TRANSITIVE"

_RECORD_KEYS = {
    "type", "namespace", "name", "doc", "version", "event", "origins", "owner", "system", "unplanned", "unique",
    "reverses", "compatibility", "fields", "aliases",
}  # fmt: skip
_INNER_KEYS = {"name", "type", "doc", "default", "aliases", "order", "minimum", "maximum", "pattern", "pii", "unit"}
_FIELD_KEYS = _INNER_KEYS | {"origins"}
_NOT_YET = {"unique_for": "the window of unique keys"}
_TEXTS = {"type": "map", "values": "string"}
_EXTRA = (_TEXTS, ["null", _TEXTS], [_TEXTS, "null"])
_TYPES = (
    "string", "int", "long", "float", "double", "boolean", "null", "bytes", "enum", "array", "map", "record", "fixed",
)  # fmt: skip

Path = tuple[str | int, ...]
Wrong = Callable[[Path, str], None]


def level_of(definition: Mapping[str, Any]) -> str:
    """The compatibility level an event schema is held to: the one it states, else the default."""
    return str(definition.get("compatibility", DEFAULT_LEVEL))


def problems_of(definition: Any) -> list[tuple[Path, str]]:
    """What is wrong with a parsed ``.avsc`` file, as (path in it, message). Types are judged by who compiles them."""
    problems: list[tuple[Path, str]] = []

    def wrong(path: Path, message: str) -> None:
        problems.append((path, message))

    if not isinstance(definition, dict) or definition.get("type") != "record":
        wrong((), "expected an Avro record schema")
        return problems
    _check_attributes(definition, wrong)
    fields = definition.get("fields")
    if not isinstance(fields, list) or not all(isinstance(f, dict) and isinstance(f.get("name"), str) for f in fields):
        wrong(("fields",), "expected a list of fields, each with a name and a type")
    elif not fields or fields[0].get("name") != "meta" or fields[0].get("type") != META_NAME:
        wrong(("fields", 0), 'expected {"name": "meta", "type": "events.Meta"} as the first field')
    else:
        _check_fields(definition, fields, wrong)
    return problems


def _check_attributes(definition: dict[str, Any], wrong: Wrong) -> None:
    for key in definition:
        if key not in _RECORD_KEYS:
            wrong((key,), _unknown(key, _RECORD_KEYS))
    if not is_name(definition.get("name")):
        wrong(("name",), "expected the record's name, such as PurchaseCompleted: letters, digits and '_'")
    if definition.get("namespace", "events") != "events":
        wrong(("namespace",), 'expected "events"')
    version = definition.get("version", 1)
    if type(version) is not int or version < 1:
        wrong(("version",), f"expected a whole number from 1, got {version!r}")
    names = definition.get("event", [definition.get("name")])
    if (
        not isinstance(names, list | str)
        or not names
        or not all(isinstance(n, str) and 0 < len(n) <= 200 for n in names)
    ):
        wrong(("event",), "expected the list of names that arrive, the display name first")
    _check_origins(definition, (), wrong)
    if definition.get("unplanned", "strip") not in UNPLANNED:
        wrong(("unplanned",), f"expected one of {', '.join(UNPLANNED)}")
    if definition.get("compatibility", "NONE") not in LEVELS:
        wrong(("compatibility",), f"expected one of {', '.join(LEVELS)}")
    if type(definition.get("system", False)) is not bool:
        wrong(("system",), "expected true or false")


def _check_origins(holder: dict[str, Any], path: Path, wrong: Wrong) -> None:
    origins = holder.get("origins", list(ORIGINS))
    if not isinstance(origins, list) or not origins or not all(origin in ORIGINS for origin in origins):
        wrong((*path, "origins"), f"expected some of {', '.join(ORIGINS)}")


def _check_fields(definition: dict[str, Any], fields: list[dict[str, Any]], wrong: Wrong) -> None:
    names = [field["name"] for field in fields]
    for at, field in enumerate(fields[1:], start=1):
        if field["name"] in names[:at]:
            wrong(("fields", at, "name"), f"field {field['name']!r} is there twice")
        elif not is_name(field["name"]):
            wrong(("fields", at, "name"), f"{field['name']!r} is no Avro name: letters, digits and '_', no digit first")
        _check_field(field, ("fields", at), _FIELD_KEYS, wrong)
        _check_origins(field, ("fields", at), wrong)
        if "origins" in field and "default" not in field:
            wrong(
                ("fields", at, "origins"),
                "a field that only some origins may set needs a default, or others could not send the event",
            )
    by_name = {field["name"]: field for field in fields[1:]}
    unique = definition.get("unique", [])
    if not isinstance(unique, list) or not all(isinstance(name, str) for name in unique):
        wrong(("unique",), "expected a list of field names")
        return
    for at, name in enumerate(unique):
        if name not in by_name:
            wrong(("unique", at), f"there is no field {name!r}{did_you_mean(name, by_name)}")
        elif by_name[name].get("pii"):
            wrong(("unique", at), f"{name!r} is marked pii and never reaches the journal")
    _check_reverses(definition, by_name, wrong)
    if definition.get("unplanned") == "allow" and by_name.get("extra", {}).get("type") not in _EXTRA:
        wrong(("unplanned",), 'allow needs a field "extra" of type {"type": "map", "values": "string"}')


def _check_reverses(definition: dict[str, Any], by_name: dict[str, dict[str, Any]], wrong: Wrong) -> None:
    """As far as the event itself can tell; what it reverses is looked at when the whole plan is known."""
    declared = definition.get("reverses")
    if declared is None:
        return
    expected = 'expected {"event": "Purchase Completed", "by": "order_id"}'
    if not isinstance(declared, dict) or not all(isinstance(declared.get(key), str) for key in ("event", "by")):
        wrong(("reverses",), expected)
        return
    for key in declared:
        if key not in ("event", "by"):
            wrong(("reverses", key), f"unknown key {key!r}; {expected}")
    by = declared["by"]
    if by not in by_name:
        wrong(("reverses", "by"), f"there is no field {by!r}{did_you_mean(by, by_name)}")
    elif by_name[by].get("pii"):
        wrong(("reverses", "by"), f"{by!r} is marked pii and never reaches the journal")
    elif bare_type(by_name[by].get("type")) not in ("string", "int", "long", "enum", "float", "double"):
        wrong(("reverses", "by"), f"{by!r} is no string and no number")


def _check_field(field: dict[str, Any], path: Path, known: set[str], wrong: Wrong) -> None:
    if "type" not in field:
        wrong(path, f"field {field['name']!r} has no type")
        return
    bare = bare_type(field["type"])
    if isinstance(bare, str) and "." not in bare and bare[:1].islower() and bare not in _TYPES:
        wrong((*path, "type"), f"there is no type {bare!r}{did_you_mean(bare, _TYPES)}")
        return
    for key in field:
        if key not in known:
            wrong((*path, key), _unknown(key, known))
    _check_bounds(field, bare, path, wrong)
    if field.get("pii") and not (isinstance(field["type"], list) and "null" in field["type"]):
        wrong((*path, "pii"), "a pii field must be nullable, since the journal carries null for it")
    elif field.get("pii") and field.get("default") is not None:
        wrong((*path, "default"), "the default of a pii field is null, since nothing else reaches the journal")
    for where, inner in _inner_fields(field["type"], (*path, "type")):
        if isinstance(inner.get("name"), str):
            _check_field(inner, where, _INNER_KEYS, wrong)


def _check_bounds(field: dict[str, Any], bare: Any, path: Path, wrong: Wrong) -> None:
    for key in ("minimum", "maximum"):
        if key in field and (bare not in NUMBERS or not _is_number(field[key])):
            wrong((*path, key), f"{key} is a number and belongs to a field that is one")
    low, high = field.get("minimum"), field.get("maximum")
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        wrong((*path, "minimum"), f"minimum {low} is above maximum {high}, so nothing could pass")
    if "pattern" not in field:
        return
    if bare != "string" or not isinstance(field["pattern"], str):
        wrong((*path, "pattern"), "pattern is an RE2 expression and belongs to a string")
        return
    try:
        re2.compile(field["pattern"], quiet())
    except re2.error as error:
        said = error.args[0] if error.args else error
        why = said.decode(errors="replace") if isinstance(said, bytes) else said
        wrong((*path, "pattern"), f"is not an RE2 expression: {why}")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _unknown(key: str, known: set[str]) -> str:
    said = f"not supported yet: {_NOT_YET[key]}" if key in _NOT_YET else f"unknown attribute {key!r}"
    return said + did_you_mean(key, known)


def _inner_fields(schema: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The fields of the records that a type holds, not those of records inside them."""
    if isinstance(schema, list):
        for at, branch in enumerate(schema):
            yield from _inner_fields(branch, (*path, at))
    elif isinstance(schema, dict):
        fields = schema.get("fields")
        for at, field in enumerate(fields if isinstance(fields, list) else ()):
            if isinstance(field, dict):
                yield (*path, "fields", at), field
        for key in ("type", "items", "values"):
            if isinstance(schema.get(key), dict | list):
                yield from _inner_fields(schema[key], (*path, key))

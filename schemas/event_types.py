"""What the rules need to know of planned events: kinds of properties, what is always there, what reverses what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from offerflow.rules.events import EventType, Kind, PropertyType, Reverses
from offerflow.rules.nearest import did_you_mean
from schemas.bounds import NUMBERS
from schemas.definition import Path

TRAITS = ("Identified", "User Updated")
"""Names of the events whose properties are traits."""

_KEYS = (Kind.STRING, Kind.ENUM, Kind.NUMBER, Kind.TIME, Kind.ANY)

Schema = Any
"""An ``EventSchema``; not named here since its module asks this one."""


def event_types(newest: Mapping[str, Schema], others: Iterable[Schema]) -> list[EventType]:
    """The types of the ``newest`` schemas by record name. What is not required in one of the ``others``, older versions
    that may still arrive, may be missing."""
    optional: dict[str, set[str]] = {}
    for schema in others:
        always = {name for name, planned in properties_of(schema).items() if planned.required}
        for name in properties_of(newest[schema.name]) if schema.name in newest else ():
            if name not in always:
                optional.setdefault(schema.name, set()).add(name)
    by_name = {name: schema for schema in newest.values() for name in schema.names}
    reversed_by: dict[str, set[str]] = {}
    reverses: dict[str, Reverses] = {}
    for schema in newest.values():
        declared = schema.definition.get("reverses")
        target = by_name.get(declared["event"]) if declared else None
        if declared and target is not None:
            reverses[schema.name] = Reverses(target.name, declared["by"])
            reversed_by.setdefault(target.name, set()).add(declared["by"])
    found = []
    for _, schema in sorted(newest.items()):
        missing = optional.get(schema.name, set())
        properties = {name: replace(planned, required=False) if name in missing else planned
                      for name, planned in properties_of(schema).items()}  # fmt: skip
        found.append(
            EventType(
                schema.name,
                schema.names,
                properties,
                schema.unique,
                schema.system,
                any(name in TRAITS for name in schema.names),
                reverses.get(schema.name),
                frozenset(reversed_by.get(schema.name, ())),
            )
        )
    return found


def reversal_problems(newest: Mapping[str, Schema]) -> Iterator[tuple[Schema, Path, str]]:
    """What is wrong with ``reverses`` as far as the whole plan must be known for it: (schema, path, message)."""
    by_name = {name: schema for schema in newest.values() for name in schema.names}
    for _, schema in sorted(newest.items()):
        declared = schema.definition.get("reverses")
        if not declared:
            continue
        event, by = declared["event"], declared["by"]
        target = by_name.get(event)
        if target is None:
            yield schema, ("reverses", "event"), f"the event plan has no event {event!r}{did_you_mean(event, by_name)}"
            continue
        if target is schema:
            yield schema, ("reverses", "event"), "an event cannot reverse its own kind; expected another event"
            continue
        mine, its = properties_of(schema).get(by), properties_of(target).get(by)
        if its is None:
            hint = did_you_mean(by, properties_of(target)) or f"; it has {', '.join(sorted(properties_of(target)))}"
            yield schema, ("reverses", "by"), f"{event} has no property {by!r}{hint}"
        elif its.pii:
            yield schema, ("reverses", "by"), f"{by} of {event} is marked pii and never reaches the rules"
        elif mine is not None and its.kind not in _KEYS:
            yield schema, ("reverses", "by"), f"{by} of {event} is {its.kind.said}; expected a string or a number"
        elif mine is not None and Kind.ANY not in (mine.kind, its.kind) and _plain(mine) is not _plain(its):
            message = f"{by} is {mine.kind.said} here and {its.kind.said} in {event}, which are never the same"
            yield schema, ("reverses", "by"), message


def properties_of(schema: Schema) -> dict[str, PropertyType]:
    """The planned properties of one version, ``meta`` left out."""
    return {field["name"]: property_type(field) for field in schema.definition["fields"][1:]}


def property_type(field: Mapping[str, Any], pii: bool = False) -> PropertyType:
    """What a field's type and the rules beside it mean."""
    pii = pii or bool(field.get("pii"))
    found = _of_type(field["type"], pii)
    if found.kind is Kind.NUMBER:
        found = replace(found, minimum=field.get("minimum"), maximum=field.get("maximum"))
    elif found.kind is Kind.STRING:
        found = replace(found, pattern=field.get("pattern"))
    return found


def _of_type(schema: Any, pii: bool) -> PropertyType:
    if isinstance(schema, list):
        others = [branch for branch in schema if branch != "null"]
        found = _of_type(others[0], pii) if len(others) == 1 else PropertyType(Kind.ANY, pii=pii)
        return replace(found, required=found.required and len(others) == len(schema))
    if isinstance(schema, dict) and schema.get("logicalType") == "timestamp-millis":
        return PropertyType(Kind.TIME, pii=pii, required=True)
    name = schema["type"] if isinstance(schema, dict) else schema
    if isinstance(name, dict | list):
        return _of_type(name, pii)
    if name in NUMBERS:
        return PropertyType(Kind.NUMBER, pii=pii, integer=name in ("int", "long"), required=True)
    if name == "enum":
        return PropertyType(Kind.ENUM, symbols=tuple(schema["symbols"]), pii=pii, required=True)
    if name == "record":
        fields = {field["name"]: property_type(field, pii) for field in schema["fields"]}
        return PropertyType(Kind.RECORD, fields=fields, pii=pii, required=True)
    kinds = {"string": Kind.STRING, "boolean": Kind.BOOLEAN, "array": Kind.LIST, "map": Kind.MAP}
    return PropertyType(kinds.get(name, Kind.ANY), pii=pii, required=name in kinds)


def _plain(planned: PropertyType) -> Kind:
    return Kind.STRING if planned.kind is Kind.ENUM else planned.kind

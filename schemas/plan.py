"""The event plan: one Avro record schema per event type and version, with the plan's attributes beside it.

What an attribute means is in docs/formats.md, Event schemas.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fastavro
from fastavro.schema import SchemaParseException

from offerflow.rules.events import EventType
from offerflow.rules.nearest import Nearest
from schemas.bounds import Check, check_of
from schemas.codec import ORIGINS, inlined
from schemas.definition import Path, level_of, problems_of
from schemas.envelope import MAX_DEPTH
from schemas.event_types import event_types
from schemas.reading import takes_nothing
from schemas.values import Encode, encoder, field_encoder, is_name
from schemas.violations import Violation

__all__ = ["ORIGINS", "EventSchema", "Field", "Plan", "SchemaProblems", "load_event_schema", "parse_event_schema"]


class SchemaProblems(ValueError):
    """``problems``: what is wrong with an event schema, as (path in the file, message)."""

    def __init__(self, problems: list[tuple[Path, str]]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, path))}: {message}" for path, message in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Field:
    """One planned property, ready to encode. ``default``: the bytes of its default, None if it is required.
    ``check`` judges a value of the right type against the rules of the plan, None if it has none. ``null``: the bytes
    that stand for it in the journal if it is pii, None otherwise. ``origins``: those that may set it, None for all."""

    name: str
    encode: Encode
    default: bytes | None
    check: Check | None
    null: bytes | None
    origins: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class EventSchema:
    """One version of an event type, ready to judge properties. ``checked`` are the fields with rules, ``reserved``
    those that only some origins may set; ``definition`` is the schema as it was written."""

    id: int
    name: str
    version: int
    names: tuple[str, ...]
    origins: frozenset[str]
    system: bool
    unplanned: str
    unique: tuple[str, ...]
    fields: tuple[Field, ...]
    checked: tuple[Field, ...]
    reserved: tuple[Field, ...]
    known: frozenset[str]
    compatibility: str
    definition: dict[str, Any]

    @property
    def key(self) -> str:
        """Where the catalog keeps it, such as ``event/PurchaseCompleted@1``."""
        return f"event/{self.name}@{self.version}"

    def event_type(self) -> EventType:
        """What the rules need to know of it by itself; what it reverses, and what reverses it, the whole plan knows."""
        return event_types({self.name: self}, ())[0]


def parse_event_schema(definition: Any, schema_id: int) -> EventSchema:
    """The schema of a parsed ``.avsc`` file. Raises SchemaProblems with everything that is wrong."""
    problems = problems_of(definition)
    if problems:
        raise SchemaProblems(problems)
    for at, field in enumerate(definition["fields"][1:], start=1):
        try:
            _check_type(field["type"])
            _field(field, closed=False)
            _check_default(field)
        except ValueError as error:
            problems.append((("fields", at), str(error)))
    problems = problems or list(_avro_problems(definition))
    if problems:
        raise SchemaProblems(problems)
    return load_event_schema(definition, schema_id)


def load_event_schema(definition: dict[str, Any], schema_id: int) -> EventSchema:
    """A schema that was applied once. It is not judged again: what a later version of this program would refuse is in
    the journal all the same, and must go on being read."""
    names = definition.get("event", [definition["name"]])
    closed = definition.get("unplanned") == "dead-letter"
    fields = [_field(field, closed) for field in definition["fields"][1:]]
    return EventSchema(
        id=schema_id,
        name=definition["name"],
        version=definition.get("version", 1),
        names=tuple([names] if isinstance(names, str) else names),
        origins=frozenset(definition.get("origins", ORIGINS)),
        system=definition.get("system", False),
        unplanned=definition.get("unplanned", "strip"),
        unique=tuple(definition.get("unique", ())),
        fields=tuple(fields),
        checked=tuple(field for field in fields if field.check is not None),
        reserved=tuple(field for field in fields if field.origins is not None),
        known=frozenset(field.name for field in fields),
        compatibility=level_of(definition),
        definition=definition,
    )


class Plan:
    """Every schema by id, those in force apart, and the newest version of each event type by the names that arrive."""

    def __init__(self, current: Iterable[EventSchema], others: Iterable[EventSchema] = ()) -> None:
        """``others`` are known by id only: what the journal may hold but no longer arrives."""
        current = list(current)
        self.by_id: Mapping[int, EventSchema] = {schema.id: schema for schema in (*others, *current)}
        self.in_force: Mapping[int, EventSchema] = {schema.id: schema for schema in current}
        newest: dict[str, EventSchema] = {}
        for schema in current:
            if schema.name not in newest or newest[schema.name].version < schema.version:
                newest[schema.name] = schema
        self._nearest: Nearest | None = None
        self.newest: Mapping[str, EventSchema] = newest
        self.by_name: Mapping[str, EventSchema] = {
            name: schema for schema in sorted(newest.values(), key=lambda s: s.name) for name in schema.names
        }

    def event_types(self) -> list[EventType]:
        """What the rules are checked against."""
        return event_types(self.newest, self.in_force.values())

    def nearest(self, name: str) -> str:
        """What to say behind an unknown name: the planned one that is most like it, if any is."""
        if self._nearest is None:
            self._nearest = Nearest(self.by_name)
        return self._nearest(name)


def _avro_problems(definition: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """What parsers of Avro refuse: of each field alone, to tell the place, then of the whole."""
    from schemas.apache import refusal  # only whoever applies a schema needs Apache's parser

    alone = {"type": "record", "name": definition["name"]}
    found = False
    for at, field in enumerate(definition["fields"][1:], start=1):
        why = refusal({**alone, "fields": [field]})
        if why is not None:
            found = True
            yield ("fields", at), f"is not a valid Avro type: {why}"
    if found:
        return
    why = refusal(definition)
    try:
        fastavro.parse_schema(inlined(definition))
    except (SchemaParseException, ValueError, TypeError, KeyError) as error:
        why = why or str(error)
    if why is not None:
        yield (), f"is not a valid Avro schema: {why}"


def _field(field: dict[str, Any], closed: bool) -> Field:
    """Raises ValueError if the type or the default cannot be."""
    encode = field_encoder(field, closed=closed)
    try:
        default = encode(field["default"], field["name"]) if "default" in field else None
    except Violation as violation:
        raise ValueError(f"the default does not fit the type: {violation}") from None
    null = encode(None, field["name"]) if field.get("pii") else None
    origins = frozenset(field["origins"]) if "origins" in field else None
    return Field(field["name"], encode, default, check_of(field, closed), null, origins)


def _check_default(field: dict[str, Any]) -> None:
    """Avro takes the default of a union for its first branch, and readers in other languages insist on it."""
    if "default" not in field:
        return
    try:
        if isinstance(field["type"], list) and field["type"]:
            encoder(field["type"][0])(field["default"], field["name"])
    except Violation as violation:
        raise ValueError(f"the default must fit the first branch of the union: {violation}") from None
    check = check_of(field, closed=False)
    try:
        if check is not None:
            check(field["default"], field["name"])
    except Violation as violation:
        raise ValueError(f"the default breaks a rule of its own field: {violation}") from None


def _check_type(schema: Any, level: int = 1) -> None:
    """Refuses what a record of a few bytes could make endless, and what no event could fill."""
    if level > MAX_DEPTH:
        raise ValueError(f"a type is nested deeper than {MAX_DEPTH} levels, which no event may be")
    for branch in schema if isinstance(schema, list) else [schema]:
        if not isinstance(branch, dict):
            continue
        if branch.get("type") == "enum" and branch.get("symbols") == []:
            raise ValueError("an enum without symbols, which no value fits: expected at least one")
        if branch.get("type") == "array" and takes_nothing(branch.get("items")):
            raise ValueError("the items of an array must take up bytes, so not null nor records of nothing but nulls")
        fields = branch.get("fields")
        for field in fields if isinstance(fields, list) else ():
            if isinstance(field, dict) and "type" in field and is_name(field.get("name")):
                _field(field, closed=False)
                _check_default(field)
        inner = [branch.get("items"), branch.get("values")]
        inner += [f.get("type") for f in fields if isinstance(f, dict)] if isinstance(fields, list) else []
        for one in inner:
            _check_type(one, level + 1)
        if isinstance(branch.get("type"), dict | list):
            _check_type(branch["type"], level)

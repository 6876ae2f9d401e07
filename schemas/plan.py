"""The event plan: one Avro record schema per event type and version, with the plan's attributes beside it.

What an attribute means is in docs/formats.md, Event schema. A definition that cannot work is refused here, when it is
applied, so that judging an event never fails for a reason of ours.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fastavro
import re2
from fastavro.schema import SchemaParseException

from offerflow.rules.events import EventType, Kind, PropertyType
from offerflow.rules.nearest import did_you_mean
from schemas.codec import META
from schemas.values import Encode, encoder, is_name
from schemas.violations import Violation, show

ORIGINS = ("sdk", "backend", "integration")
UNPLANNED = ("strip", "dead-letter", "allow")
_RECORD_KEYS = {
    "type", "namespace", "name", "doc", "version", "event", "origins", "owner", "system", "unplanned", "unique",
    "fields", "aliases",
}  # fmt: skip
_FIELD_KEYS = {"name", "type", "doc", "default", "aliases", "order", "minimum", "maximum", "pattern", "pii", "unit"}
_NOT_YET = {"origins": "origins of a field", "unique_for": "the window of unique keys"}
_TEXTS = {"type": "map", "values": "string"}
_EXTRA = (_TEXTS, ["null", _TEXTS], [_TEXTS, "null"])
_TYPES = (
    "string",
    "int",
    "long",
    "float",
    "double",
    "boolean",
    "null",
    "bytes",
    "enum",
    "array",
    "map",
    "record",
    "fixed",
)
_TOP_ONLY = ("pii", "minimum", "maximum", "pattern", "origins")
_NUMBERS = {"int", "long", "float", "double"}

Path = tuple[str | int, ...]


class SchemaProblems(ValueError):
    """``problems``: what is wrong with an event schema, as (path in the file, message)."""

    def __init__(self, problems: list[tuple[Path, str]]) -> None:
        super().__init__("; ".join(f"{'.'.join(map(str, path))}: {message}" for path, message in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Field:
    """One planned property, ready to encode. ``default``: the bytes of its default, None if it is required.
    ``check`` judges a value of the right type against the rules of the plan, None if it has none. ``null``: the bytes
    that stand for it in the journal if it is pii, None otherwise."""

    name: str
    encode: Encode
    default: bytes | None
    check: Callable[[Any], None] | None
    null: bytes | None


@dataclass(frozen=True, slots=True)
class EventSchema:
    """One version of an event type, ready to judge properties. ``definition`` is the schema as it was written."""

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
    known: frozenset[str]
    definition: dict[str, Any]

    @property
    def key(self) -> str:
        """Where the catalog keeps it, such as ``event/PurchaseCompleted@1``."""
        return f"event/{self.name}@{self.version}"

    def event_type(self) -> EventType:
        """What the rules need to know of it."""
        properties = {
            field["name"]: _property_type(field["type"], bool(field.get("pii")))
            for field in self.definition["fields"][1:]
        }
        return EventType(self.name, self.names, properties, self.unique)


def parse_event_schema(definition: Any, schema_id: int) -> EventSchema:
    """The schema of a parsed ``.avsc`` file. Raises SchemaProblems with everything that is wrong."""
    problems: list[tuple[Path, str]] = []
    _check_record(definition, problems)
    if problems:
        raise SchemaProblems(problems)
    for at, field in enumerate(definition["fields"][1:], start=1):
        try:
            _field(field, closed=False)
            _check_default(field)
        except ValueError as error:
            problems.append((("fields", at), str(error)))
    if not problems:
        try:
            fastavro.parse_schema(_with_meta(definition))
        except (SchemaParseException, ValueError, TypeError, KeyError) as error:
            problems.append(((), f"is not a valid Avro schema: {error}"))
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
        known=frozenset(field.name for field in fields),
        definition=definition,
    )


class Plan:
    """Every schema by id, and the newest version of each event type by the names that arrive."""

    def __init__(self, current: Iterable[EventSchema], others: Iterable[EventSchema] = ()) -> None:
        """``others`` are known by id only: what the journal may hold but no longer arrives."""
        current = list(current)
        self.by_id: Mapping[int, EventSchema] = {schema.id: schema for schema in (*others, *current)}
        newest: dict[str, EventSchema] = {}
        for schema in current:
            if schema.name not in newest or newest[schema.name].version < schema.version:
                newest[schema.name] = schema
        self.newest: Mapping[str, EventSchema] = newest
        self.by_name: Mapping[str, EventSchema] = {
            name: schema for schema in sorted(newest.values(), key=lambda s: s.name) for name in schema.names
        }

    def event_types(self) -> list[EventType]:
        """What the rules are checked against."""
        return [schema.event_type() for _, schema in sorted(self.newest.items())]

    def nearest(self, name: str) -> str:
        return did_you_mean(name, self.by_name)


def _with_meta(definition: dict[str, Any]) -> dict[str, Any]:
    whole = copy.deepcopy(definition)
    whole["fields"][0]["type"] = copy.deepcopy(META)
    return whole


def _check_record(definition: Any, problems: list[tuple[Path, str]]) -> None:
    def wrong(path: Path, message: str) -> None:
        problems.append((path, message))

    if not isinstance(definition, dict) or definition.get("type") != "record":
        wrong((), "expected an Avro record schema")
        return
    for key in definition:
        if key not in _RECORD_KEYS:
            known = f"not supported yet: {_NOT_YET[key]}" if key in _NOT_YET else f"unknown attribute {key!r}"
            wrong((key,), known + did_you_mean(key, _RECORD_KEYS))
    if not is_name(definition.get("name")):
        wrong(("name",), "expected the record's name, such as PurchaseCompleted: letters, digits and '_'")
    if definition.get("namespace", "events") != "events":
        wrong(("namespace",), 'expected "events"')
    version = definition.get("version", 1)
    if type(version) is not int or version < 1:
        wrong(("version",), "expected a whole number from 1")
    names = definition.get("event", [definition.get("name")])
    if (
        not isinstance(names, list | str)
        or not names
        or not all(isinstance(n, str) and 0 < len(n) <= 200 for n in names)
    ):
        wrong(("event",), "expected the list of names that arrive, the display name first")
    origins = definition.get("origins", list(ORIGINS))
    if not isinstance(origins, list) or not origins or not all(origin in ORIGINS for origin in origins):
        wrong(("origins",), f"expected some of {', '.join(ORIGINS)}")
    if definition.get("unplanned", "strip") not in UNPLANNED:
        wrong(("unplanned",), f"expected one of {', '.join(UNPLANNED)}")
    if type(definition.get("system", False)) is not bool:
        wrong(("system",), "expected true or false")
    fields = definition.get("fields")
    if not isinstance(fields, list) or not all(isinstance(f, dict) and isinstance(f.get("name"), str) for f in fields):
        wrong(("fields",), "expected a list of fields, each with a name and a type")
        return
    if not fields or fields[0].get("name") != "meta" or fields[0].get("type") != "events.Meta":
        wrong(("fields", 0), 'expected {"name": "meta", "type": "events.Meta"} as the first field')
        return
    names = [field["name"] for field in fields]
    for at, field in enumerate(fields[1:], start=1):
        if field["name"] in names[:at]:
            wrong(("fields", at, "name"), f"field {field['name']!r} is there twice")
        elif not is_name(field["name"]):
            wrong(("fields", at, "name"), f"{field['name']!r} is no Avro name: letters, digits and '_', no digit first")
        _check_field(field, ("fields", at), wrong)
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
    if definition.get("unplanned") == "allow" and by_name.get("extra", {}).get("type") not in _EXTRA:
        wrong(("unplanned",), 'allow needs a field "extra" of type {"type": "map", "values": "string"}')


def _check_field(field: dict[str, Any], path: Path, wrong: Callable[[Path, str], None]) -> None:
    if "type" not in field:
        wrong(path, f"field {field['name']!r} has no type")
        return
    bare = _bare(field["type"])
    if isinstance(bare, str) and "." not in bare and bare[:1].islower() and bare not in _TYPES:
        wrong((*path, "type"), f"there is no type {bare!r}{did_you_mean(bare, _TYPES)}")
        return
    for key in field:
        if key not in _FIELD_KEYS:
            known = f"not supported yet: {_NOT_YET[key]}" if key in _NOT_YET else f"unknown attribute {key!r}"
            wrong((*path, key), known + did_you_mean(key, _FIELD_KEYS))
    for inner in _inner_fields(field["type"]):
        for key in _TOP_ONLY:
            if key in inner:
                wrong(
                    (*path, "type"), f"not supported yet: {key} on a field ({inner.get('name')!r}) of a nested record"
                )
    for key in ("minimum", "maximum"):
        if key in field and (bare not in _NUMBERS or type(field[key]) not in (int, float)):
            wrong((*path, key), f"{key} is a number and belongs to a field that is one")
    low, high = field.get("minimum"), field.get("maximum")
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        wrong((*path, "minimum"), f"minimum {low} is above maximum {high}, so nothing could pass")
    if "pattern" in field:
        if bare != "string" or not isinstance(field["pattern"], str):
            wrong((*path, "pattern"), "pattern is an RE2 expression and belongs to a string")
        else:
            try:
                re2.compile(field["pattern"], _quiet())
            except re2.error as error:
                said = error.args[0] if error.args else error
                why = said.decode(errors="replace") if isinstance(said, bytes) else said
                wrong((*path, "pattern"), f"is not an RE2 expression: {why}")
    if field.get("pii") and not (isinstance(field["type"], list) and "null" in field["type"]):
        wrong((*path, "pii"), "a pii field must be nullable, since the journal carries null for it")


def _inner_fields(schema: Any) -> Iterator[dict[str, Any]]:
    """Every field of every record inside a type."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _inner_fields(branch)
    elif isinstance(schema, dict):
        fields = schema.get("fields")
        for field in fields if isinstance(fields, list) else ():
            if isinstance(field, dict):
                yield field
                yield from _inner_fields(field.get("type"))
        for key in ("type", "items", "values"):
            if isinstance(schema.get(key), dict | list):
                yield from _inner_fields(schema[key])


def _quiet() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


def _bare(schema: Any) -> Any:
    """The name of the type behind an optional one."""
    if isinstance(schema, list):
        others = [branch for branch in schema if branch != "null"]
        return _bare(others[0]) if len(others) == 1 else None
    if isinstance(schema, dict):
        inner = schema.get("type")
        return inner if inner in _COMPLEX else _bare(inner)
    return schema


_COMPLEX = ("record", "enum", "array", "map", "fixed")


def _field(field: dict[str, Any], closed: bool) -> Field:
    """Raises ValueError if the type or the default cannot be."""
    encode = encoder(field["type"], closed=closed)
    try:
        default = encode(field["default"], field["name"]) if "default" in field else None
    except Violation as violation:
        raise ValueError(f"the default does not fit the type: {violation}") from None
    null = encode(None, field["name"]) if field.get("pii") else None
    return Field(field["name"], encode, default, _checker(field), null)


def _check_default(field: dict[str, Any]) -> None:
    """Avro takes the default of a union for its first branch, and readers in other languages insist on it."""
    if isinstance(field["type"], list) and field["type"] and "default" in field:
        try:
            encoder(field["type"][0])(field["default"], field["name"])
        except Violation as violation:
            raise ValueError(f"the default must fit the first branch of the union: {violation}") from None


def _checker(field: dict[str, Any]) -> Callable[[Any], None] | None:
    name, low, high = field["name"], field.get("minimum"), field.get("maximum")
    pattern = re2.compile(field["pattern"], _quiet()) if "pattern" in field else None
    hide = bool(field.get("pii"))
    if low is None and high is None and pattern is None:
        return None

    def check(value: Any) -> None:
        if value is None:
            return
        expected = None
        if low is not None and value < low:
            expected = f"at least {low}"
        elif high is not None and value > high:
            expected = f"at most {high}"
        elif pattern is not None and not pattern.search(value):
            expected = f"a match of {field['pattern']}"
        if expected is not None:
            raise Violation(name, expected, "a value that is not shown (pii)" if hide else show(value), of_plan=True)

    return check


def _property_type(schema: Any, pii: bool) -> PropertyType:
    if isinstance(schema, list):
        others = [branch for branch in schema if branch != "null"]
        return _property_type(others[0], pii) if len(others) == 1 else PropertyType(Kind.ANY, pii=pii)
    if isinstance(schema, dict) and schema.get("logicalType") == "timestamp-millis":
        return PropertyType(Kind.TIME, pii=pii)
    name = schema["type"] if isinstance(schema, dict) else schema
    if name in _NUMBERS:
        return PropertyType(Kind.NUMBER, pii=pii)
    if name == "enum":
        return PropertyType(Kind.ENUM, symbols=tuple(schema["symbols"]), pii=pii)
    if name == "record":
        fields = {field["name"]: _property_type(field["type"], False) for field in schema["fields"]}
        return PropertyType(Kind.RECORD, fields=fields, pii=pii)
    kinds = {"string": Kind.STRING, "boolean": Kind.BOOLEAN, "array": Kind.LIST, "map": Kind.MAP}
    return PropertyType(kinds.get(name, Kind.ANY), pii=pii)

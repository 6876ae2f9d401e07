"""Event schemas when they are applied: what is refused, in which words, and what the plan knows afterwards."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offerflow.rules.events import EventType, Kind, PropertyType
from schemas.plan import Plan, SchemaProblems, load_event_schema, parse_event_schema
from tests.schemas import strategies
from tests.schemas.samples import META, definition, field, optional, schema


def problems(written: Any) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(SchemaProblems) as raised:
        parse_event_schema(written, 1000)
    assert all(message in str(raised.value) for _, message in raised.value.problems)
    return raised.value.problems


ENUM = {"type": "enum", "name": "K", "symbols": ["A", "B"]}
MAP = {"type": "map", "values": "int"}
NESTED = ("fields", 1, "type", "fields", 0, "minimum")


def inner(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": list(fields)}


def deep(levels: int) -> Any:
    kind: Any = "int"
    for _ in range(levels):
        kind = {"type": "array", "items": kind}
    return kind


@pytest.mark.parametrize(
    ("written", "path", "words"),
    [
        ("Bought", (), "expected an Avro record schema"),
        ({"type": "enum"}, (), "expected an Avro record schema"),
        ({**definition(), "name": 5, "event": ["A"]}, ("name",), "expected the record's name"),
        ({**definition(), "namespace": "mine"}, ("namespace",), 'expected "events"'),
        ({**definition(), "origin": ["sdk"]}, ("origin",), "unknown attribute 'origin'; did you mean 'origins'"),
        ({**definition(), "unique_for": "90d"}, ("unique_for",), "not supported yet"),
        ({**definition(), "version": 0}, ("version",), "a whole number from 1"),
        ({**definition(), "version": "1"}, ("version",), "a whole number from 1"),
        ({**definition(), "version": True}, ("version",), "a whole number from 1"),
        ({**definition(), "event": []}, ("event",), "list of names"),
        ({**definition(), "event": ["A", 5]}, ("event",), "list of names"),
        ({**definition(), "event": [""]}, ("event",), "list of names"),
        ({**definition(), "event": {"a": 1}}, ("event",), "list of names"),
        ({**definition(), "origins": ["server"]}, ("origins",), "sdk, backend, integration"),
        ({**definition(), "origins": []}, ("origins",), "sdk, backend, integration"),
        ({**definition(), "origins": "sdk"}, ("origins",), "sdk, backend, integration"),
        ({**definition(), "unplanned": "keep"}, ("unplanned",), "strip, dead-letter, allow"),
        ({**definition(), "unplanned": "allow"}, ("unplanned",), 'a field "extra"'),
        (definition(optional("extra"), unplanned="allow"), ("unplanned",), 'a field "extra"'),
        (definition(field("extra", {"type": "map", "values": "int"}), unplanned="allow"), ("unplanned",), '"string"'),
        ({**definition(), "system": "yes"}, ("system",), "true or false"),
        ({**definition(), "fields": {}}, ("fields",), "a list of fields"),
        ({**definition(), "fields": ["a"]}, ("fields",), "a list of fields"),
        ({**definition(), "fields": [META, {"type": "int"}]}, ("fields",), "each with a name"),
        ({**definition(), "fields": []}, ("fields", 0), "events.Meta"),
        ({**definition(), "fields": [field("a"), META]}, ("fields", 0), "events.Meta"),
        ({**definition(), "fields": [{"name": "meta", "type": "string"}]}, ("fields", 0), "events.Meta"),
        (definition({"name": "a"}), ("fields", 1), "'a' has no type"),
        (definition(field("a", minimun=1)), ("fields", 1, "minimun"), "did you mean 'minimum'"),
        (definition(field("a", origins=["sdk"])), ("fields", 1, "origins"), "needs a default"),
        (definition(optional("a", origins=["server"])), ("fields", 1, "origins"), "sdk, backend, integration"),
        (definition(optional("a", origins=[])), ("fields", 1, "origins"), "sdk, backend, integration"),
        ({**definition(), "compatibility": "full"}, ("compatibility",), "FULL_TRANSITIVE, NONE"),
        (definition(field("a", inner(field("n", minimum=1)))), NESTED, "belongs to a field that is one"),
        (definition(field("a", inner(field("n", "int", minimum=3, maximum=2)))), NESTED, "above maximum 2"),
        (definition(field("a", inner(field("n", "int", minimun=3)))), (*NESTED[:-1], "minimun"), "mean 'minimum'"),
        (definition(field("a", inner(field("n", "int", origins=["sdk"])))), (*NESTED[:-1], "origins"), "unknown"),
        (definition(field("a", inner(field("n", pii=True)))), (*NESTED[:-1], "pii"), "must be nullable"),
        (definition(field("a", inner(field("n", pattern="(")))), (*NESTED[:-1], "pattern"), "not an RE2"),
        (definition(field("a", inner(field("n", "int", default="x")))), ("fields", 1), "the default does not fit"),
        (definition(field("a", "int", default=0, minimum=1)), ("fields", 1), "the default breaks a rule of its own"),
        (
            definition(field("a", inner(field("n", "int", default=0, minimum=1)))), ("fields", 1),
            "the default breaks a rule of its own",
        ),
        (definition(field("a", ["string", "null"], default="x", pii=True)), ("fields", 1, "default"), "is null"),
        (definition(field("a", {"type": "array", "items": "null"})), ("fields", 1), "must take up bytes"),
        (definition(field("a", {"type": "array", "items": inner(field("n", "null"))})), ("fields", 1), "take up bytes"),
        (definition(field("a", deep(17))), ("fields", 1), "nested deeper than 16 levels"),
        (definition(field("a", minimum=1)), ("fields", 1, "minimum"), "belongs to a field that is one"),
        (definition(field("a", "int", maximum="5")), ("fields", 1, "maximum"), "is a number"),
        (definition(field("a", "int", maximum=True)), ("fields", 1, "maximum"), "is a number"),
        (definition(field("a", "int", pattern="x")), ("fields", 1, "pattern"), "belongs to a string"),
        (definition(field("a", pattern="(")), ("fields", 1, "pattern"), "is not an RE2 expression"),
        (definition(field("a", pattern="(?=x)")), ("fields", 1, "pattern"), "is not an RE2 expression"),
        (definition(field("a", pii=True)), ("fields", 1, "pii"), "must be nullable"),
        (definition(field("a"), unique=["b"]), ("unique", 0), "no field 'b'"),
        (definition(field("order_id"), unique=["order"]), ("unique", 0), "did you mean 'order_id'"),
        (definition(optional("a", pii=True), unique=["a"]), ("unique", 0), "pii"),
        (definition(field("a"), unique="a"), ("unique",), "list of field names"),
        (definition(field("a"), field("b", "bytes")), ("fields", 2), "cannot have the type 'bytes'"),
        (definition(field("a", "Currency")), ("fields", 1), "cannot have the type 'Currency'"),
        (definition(field("a", {"type": "string", "logicalType": "uuid"})), ("fields", 1), "not supported yet"),
        (definition(field("a", {"type": "enum", "name": "K"})), ("fields", 1), "expected symbols"),
        (definition(field("a", {"type": "array"})), ("fields", 1), "expected items"),
        (definition(field("a", {})), ("fields", 1), "cannot have the type"),
        (definition(field("a", "int", default="x")), ("fields", 1), "the default does not fit"),
        (definition(field("a", ENUM, default="C")), ("fields", 1), "one of A, B"),
        (definition(field("a", ENUM), field("b", ENUM)), (), "not a valid Avro schema"),
        ({**definition(), "name": "Bought it"}, ("name",), "letters, digits"),
        (definition(field("a"), field("a")), ("fields", 2, "name"), "'a' is there twice"),
        (definition(field("meta")), ("fields", 1, "name"), "'meta' is there twice"),
        (definition(field("1a")), ("fields", 1, "name"), "no Avro name"),
        (definition(field("größe")), ("fields", 1, "name"), "no Avro name"),
        (definition(field("r", {"type": "record", "name": "R", "fields": [field("a b")]})), ("fields", 1), "a name"),
        (definition(field("a", {**ENUM, "name": "1 K"})), ("fields", 1), "expected a name"),
        (definition(field("a", {**ENUM, "symbols": ["A B"]})), ("fields", 1), "not a valid Avro type"),
        (definition(field("a", {**ENUM, "symbols": []})), ("fields", 1), "without symbols"),
        (definition(field("a", {"type": "array", "items": {**ENUM, "symbols": []}})), ("fields", 1), "without symbols"),
        (definition(field("a", ["string", "string"])), ("fields", 1), "string type already in Union"),
        (definition(field("a"), field("b", ["null", "int", "null"])), ("fields", 2), "null type already in Union"),
        (definition(field("a", ["null", MAP, MAP])), ("fields", 1), "map type already in Union"),
        (definition(field("a", ["null", strategies.TIME, "long"])), ("fields", 1), "long type already in Union"),
        (definition(field("a", inner(field("n"), field("n", "int")))), ("fields", 1), "not a valid Avro type"),
        (definition(field("a", {**inner(field("n")), "namespace": "1 x"})), ("fields", 1), "1 x is not a valid Avro"),
        (definition(field("a", {**ENUM, "aliases": "L"})), ("fields", 1), "aliases are a list of names"),
        (definition(field("a", aliases=["b c"])), ("fields", 1), "aliases are a list of names"),
        (definition(field("a", order="sideways")), ("fields", 1), "order property sideways is not valid"),
        (definition(field("a"), aliases=[5]), (), "aliases are a list of names"),
        (definition(field("a", {**ENUM, "name": "Origin"})), (), "not a valid Avro schema"),
        (
            definition({"name": "a", "type": "int", "minimum": 9, "maximum": 6}), ("fields", 1, "minimum"),
            "above maximum 6",
        ),
        (
            definition({"name": "a", "type": ["null", "int"], "default": 7}), ("fields", 1),
            "must fit the first branch of the union",
        ),
    ],
)  # fmt: skip
def test_refused(written: Any, path: tuple[str | int, ...], words: str) -> None:
    """One mistake is one problem, at its path in the file."""
    ((where, message),) = problems(written)
    assert where == path
    assert words in message


def test_everything_wrong_is_told() -> None:
    """Three mistakes are three problems."""
    written = definition(field("a", minimum=1), field("b", pii=True), version=0)
    assert [path for path, _ in problems(written)] == [("version",), ("fields", 1, "minimum"), ("fields", 2, "pii")]


_pieces = st.sampled_from(
    ["record", "enum", "array", "map", "null", "string", "int", "long", "timestamp-millis", "events.Meta", "meta",
     "a", "A",
     "strip", "allow", "sdk", "(", True, False, None, 0, 1, 1.5, -1]
)  # fmt: skip
_keys = st.sampled_from(
    ["type", "name", "namespace", "fields", "items", "values", "symbols", "default", "logicalType", "event", "origins",
     "version", "unique", "unplanned", "system", "minimum", "pattern", "pii", "doc", "aliases", "order", "size"]
)  # fmt: skip
_written = st.recursive(
    _pieces, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4), max_leaves=8
)


@settings(deadline=None, max_examples=300)
@given(types=st.lists(_written, max_size=3), attributes=st.dictionaries(_keys, _written, max_size=2),
    on_field=st.dictionaries(
    _keys, _written, max_size=2
))  # fmt: skip
def test_any_schema(types: list[Any], attributes: dict[str, Any], on_field: dict[str, Any]) -> None:
    """Whatever JSON somebody writes, it is a schema or a list of problems, and never another exception."""
    fields = [{"name": f"f{at}", "type": kind, **on_field} for at, kind in enumerate(types)]
    written = {**definition(*fields), **attributes}
    found: list[Any] = []
    try:
        made = parse_event_schema(written, 1000)
    except SchemaProblems as error:
        found = error.problems
    else:
        assert json.dumps(made.definition)
        assert made.event_type().name == made.name
        return
    assert found
    assert all(message for _, message in found)


def test_defaults_of_a_schema() -> None:
    """What is left out: version 1, the record's name, every origin, strip, no system event."""
    made = schema(field("a"))
    assert (made.version, made.names, made.unplanned, made.system, made.unique) == (1, ("Bought",), "strip", False, ())
    assert made.origins == {"sdk", "backend", "integration"}
    assert made.key == "event/Bought@1"


def test_what_the_rules_learn() -> None:
    """Kinds of properties as expressions care for them, pii marked, symbols and nested fields told."""
    record = {"type": "record", "name": "R", "fields": [{"name": "city", "type": "string"}]}
    made = schema(
        field("s"), field("n", "int"), optional("x", "double"), field("b", "boolean"), field("k", ENUM),
        field("at", strategies.TIME), field("l", {"type": "array", "items": "int"}),
        field("m", {"type": "map", "values": "int"}), optional("r", record), optional("p", pii=True),
        field("u", ["int", "string"]), event=["Bought it", "Bought"], unique=["s"],
    )  # fmt: skip
    kinds = {
        "s": Kind.STRING, "n": Kind.NUMBER, "x": Kind.NUMBER, "b": Kind.BOOLEAN, "k": Kind.ENUM, "at": Kind.TIME,
        "l": Kind.LIST, "m": Kind.MAP, "r": Kind.RECORD, "p": Kind.STRING, "u": Kind.ANY,
    }  # fmt: skip
    learnt = made.event_type()
    assert {name: one.kind for name, one in learnt.properties.items()} == kinds
    assert learnt == EventType("Bought", ("Bought it", "Bought"), learnt.properties, ("s",))
    assert learnt.properties["k"].symbols == ("A", "B")
    assert learnt.properties["r"].fields == {"city": PropertyType(Kind.STRING, required=True)}
    assert [name for name, one in learnt.properties.items() if one.pii] == ["p"]


def test_a_plan_knows_the_newest_version_by_name_and_all_by_id() -> None:
    """Events arrive under the names of the newest version; the journal may hold any, gone ones too."""
    old = parse_event_schema(definition(field("a"), event=["Old", "Both"]), 1000)
    new = parse_event_schema(definition(field("a"), event=["Both"], version=2), 1005)
    gone = parse_event_schema({**definition(), "name": "Gone"}, 1001)
    plan = Plan([new, old], [gone])
    assert {name: one.id for name, one in plan.by_name.items()} == {"Both": 1005}
    assert sorted(plan.by_id) == [1000, 1001, 1005]
    assert [one.name for one in plan.event_types()] == ["Bought"]
    assert plan.nearest("both") == "; did you mean 'Both'?"
    assert plan.nearest("xyz") == ""


def test_what_was_applied_once_is_read_for_ever() -> None:
    """A schema that today's checks refuse, but that a catalog holds, still judges and reads its events."""
    for kind in ({"type": "array", "items": "null"}, {**ENUM, "symbols": []}, ["string", "string"]):
        written = definition({"name": "place", "type": kind})
        assert problems(written)
        loaded = load_event_schema(written, 1000)
        assert (loaded.key, loaded.known) == ("event/Bought@1", {"place"})

"""Properties against the plan: the bytes the journal carries, or the first thing that is wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import EventEncoder, event_reader
from schemas.judge import judge
from schemas.plan import EventSchema
from schemas.violations import Violation
from tests.schemas import strategies
from tests.schemas.samples import field, optional, schema


def accepted(planned: EventSchema, properties: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The properties as a reader of the journal gets them, and how many were stripped."""
    stripped: list[int] = []
    body = judge(planned, properties, stripped.append)
    value = EventEncoder(planned.id).encode("e", "u", None, 1, 2, "s", "sdk", body)
    read = event_reader(planned.definition, None)(value)
    return {key: read[key] for key in read if key != "meta"}, sum(stripped)


def refused(planned: EventSchema, properties: dict[str, Any]) -> Violation:
    with pytest.raises(Violation) as raised:
        judge(planned, properties, lambda _: None)
    return raised.value


def test_what_comes_is_what_is_kept() -> None:
    """Values of every kind, defaults for what is absent, null where null was said."""
    planned = schema(
        field("order", "string"), field("amount", "double"), optional("coupon"), field("n", "int", default=7),
        field("tags", {"type": "array", "items": "string"}, default=["x"]), optional("at", strategies.TIME),
    )  # fmt: skip
    properties = {"order": "o", "amount": 5, "coupon": None, "at": "1970-01-01T00:00:01Z"}
    expected = {"order": "o", "amount": 5.0, "coupon": None, "n": 7, "tags": ["x"], "at": 1000}
    assert accepted(planned, properties) == (expected, 0)


def test_order_of_properties_does_not_matter() -> None:
    """The same content has the same bytes, so it has the same content_hash."""
    planned = schema(field("a"), optional("b"), field("c", "int", default=1))
    bodies = {
        judge(planned, properties, lambda _: None)
        for properties in ({"a": "x", "b": "y"}, {"b": "y", "a": "x"}, {"b": "y", "a": "x", "c": 1.0, "z": 1})
    }
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("properties", "name", "expected", "got"),
    [
        ({"n": 1}, "s", "a value, since the property is required", "nothing"),
        ({"s": None, "n": 1}, "s", "a string", "null"),
        ({"s": "x", "n": "1"}, "n", "a whole number of Avro type int", 'string "1"'),
        ({"s": 5, "n": "1"}, "s", "a string", "integer 5"),
        ({"s": "x", "n": 1, "kind": "C"}, "kind", "one of A, B", 'string "C"'),
        ({"s": "x", "n": 1, "home": {"city": 5}}, "home.city", "a string", "integer 5"),
        ({"s": "x", "n": 1, "home": {}}, "home.city", "a value, since the field is required", "nothing"),
    ],
)
def test_wrong_types(properties: dict[str, Any], name: str, expected: str, got: str) -> None:
    """The first field in the order of the schema is named, with what was expected and what came."""
    enum = {"type": "enum", "name": "K", "symbols": ["A", "B"]}
    record = {"type": "record", "name": "H", "fields": [{"name": "city", "type": "string"}]}
    planned = schema(field("s"), field("n", "int"), optional("kind", enum), optional("home", record))
    violation = refused(planned, properties)
    assert (violation.field, violation.expected, violation.got, violation.of_plan) == (name, expected, got, False)


@pytest.mark.parametrize(
    ("properties", "name", "expected"),
    [
        ({"n": 0}, "n", "at least 1"), ({"n": 11}, "n", "at most 10"), ({"n": 0.0}, "n", "at least 1"),
        ({"x": -0.5}, "x", "at least -0.25"), ({"code": "abc"}, "code", "a match of ^[A-Z]+$"),
        ({"code": ""}, "code", "a match of ^[A-Z]+$"), ({"code": "A\n"}, "code", "a match of ^[A-Z]+$"),
    ],
)  # fmt: skip
def test_rules_of_the_plan(properties: dict[str, Any], name: str, expected: str) -> None:
    """Bounds are inclusive, patterns are searched for; what breaks them is told apart from a wrong type."""
    planned = schema(
        optional("n", "int", minimum=1, maximum=10), optional("x", "double", minimum=-0.25),
        optional("code", pattern="^[A-Z]+$"), optional("free", pattern="b"),
    )  # fmt: skip
    violation = refused(planned, properties)
    assert (violation.field, violation.expected, violation.of_plan) == (name, expected, True)
    fine = {"n": 10, "x": -0.25, "code": "AB", "free": "abc"}
    assert accepted(planned, fine)[0] == fine
    assert accepted(planned, {"n": 1.0})[0]["n"] == 1
    assert accepted(planned, {})[0] == dict.fromkeys(fine)


def test_types_come_before_rules() -> None:
    """A wrong type of the last field wins over a broken rule of the first, so the reason knows no order of fields."""
    planned = schema(field("a", "int", minimum=1), field("b", "int"), optional("c"), unique=["c"])
    assert refused(planned, {"a": 0, "b": "x"}).field == "b"
    assert refused(planned, {"a": 0}).field == "b"
    assert refused(planned, {"a": 0, "b": 1}).field == "a"
    violation = refused(planned, {"a": 1, "b": 1})
    assert (violation.field, violation.of_plan) == ("c", True)
    assert "unique key" in violation.expected


@pytest.mark.parametrize("properties", [{}, {"key": None}])
def test_the_unique_key_must_be_there(properties: dict[str, Any]) -> None:
    """An absent part of the key would make all such events one fact."""
    violation = refused(schema(optional("key"), unique=["key"]), properties)
    assert (violation.field, violation.of_plan) == ("key", True)


PRIVATE = "anna@example.org"
RECORD = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}
PII = [
    optional("p", pii=True), optional("p", "int", pii=True, minimum=5), optional("p", pii=True, pattern="^x"),
    optional("p", {"type": "map", "values": "int"}, pii=True), optional("p", RECORD, pii=True),
    optional("p", {"type": "enum", "name": "E", "symbols": ["A"]}, pii=True),
    field("p", ["null", "int", "boolean"], pii=True), optional("p", strategies.TIME, pii=True),
    optional("p", {"type": "array", "items": "int"}, pii=True),
]  # fmt: skip


@pytest.mark.parametrize(
    "value", [PRIVATE, {PRIVATE: PRIVATE}, [PRIVATE], {"a": PRIVATE}, {"a": 1, PRIVATE: 1}, 4, None]
)
@pytest.mark.parametrize("planned", PII, ids=range(len(PII)))
@pytest.mark.parametrize("unplanned", ["strip", "dead-letter"])
def test_pii_is_judged_and_never_shown(planned: dict[str, Any], value: Any, unplanned: str) -> None:
    """Whatever comes as pii, the journal carries null, and no violation repeats it, nor the keys inside it."""
    judged = schema(planned, unplanned=unplanned)
    wrong: Violation | None = None
    try:
        body = judge(judged, {"p": value}, lambda _: None)
    except Violation as violation:
        wrong = violation
    if wrong is None:
        assert body == judge(judged, {"p": None}, lambda _: None)
    else:
        assert PRIVATE not in f"{wrong} {wrong.field} {wrong.expected} {wrong.got}"
        assert wrong.field == "p"
        assert "pii" in wrong.got


def test_pii_is_judged() -> None:
    """Hidden is not the same as not checked."""
    assert refused(schema(PII[0]), {"p": 5}).expected == "a string"
    assert refused(schema(PII[1]), {"p": 4}).expected == "at least 5"
    assert accepted(schema(PII[1]), {"p": 5}) == ({"p": None}, 0)


def test_unplanned_properties_are_stripped_and_counted() -> None:
    """By default what the schema lacks is left out, in nested records too."""
    record = {"type": "record", "name": "H", "fields": [{"name": "city", "type": "string"}]}
    planned = schema(field("a"), optional("home", record))
    given = {"a": "x", "b": 1, "c": {"d": 2}, "home": {"city": "Bonn", "street": "x"}}
    assert accepted(planned, given) == ({"a": "x", "home": {"city": "Bonn"}}, 2)
    assert accepted(planned, {"a": "x"})[1] == 0


def test_unplanned_properties_are_a_dead_letter() -> None:
    """If the schema says so: the first of them is named, inside nested records too."""
    record = {"type": "record", "name": "H", "fields": [{"name": "city", "type": "string"}]}
    planned = schema(field("a"), optional("home", record), unplanned="dead-letter")
    violation = refused(planned, {"a": "x", "b": PRIVATE})
    assert (violation.field, violation.of_plan) == ("b", False)
    assert PRIVATE not in str(violation)
    assert refused(planned, {"a": "x", "home": {"city": "Bonn", "street": "x"}}).field == "home.street"


@pytest.mark.parametrize("extra", [field("extra", {"type": "map", "values": "string"}, default={}),
                                   optional("extra", {"type": "map", "values": "string"})])  # fmt: skip
def test_unplanned_properties_are_allowed(extra: dict[str, Any]) -> None:
    """If the schema says so: they are kept as JSON texts beside what came in ``extra`` itself."""
    planned = schema(field("a"), extra, unplanned="allow")
    given = {"a": "x", "b": {"c": [1, None]}, "d": "é", "extra": {"e": "kept"}}
    expected = {"e": "kept", "b": '{"c":[1,null]}', "d": '"é"'}
    assert accepted(planned, given) == ({"a": "x", "extra": expected}, 0)
    assert accepted(planned, {"a": "x", "b": 1})[0]["extra"] == {"b": "1"}
    assert not accepted(planned, {"a": "x"})[0]["extra"]


@pytest.mark.parametrize("more", [{}, {"b": 1}])
@pytest.mark.parametrize("extra", ["text", 5, ["a"], {"e": 5}])
def test_extra_is_judged_like_any_other(extra: Any, more: dict[str, Any]) -> None:
    """A wrong ``extra`` is a violation, whether or not there is something to keep in it; it is never lost."""
    planned = schema(field("extra", {"type": "map", "values": "string"}, default={}), unplanned="allow")
    assert refused(planned, {"extra": extra, **more}).field.startswith("extra")


@st.composite
def planned_events(draw: st.DrawFn) -> tuple[EventSchema, dict[str, Any]]:
    taken: list[int] = []
    names = draw(st.lists(strategies.names.filter(lambda name: name != "meta"), min_size=1, max_size=5, unique=True))
    fields = [field(name, strategies.named(draw(strategies.types()), taken)) for name in names]
    made = schema(*fields)
    return made, {one["name"]: draw(strategies.values(one["type"])) for one in fields}


@settings(deadline=None, max_examples=150)
@given(planned=planned_events(), data=st.data())
def test_what_is_judged_can_be_read(planned: tuple[EventSchema, dict[str, Any]], data: st.DataObject) -> None:
    """For random schemas: a reader of the journal gets every value back, whole or as far as it wants to read."""
    made, properties = planned
    everything, stripped = accepted(made, properties)
    assert stripped == 0
    assert set(everything) == set(properties)
    wanted = data.draw(st.sets(st.sampled_from(sorted(properties))))
    value = EventEncoder(1000).encode("e", "u", None, 1, 2, "s", "sdk", judge(made, properties, lambda _: None))
    some = event_reader(made.definition, wanted)(value)
    assert wanted <= set(some)
    assert all(some[name] == everything[name] for name in wanted)
    for name, came in properties.items():
        kept = everything[name]
        assert (
            kept == came or json.dumps(kept, sort_keys=True) == json.dumps(came, sort_keys=True) or float(kept) == came
        )


@settings(deadline=None, max_examples=150)
@given(planned=planned_events(), data=st.data())
def test_any_properties(planned: tuple[EventSchema, dict[str, Any]], data: st.DataObject) -> None:
    """Random values under the names of a random schema: bytes, or a violation that names one of the fields."""
    made, properties = planned
    names = st.sampled_from([*sorted(properties), "unplanned"])
    given = data.draw(st.dictionaries(names, strategies.anything))
    fit = all(one["name"] in given and strategies.fits(one["type"], given[one["name"]])
              for one in made.definition["fields"][1:])  # fmt: skip
    if fit:
        judge(made, given, lambda _: None)
    else:
        assert refused(made, given).field.split(".")[0].split("[")[0] in properties


HOME = {"type": "record", "name": "Home", "fields": [
    {"name": "city", "type": "string", "pattern": "^[A-Z]"},
    {"name": "rooms", "type": ["null", "int"], "default": None, "minimum": 1, "maximum": 9},
    {"name": "street", "type": ["null", "string"], "default": None, "pii": True, "pattern": "^[A-Z]"},
]}  # fmt: skip


@pytest.mark.parametrize(
    ("properties", "name", "got"),
    [
        ({"home": {"city": "bonn"}}, "home.city", 'string "bonn"'),
        ({"home": {"city": "Bonn", "rooms": 0}}, "home.rooms", "integer 0"),
        ({"homes": [{"city": "Bonn"}, {"city": "Ulm", "rooms": 10.0}]}, "homes[1].rooms", "number 10.0"),
        ({"named": {"a": {"city": "Bonn"}, "b": {"city": "ulm"}}}, "named.b.city", 'string "ulm"'),
        ({"home": {"city": "Bonn", "street": "a road"}}, "home.street", "a value that is not shown (pii)"),
        ({"either": {"city": "bonn"}}, "either.city", 'string "bonn"'),
        ({"secret": {"city": "bonn"}}, "secret", "a value that is not shown (pii)"),
    ],
)
def test_rules_inside_records(properties: dict[str, Any], name: str, got: str) -> None:
    """They hold at any depth, for each item and each value, after the type of everything; null and absence pass."""
    kinds = [HOME] + [{**HOME, "name": f"Home{at}"} for at in range(4)]
    planned = schema(
        optional("home", kinds[0]), field("homes", {"type": "array", "items": kinds[1]}, default=[]),
        field("named", {"type": "map", "values": kinds[2]}, default={}), optional("secret", kinds[3], pii=True),
        field("either", ["null", "int", kinds[4]], default=None), optional("last", "int"),
    )  # fmt: skip
    violation = refused(planned, properties)
    assert (violation.field, violation.got, violation.of_plan) == (name, got, True)
    assert refused(planned, {**properties, "last": "x"}).field == "last"
    fine = {"city": "Bonn", "rooms": None, "street": "Am Hof"}
    kept = accepted(planned, {"home": fine, "homes": [fine], "either": fine, "secret": fine})[0]
    assert kept["home"] == kept["homes"][0] == kept["either"] == {"city": "Bonn", "rooms": None, "street": None}
    assert kept["secret"] is None
    assert accepted(planned, {"either": 5})[0]["either"] == 5


def test_a_type_inside_pii_is_not_shown() -> None:
    """Neither is a wrong type's value, nor is it left in what is kept of the record."""
    violation = refused(schema(optional("home", HOME)), {"home": {"city": "Bonn", "street": {PRIVATE: 1}}})
    assert (violation.field, violation.expected) == ("home.street", "a string")
    assert PRIVATE not in str(violation)


@pytest.mark.parametrize("value", [None, "free", "pro"])
def test_fields_that_only_some_origins_may_set(value: str | None) -> None:
    """Absent, null and the default set nothing; anything else is for the origins that the field names."""
    planned = schema(
        optional("plan", origins=["backend"]), field("level", default="free", origins=["backend", "integration"]),
        optional("p", pii=True, origins=["backend"]),
    )  # fmt: skip

    def said(origin: str, properties: dict[str, Any]) -> str | None:
        try:
            judge(planned, properties, lambda _: None, origin)
        except Violation as violation:
            return f"{violation.field} {violation.got}"
        return None

    for name in ("plan", "p"):
        assert said("sdk", {name: value}) == (f"{name} one from sdk" if value else None)
        assert said("backend", {name: value}) is None
    if value is not None:
        assert said("sdk", {"level": value}) == ("level one from sdk" if value == "pro" else None)
        assert said("integration", {"level": value}) is None


def test_numbers_of_any_size_are_kept_as_text() -> None:
    """JSON has integers that no Avro type has; under ``allow`` they are text like everything else."""
    planned = schema(field("extra", {"type": "map", "values": "string"}, default={}), unplanned="allow")
    assert accepted(planned, {"n": 10**30, "m": [-(10**40)]})[0]["extra"] == {
        "n": "1" + "0" * 30,
        "m": f"[{-(10**40)}]",
    }

"""Versions of an event schema against the seven levels of Confluent's registry."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.compatibility import LEVELS, can_read, conflicts, obstacles

META = {"name": "meta", "type": "events.Meta"}
Fields = list[dict[str, Any]]


def event(fields: Fields, version: int = 1, **more: Any) -> dict[str, Any]:
    return {"type": "record", "namespace": "events", "name": "A", "version": version, "fields": [META, *fields], **more}


def field(name: str, kind: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **more}


def optional(name: str, kind: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None}


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "Currency", "symbols": list(symbols), **more}


def record(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "Part", "fields": list(fields)}


X = field("x", "double")
CASES: dict[str, tuple[Fields, Fields, str, str]] = {
    # what happens: (before, after, fields in the way of BACKWARD, of FORWARD)
    "the same": ([X], [X], "", ""),
    "an optional field more": ([X], [X, optional("y", "string")], "", ""),
    "a field with a default more": ([X], [X, field("y", "int", default=3)], "", ""),
    "a required field more": ([X], [X, field("y", "string")], "y", ""),
    "an optional field less": ([X, optional("y", "string")], [X], "", ""),
    "a required field less": ([X, field("y", "string")], [X], "", "y"),
    "a field renamed": ([X], [field("z", "double")], "z", "x"),
    "a field renamed with an alias": ([X], [field("z", "double", aliases=["x"])], "", "x"),
    "another order": ([X, field("y", "string")], [field("y", "string"), X], "", ""),
    "int to long": ([field("x", "int")], [field("x", "long")], "", "x"),
    "double to int": ([X], [field("x", "int")], "x", ""),
    "long to float": ([field("x", "long")], [field("x", "float")], "", "x"),
    "string to bytes": ([field("x", "string")], [field("x", "bytes")], "", ""),
    "double to string": ([X], [field("x", "string")], "x", "x"),
    "string to enum": ([field("x", "string")], [field("x", enum("A"))], "x", "x"),
    "a time to a string": (
        [field("x", {"type": "long", "logicalType": "timestamp-millis"})], [field("x", "string")], "x", "x",
    ),
    "required to nullable": ([X], [optional("x", "double")], "", "x"),
    "nullable to required": ([optional("x", "double")], [X], "x", ""),
    "a branch more": ([optional("x", "int")], [field("x", ["null", "int", "string"], default=None)], "", "x"),
    "another type beside null": ([optional("x", "int")], [optional("x", "string")], "x", "x"),
    "a symbol more": ([field("c", enum("EUR"))], [field("c", enum("EUR", "USD"))], "", "c"),
    "a symbol more where the enum has a default": (
        [field("c", enum("EUR", default="EUR"))], [field("c", enum("EUR", "USD", default="EUR"))], "", "",
    ),
    "a symbol less": ([field("c", enum("EUR", "USD"))], [field("c", enum("EUR"))], "c", ""),
    "inside a record": (
        [field("p", record(field("city", "string")))], [field("p", record(field("city", "int")))], "p.city", "p.city",
    ),
    "a required field more inside an optional record": (
        [optional("p", record(X))], [optional("p", record(X, field("y", "int")))], "p.y", "",
    ),
    "inside a list of records": (
        [field("p", {"type": "array", "items": record(X)})],
        [field("p", {"type": "array", "items": record(field("x", "string"))})], "p[].x", "p[].x",
    ),
    "inside a map": (
        [field("p", {"type": "map", "values": "int"})], [field("p", {"type": "map", "values": "long"})], "", "p{}",
    ),
    "a fixed of another size": (
        [field("f", {"type": "fixed", "name": "F", "size": 4})],
        [field("f", {"type": "fixed", "name": "F", "size": 5})],
        "f", "f",
    ),
    "attributes that Avro does not know": (
        [X], [field("x", "double", minimum=3, pii=False, unit="EUR")], "", "",
    ),
}  # fmt: skip


def places(found: list[Any]) -> str:
    return " ".join(one.field for one in found)


@pytest.mark.parametrize("case", CASES)
def test_the_exact_field(case: str) -> None:
    """Each direction names the field that stands in its way, however deep, and nothing else."""
    before, after, backward, forward = CASES[case]
    old, new = event(before), event(after, 2)
    assert places(obstacles(new, old)) == backward
    assert places(obstacles(old, new)) == forward
    assert (can_read(new, old), can_read(old, new)) == (not backward, not forward)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("level", LEVELS)
def test_every_level(case: str, level: str) -> None:
    """BACKWARD asks the new version to read the old, FORWARD the old the new, FULL both, NONE nothing."""
    before, after, backward, forward = CASES[case]
    found = conflicts(event(after, 2, compatibility=level), [event(before)])
    asked = level.removesuffix("_TRANSITIVE")
    wanted = [(place, True) for place in backward.split() if asked in ("BACKWARD", "FULL")]
    wanted += [(place, False) for place in forward.split() if asked in ("FORWARD", "FULL")]
    assert [(one.obstacle.field, one.backward) for one in found] == wanted
    assert all((one.new, one.old) == (2, 1) for one in found)


@pytest.mark.parametrize("level", LEVELS)
def test_transitive_levels_look_further_back(level: str) -> None:
    """A field that version 1 required and version 2 left out: version 3 is held against both or only the last."""
    first, second = event([X, field("y", "string")]), event([X], 2)
    third = event([X, optional("z", "int"), field("y", "int", default=0)], 3, compatibility=level)
    found = {(one.old, one.backward) for one in conflicts(third, [first, second])}
    wanted = {
        "BACKWARD_TRANSITIVE": {(1, True)}, "FORWARD_TRANSITIVE": {(1, False)},
        "FULL_TRANSITIVE": {(1, True), (1, False)},
    }.get(level, set())  # fmt: skip
    assert found == wanted


def test_the_default_is_full_transitive() -> None:
    """A schema that states no level is held to the strictest."""
    assert [str(one) for one in conflicts(event([X, field("y", "string")], 2), [event([X])])] == [
        (
            "field y: version 2 requires it (string, no default) and version 1 lacks it, so version 2 cannot read"
            " events of version 1"
        )
    ]


@pytest.mark.parametrize(
    ("case", "said", "remedy"),
    [
        ("a required field less",
         ("field y: version 1 requires it (string, no default) and version 2 lacks it, so version 1 cannot read events"
         " of version 2"), "keep it"),
        ("double to string",
         "field x: it is double in version 1 and string in version 2, so version 2 cannot read events of version 1",
         "keep its type, and add a new optional field beside it"),
        ("required to nullable",
         ("field x: it may be null in version 2, version 1 takes double only, so version 1 cannot read events of"
         " version 2"), "keep it required"),
        ("nullable to required",
         ("field x: it may be null in version 1, version 2 takes double only, so version 2 cannot read events of"
         " version 1"), "keep it nullable"),
        ("a symbol more",
         ("field c: version 2 has USD in the enum Currency, version 1 has not, so version 1 cannot read events of"
         " version 2"), "keep the symbols as they are, or add a new optional field beside it"),
    ],
)  # fmt: skip
def test_what_is_said(case: str, said: str, remedy: str) -> None:
    """A sentence with the field, both versions and who cannot read whom, and what to do to the new version."""
    before, after, _, _ = CASES[case]
    first = conflicts(event(after, 2), [event(before)])[0]
    assert (str(first), first.remedy) == (said, remedy)


def test_a_schema_that_refers_to_itself() -> None:
    """A recursive record is compared without end."""
    tree = {"type": "record", "name": "Tree", "fields": [optional("left", "Tree"), field("n", "int")]}
    other = {"type": "record", "name": "Tree", "fields": [optional("left", "Tree"), field("n", "string")]}
    assert obstacles(event([field("t", tree)]), event([field("t", tree)])) == []
    assert places(obstacles(event([field("t", other)]), event([field("t", tree)]))) == "t.n"


def test_what_is_no_schema() -> None:
    """Apache's refusal is a ValueError that says of which version, and why."""
    with pytest.raises(ValueError, match=r"version 3 is not a valid Avro schema: .*object from nothing"):
        obstacles(event([X]), event([field("x", "nothing")], version=3))


TYPES = st.recursive(
    st.sampled_from(["int", "long", "float", "double", "string", "bytes", "boolean"])
    | st.sets(st.sampled_from("ABC"), min_size=1).map(lambda symbols: enum(*sorted(symbols))),
    lambda inner: st.one_of(
        inner.map(lambda kind: {"type": "array", "items": kind}),
        inner.map(lambda kind: {"type": "map", "values": kind}),
        inner.filter(lambda kind: not isinstance(kind, list)).map(lambda kind: ["null", kind]),
        inner.map(lambda kind: record(field("x", kind))),
    ),
    max_leaves=1,
)


@given(TYPES, TYPES)
def test_a_refusal_always_has_a_place(one: Any, other: Any) -> None:
    """Whenever Apache Avro finds two schemas incompatible, the field is named and what is said of it is not empty."""
    found = obstacles(event([field("p", one)]), event([field("p", other)]))
    assert all(obstacle.field.startswith("p") and obstacle.what for obstacle in found)
    if one == other:
        assert found == []

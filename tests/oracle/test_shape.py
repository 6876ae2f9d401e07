"""What fits an Avro type, value by value."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle.shape import Branch, MisfitError, bare, fit, milliseconds

TIME = {"type": "long", "logicalType": "timestamp-millis"}
SIZE = {"type": "enum", "name": "Size", "symbols": ["small", "large"]}
LINE = {
    "type": "record",
    "name": "Line",
    "fields": [{"name": "sku", "type": "string"}, {"name": "n", "type": "int", "default": 1}],
}


@pytest.mark.parametrize(
    ("value", "schema", "carried"),
    [
        (5, "int", 5),
        (5.0, "int", 5),
        (2**31, "long", 2**31),
        (5, "double", 5.0),
        (0.1, "double", 0.1),
        (0.5, "float", 0.5),
        (None, ["null", "string"], None),
        ("x", ["null", "string"], "x"),
        ("small", SIZE, "small"),
        ([1, 2], {"type": "array", "items": "int"}, [1, 2]),
        ({"a": "b"}, {"type": "map", "values": "string"}, {"a": "b"}),
        ({"sku": "x", "more": 1}, LINE, {"sku": "x", "n": 1}),
        (1234, TIME, 1234),
        ("1970-01-01T00:00:01.5Z", TIME, 1500),
        ("2026-03-05T10:00:00.250Z", ["null", TIME], 1772704800250),
    ],
)
def test_fits(value: Any, schema: Any, carried: Any) -> None:
    """Numbers pass without loss, times as RFC 3339, records with their defaults."""
    fitted = bare(fit(value, schema, "p"))
    assert fitted == carried
    assert type(fitted) is type(carried)


def test_a_union_remembers_its_branch() -> None:
    """The first branch that the value fits, also inside arrays and records."""
    assert fit([5, "x", None], {"type": "array", "items": ["null", "double", "int", "string"]}, "p") == [
        Branch(1, 5.0), Branch(3, "x"), Branch(0, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (5.5, "int"),
        (2**31, "int"),
        (2**63, "long"),
        (2**53 + 1, "double"),
        (10**400, "double"),
        (0.1, "float"),
        (True, "int"),
        (True, "double"),
        (1, "boolean"),
        ("5", "int"),
        (5, "string"),
        (None, "string"),
        ("medium", SIZE),
        ([1, "2"], {"type": "array", "items": "int"}),
        ({"n": 1}, LINE),
        ("yesterday", TIME),
        ("2026-03-05", TIME),
    ],
)
def test_does_not_fit(value: Any, schema: Any) -> None:
    """Nothing is coerced and nothing is rounded."""
    with pytest.raises(MisfitError):
        fit(value, schema, "p")


def test_a_closed_record_takes_nothing_else() -> None:
    """Under `unplanned: dead-letter` a nested record is as strict as the event."""
    with pytest.raises(MisfitError):
        fit({"sku": "x", "more": 1}, LINE, "p", closed=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01t00:00:00.0019z", 1),
        ("2026-02-30T00:00:00Z", None),
        ("2026-02-03T00:00:00", None),
        ("20260203T000000Z", None),
        ("2026-W10-4T00:00:00Z", None),
        ("", None),
    ],
)
def test_milliseconds(text: str, expected: int | None) -> None:
    """RFC 3339 with an offset, and nothing that is merely ISO 8601."""
    assert milliseconds(text) == expected

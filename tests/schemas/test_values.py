"""JSON values to Avro bytes: the bytes of the reference implementation, or a violation that names what is wrong."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import avro
from schemas.values import encoder, parse_time
from schemas.violations import SHOWN, Violation
from tests.schemas import strategies


def reference(schema: Any, value: Any) -> bytes:
    """The bytes that fastavro writes. Times go as plain milliseconds."""
    buffer = io.BytesIO()
    plain = json.loads(json.dumps(schema).replace(', "logicalType": "timestamp-millis"', ""))
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(plain), _pythonic(plain, value))
    return buffer.getvalue()


def _pythonic(schema: Any, value: Any) -> Any:
    """Whole doubles as the integers that fastavro wants for int and long."""
    if isinstance(schema, list):
        branch = next(one for one in schema if (one == "null") == (value is None))
        return _pythonic(branch, value)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind in ("int", "long"):
        return int(value)
    if kind == "array":
        return [_pythonic(schema["items"], item) for item in value]
    if kind == "map":
        return {key: _pythonic(schema["values"], item) for key, item in value.items()}
    if kind == "record":
        return {field["name"]: _pythonic(field["type"], value[field["name"]]) for field in schema["fields"]}
    return value


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[Any, Any]:
    schema = strategies.named(draw(strategies.types()), [])
    return schema, draw(strategies.values(schema))


@settings(deadline=None, max_examples=250)
@given(typed=typed_values())
def test_bytes_are_those_of_fastavro(typed: tuple[Any, Any]) -> None:
    """For any type and any value that fits it, every byte is the one the reference implementation writes."""
    schema, value = typed
    assert encoder(schema)(value, "p") == reference(schema, value)


@settings(deadline=None, max_examples=250)
@given(schema=strategies.types(), value=strategies.anything)
def test_a_value_fits_or_is_a_violation(schema: Any, value: Any) -> None:
    """Whatever does not fit gives a violation naming the place, what was expected and what came; nothing else does."""
    schema = strategies.named(schema, [])
    if strategies.fits(schema, value):
        encoder(schema)(value, "p")
        return
    with pytest.raises(Violation) as raised:
        encoder(schema)(value, "p")
    violation = raised.value
    assert violation.field.startswith("p")
    assert violation.expected
    assert violation.got
    assert str(violation) == f"{violation.field}: expected {violation.expected}, got {violation.got}"
    assert not violation.of_plan


@pytest.mark.parametrize(
    ("schema", "value", "field", "expected", "got"),
    [
        ("string", 5, "p", "a string", "integer 5"),
        ("string", None, "p", "a string", "null"),
        ("string", ["a"], "p", "a string", 'array ["a"]'),
        ("boolean", 1, "p", "a boolean", "integer 1"),
        ("boolean", "true", "p", "a boolean", 'string "true"'),
        ("int", True, "p", "a whole number of Avro type int", "boolean true"),
        ("int", "5", "p", "a whole number of Avro type int", 'string "5"'),
        ("int", 1.5, "p", "a whole number of Avro type int", "number 1.5"),
        ("int", 2**31, "p", "a whole number of Avro type int", "integer 2147483648"),
        ("int", -(2**31) - 1, "p", "a whole number of Avro type int", "integer -2147483649"),
        ("long", 2**63, "p", "a whole number of Avro type long", "integer 9223372036854775808"),
        ("long", 1e300, "p", "a whole number of Avro type long", "number 1e+300"),
        ("long", 2.0**53 + 2, "p", "a whole number of Avro type long", "number 9007199254740994.0"),
        ("double", 2**53 + 1, "p", "a number that Avro type double holds without loss", "integer 9007199254740993"),
        ("double", 10**400, "p", "a number that Avro type double holds without loss", None),
        ("double", False, "p", "a number that Avro type double holds without loss", "boolean false"),
        ("float", 0.1, "p", "a number that Avro type float holds without loss", "number 0.1"),
        ("float", 1e39, "p", "a number that Avro type float holds without loss", "number 1e+39"),
        ("float", 2**24 + 1, "p", "a number that Avro type float holds without loss", "integer 16777217"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "C", "p", "one of A, B", 'string "C"'),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, ["A"], "p", "one of A, B", 'array ["A"]'),
        ({"type": "array", "items": "int"}, [1, "2"], "p[1]", "a whole number of Avro type int", 'string "2"'),
        ({"type": "array", "items": "int"}, {"0": 1}, "p", "an array", 'object {"0": 1}'),
        ({"type": "map", "values": "int"}, {"a": 1, "b": None}, "p.b", "a whole number of Avro type int", "null"),
        ({"type": "map", "values": "int"}, [], "p", "an object", "array []"),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}, {}, "p.a",
         "a value, since the field is required", "nothing"),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}, {"a": "x"}, "p.a",
         "a whole number of Avro type int", 'string "x"'),
        ({"type": "record", "name": "R", "fields": []}, "x", "p", "an object", 'string "x"'),
        (["null", "int"], "x", "p", "a whole number of Avro type int", 'string "x"'),
        (["int", "string"], True, "p", "a whole number of Avro type int or a string", "boolean true"),
        ("null", 0, "p", "null", "integer 0"),
        ({"type": "long", "logicalType": "timestamp-millis"}, "today", "p",
         "an RFC 3339 time or integer milliseconds of the years 1 to 9999",
         'string "today"'),
        ({"type": "long", "logicalType": "timestamp-millis"}, 1.0, "p",
         "an RFC 3339 time or integer milliseconds of the years 1 to 9999",
         "number 1.0"),
        ({"type": "long", "logicalType": "timestamp-millis"}, 2**63, "p",
         "an RFC 3339 time or integer milliseconds of the years 1 to 9999",
         "integer 9223372036854775808"),
    ],
)  # fmt: skip
def test_violations(schema: Any, value: Any, field: str, expected: str, got: str | None) -> None:
    """The place inside the value, the type in words, and the value with its JSON type."""
    with pytest.raises(Violation) as raised:
        encoder(schema)(value, "p")
    assert (raised.value.field, raised.value.expected) == (field, expected)
    assert got is None or raised.value.got == got


def test_a_long_value_is_cut() -> None:
    """A violation shows the beginning of what came, never a megabyte of it."""
    with pytest.raises(Violation) as raised:
        encoder("int")("x" * 100_000, "p")
    assert len(raised.value.got) < SHOWN + 20


@pytest.mark.parametrize(
    ("schema", "value", "same"),
    [("int", 5.0, 5), ("long", -3.0, -3), ("long", 2.0**53, 2**53), ("double", 5, 5.0), ("double", -(2**60),
     -float(2**60)),
     ("float", 16777216, 16777216.0), ("float", 0.5, 0.5), ("double", -0.0, -0.0)],
)  # fmt: skip
def test_numbers_pass_without_loss(schema: str, value: float, same: float) -> None:
    """A whole double is an integer and the other way round, as long as no digit is lost."""
    assert encoder(schema)(value, "p") == reference(schema, same)


def test_a_union_takes_the_first_branch_that_fits() -> None:
    """In the order of the schema: a whole number goes to long, another to double, a time before a text."""
    numbers = encoder(["null", "long", "double", "string"])
    assert [numbers(value, "p")[:1] for value in (None, 1, 1.5, "x")] == [b"\x00", b"\x02", b"\x04", b"\x06"]
    times = encoder([strategies.TIME, "string"])
    assert [times(value, "p")[:1] for value in ("2026-03-05T10:00:00Z", "soon")] == [b"\x00", b"\x02"]


def test_nested_records() -> None:
    """Defaults stand in for what is absent; what is not planned is left out, or a violation where it is closed."""
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "default": 7}]}
    assert encoder(schema)({}, "p") == encoder(schema)({"a": 7, "b": 1}, "p") == avro.long(7)
    with pytest.raises(Violation, match=r"p\.b: expected only a, got an unplanned field"):
        encoder(schema, closed=True)({"a": 7, "b": 1}, "p")


@pytest.mark.parametrize(
    "schema",
    [
        "bytes", "Currency", "integer", {"type": "fixed", "name": "F", "size": 4}, ["null", "bytes"], 5, None, True,
        {"type": "array", "items": "bytes"}, {"type": "map", "values": {"type": "fixed", "name": "F", "size": 2}},
        {}, {"type": "enum", "name": "E"}, {"type": "array"}, {"type": "map"}, {"type": "record", "name": "R"},
        {"type": "enum", "name": "E", "symbols": [1]}, {"type": "enum", "name": "E", "symbols": "ABC"},
        {"type": "record", "name": "R", "fields": ["a"]}, {"type": "record", "name": "R", "fields": [{"type": "int"}]},
        {"type": "record", "name": "R", "fields": [{"name": "a"}]}, [], [["null", "int"], "string"],
        {"type": "string", "logicalType": "uuid"}, {"type": "int", "logicalType": "date"},
        {"type": "long", "logicalType": "timestamp-micros"}, {"type": "string", "logicalType": "timestamp-millis"},
        {"type": "int", "logicalType": "time-millis"},
    ],
)  # fmt: skip
def test_types_that_no_property_can_have(schema: Any) -> None:
    """What JSON cannot carry without guessing, what the journal's readers would make something else of, and what is
    no Avro type at all is refused when a schema is applied."""
    with pytest.raises(ValueError):
        encoder(schema)


BOUNDARIES = sorted({
    sign * (2**power + by) for power in (0, 6, 7, 12, 13, 14, 20, 27, 33, 34, 35, 40, 41, 42, 48, 55,
        62) for by in (-1, 0, 1)
    for sign in (1, -1)
} | {-(2**63), -(2**63) + 1, 2**63 - 1, 2**63 - 2, 0x3FFFFFFFF, 0x400000000, 0x1FFFFFFFFFF, 0x20000000000})  # fmt: skip


@pytest.mark.parametrize("value", BOUNDARIES)
def test_longs_at_every_boundary(value: int) -> None:
    """Around each number of bytes, and where the unrolled and tabled paths begin and end."""
    assert avro.long(value) == reference("long", value)


@given(value=st.integers(-(2**63), 2**63 - 1))
def test_longs(value: int) -> None:
    """Any 64-bit integer has the bytes of the reference implementation."""
    assert avro.long(value) == reference("long", value)


@pytest.mark.parametrize("text", ["", "a", "é" * 4095, "é" * 4096, "x" * 8191, "x" * 8192, "x" * 100_000, "\x00", "😀"])
def test_strings(text: str) -> None:
    """Lengths are counted in bytes, whatever their own size."""
    assert avro.string(text) == reference("string", text)


def test_floats_are_little_endian() -> None:
    """As Avro has them."""
    assert avro.DOUBLE(1.5) == struct.pack("<d", 1.5)
    assert avro.FLOAT(1.5) == struct.pack("<f", 1.5)


TIMES = [
    ("1970-01-01T00:00:00Z", 0), ("2026-03-05T10:00:00Z", 1772704800000), ("2026-03-05T10:00:00.250Z", 1772704800250),
    ("2026-03-05T10:00:00.2509999Z", 1772704800250), ("2026-03-05T10:00:00.9999999999999Z", 1772704800999),
    ("2026-03-05T10:00:00.1Z", 1772704800100), ("2026-03-05T11:00:00+01:00", 1772704800000),
    ("2026-03-05T04:30:00-05:30", 1772704800000), ("2026-03-05T10:00:00-00:00", 1772704800000),
    ("2026-03-05t10:00:00z", 1772704800000), ("2026-03-05 10:00:00Z", 1772704800000),
    ("1969-12-31T23:59:59.999Z", -1), ("1969-12-31T23:59:59.9999Z", -1), ("1969-12-31T23:59:59.0001Z", -1000),
    ("0001-01-01T00:00:00Z", -62135596800000), ("9999-12-31T23:59:59.999Z", 253402300799999),
    ("0001-01-01T00:00:00-23:59", -62135510460000), ("9999-12-31T23:59:59+23:59", 253402214459000),
    ("2024-02-29T00:00:00Z", 1709164800000),
]  # fmt: skip
NO_TIMES = [
    "", "2026-03-05", "2026-03-05T10:00:00", "2026-03-05T10:00Z", "2026-03-05T10:00:00+01", "2026-03-05T10:00:00+0100",
    "2026-03-05T10:00:00+01:00:30", "2026-03-05T10:00:00,5Z", "2026-03-05T10:00:00.Z", "20260305T100000Z",
    "2026-3-5T10:00:00Z", "2026-03-05T10:00:00 Z", " 2026-03-05T10:00:00Z", "2026-03-05T10:00:00Z\n",
    "2026-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z", "2026-03-05T24:00:00Z", "2026-03-05T10:60:00Z", "2026-03-05T10:00:60Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-03-05T10:00:00+24:00", "2026-03-05T10:00:00GMT",
    "2026-W10-4T10:00:00Z", "2026-064T10:00:00Z",
    "２０２６-03-05T10:00:00Z", "-2026-03-05T10:00:00Z", "12026-03-05T10:00:00Z", "now", "1772704800000",
]  # fmt: skip


@pytest.mark.parametrize(("text", "milliseconds"), TIMES)
def test_times(text: str, milliseconds: int) -> None:
    """RFC 3339 in all its spellings; digits beyond milliseconds are cut off, before 1970 too."""
    assert parse_time(text) == milliseconds
    assert encoder(strategies.TIME)(text, "p") == avro.long(milliseconds)


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time(text: str) -> None:
    """What RFC 3339 does not allow, or no calendar has."""
    assert parse_time(text) is None


@given(
    text=st.text(max_size=30) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", fullmatch=True)
)
def test_any_text_as_a_time(text: str) -> None:
    """A number of milliseconds that fits a long, or None, and never an exception."""
    moment = parse_time(text)
    assert moment is None or -(2**63) <= moment < 2**63


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_times_beyond_the_calendar(text: str) -> None:
    """A time whose offset carries it out of the years 1 to 9999 is refused, since few readers could read it."""
    with pytest.raises(Violation, match="years 1 to 9999"):
        encoder(strategies.TIME)(text, "p")

"""The oracle's own Avro reader: what the specification allows and what it does not."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import fastavro
import pytest

from tests.oracle.avro import BrokenError, Reader
from tests.oracle.shape import Branch, bare

ARRAY = {"type": "array", "items": "long"}
MAP = {"type": "map", "values": "boolean"}
SIZE = {"type": "enum", "name": "Size", "symbols": ["S", "L"]}
WHOLE = {
    "type": "record", "name": "Whole", "fields": [
        {"name": "a", "type": ["null", ARRAY]}, {"name": "m", "type": MAP}, {"name": "e", "type": SIZE},
        {"name": "t", "type": {"type": "long", "logicalType": "timestamp-millis"}}, {"name": "d", "type": "double"},
        {"name": "f", "type": "float"}, {"name": "s", "type": "string"}, {"name": "i", "type": "int"},
    ],
}  # fmt: skip


def _read(schema: Any, body: bytes) -> Any:
    reader = Reader(body)
    value = reader.read(schema, "p")
    reader.end()
    return value


def test_it_reads_what_fastavro_writes() -> None:
    """Every kind of type, in one record."""
    value = {
        "a": [1, -2, 2**62],
        "m": {"x": True, "ü": False},
        "e": "L",
        "t": -5,
        "d": 0.1,
        "f": 0.5,
        "s": "ü",
        "i": -1,
    }
    body = BytesIO()
    schema = {**WHOLE, "fields": [{**one, "type": "long"} if one["name"] == "t" else one for one in WHOLE["fields"]]}
    fastavro.schemaless_writer(body, fastavro.parse_schema(schema), value)
    tree = _read(WHOLE, body.getvalue())
    assert bare(tree) == value
    assert tree["a"] == Branch(1, [1, -2, 2**62])


@pytest.mark.parametrize(
    ("schema", "body", "value"),
    [
        ("long", b"\x80\x00", 0),
        ("long", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", -(2**63)),
        ("int", b"\xff\xff\xff\xff\x0f", -(2**31)),
        (ARRAY, b"\x02\x02\x02\x04\x00", [1, 2]),
        (ARRAY, b"\x03\x04\x02\x04\x00", [1, 2]),
        (MAP, b"\x02\x02k\x01\x02\x02k\x00\x00", {"k": False}),
    ],
)
def test_odd_but_allowed(schema: Any, body: bytes, value: Any) -> None:
    """Integers in more bytes than they need, several blocks, blocks with their size, a key that is there twice."""
    assert _read(schema, body) == value


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ("boolean", b"\x02"),
        ("int", b"\x80\x80\x80\x80\x10"),
        ("long", b"\x80" * 10 + b"\x01"),
        ("long", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
        ("string", b"\x04a"),
        ("string", b"\x01"),
        ("string", b"\x02\xff"),
        ("double", b"\x00" * 7),
        ("null", b"\x00"),
        (SIZE, b"\x04"),
        (SIZE, b"\x01"),
        (["null", "int"], b"\x04"),
        (ARRAY, b"\x02\x02"),
        (ARRAY, b"\x03\x06\x02\x04\x00"),
        (ARRAY, b"\xfe\xff\xff\xff\x0f\x02"),
        ({"type": "array", "items": "null"}, b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"),
    ],
)
def test_what_is_no_value_of_its_type(schema: Any, body: bytes) -> None:
    """Cut short, with bytes left, out of range, or without end: refused, in no time."""
    with pytest.raises(BrokenError):
        _read(schema, body)

"""What is pii stays in the value of a dead letter: nothing that is said of it repeats a piece."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.canonical import FramedReader
from schemas.channels import Channel
from schemas.codec import EventEncoder
from schemas.dead_letter import DeadLetter, read_dead_letter, write_dead_letter
from schemas.judge import judge
from schemas.personal import fields_in, holds_pii
from schemas.plan import Plan, load_event_schema
from schemas.reading import Misread
from schemas.step import Emit, Step
from schemas.violations import HIDDEN, Violation
from tests.schemas.personal_samples import MARKER, definitions, properties, unmarked
from tests.schemas.raw_samples import NOON, PREFIX, SOURCES, Headers, Raw
from tests.schemas.samples import field, optional, schema

CLOUD: Headers = [("ce_specversion", b"1.0"), ("ce_id", b"e"), ("ce_source", b"shop"), ("ce_type", b"Secret"),
                  ("ce_subject", b"u")]  # fmt: skip


def step_of(written: dict[str, Any]) -> Step:
    channels = {PREFIX + "raw.backend": Channel("raw.backend", "id", "backend", "shop")}
    return Step(Plan([load_event_schema(written, 1000)]), {SOURCES[0].id: SOURCES[0]}, channels)


def as_native(given: dict[str, Any]) -> Raw:
    return Raw(json.dumps({"event": "Secret", "user_id": "u", "properties": given}).encode())


def as_binary(given: dict[str, Any]) -> Raw:
    return Raw(json.dumps(given).encode(), headers_=CLOUD)


def as_structured(given: dict[str, Any]) -> Raw:
    said = {name.removeprefix("ce_"): (content or b"").decode() for name, content in CLOUD}
    return Raw(json.dumps({**said, "data": given}).encode())


class _Written:
    """A dead letter as it would be read from its topic."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def value(self) -> Any:
        return self.data

    def topic(self) -> str:
        return "dead-letter"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def timestamp(self) -> tuple[int, int]:
        return (2, NOON)


def assert_untold(record: Raw, letter: DeadLetter) -> None:
    """The marker is in the value that is kept, and in no other byte of what is written."""
    made = write_dead_letter("t.dead-letter", record, letter, "validation", NOON)
    assert MARKER not in repr(letter)
    assert MARKER not in repr(made.headers)
    stored: Any = read_dead_letter(_Written(made.value))  # type: ignore[arg-type]
    assert stored.value == record.data
    assert isinstance(made.value, bytes)
    assert MARKER.encode() not in made.value.replace(record.data or b"", b"", 1)


@settings(deadline=None, max_examples=300)
@given(data=st.data(), written=definitions(), form=st.sampled_from([as_native, as_binary, as_structured]))
def test_json_of_any_form(data: st.DataObject, written: dict[str, Any], form: Any) -> None:
    """Whatever is wrong, at whatever depth: in unions, in the place of records, in arrays and maps of them."""
    record = form(data.draw(properties(written)))
    outcome = step_of(written)(record)
    if isinstance(outcome, DeadLetter):
        assert_untold(record, outcome)


@settings(deadline=None, max_examples=200)
@given(data=st.data(), written=definitions(), at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_framed_avro(data: st.DataObject, written: dict[str, Any], at: int, byte: int) -> None:
    """Of a good record no journal value has the marker either; of a broken one nothing is repeated."""
    open_ = load_event_schema(unmarked(written), 1000)
    body = judge(open_, data.draw(properties(written, whole=True)), lambda _: None)
    value = EventEncoder(1000).encode("e", "u", None, NOON, NOON, "shop", "backend", body)
    step = step_of(written)
    outcome = step(Raw(value))
    if isinstance(outcome, DeadLetter):
        assert_untold(Raw(value), outcome)
    else:
        assert isinstance(outcome, Emit)
        assert MARKER.encode() not in outcome.value
    broken = bytearray(value)
    broken[5 + at % (len(value) - 5)] = byte
    outcome = step(Raw(bytes(broken)))
    # What reads well in spite of it says what it says.
    if isinstance(outcome, DeadLetter) and outcome.reason == "undecodable":
        assert_untold(Raw(bytes(broken)), outcome)


PHONE = {"type": "record", "name": "Phone", "fields": [
    {"name": "area", "type": "int"}, {"name": "number", "type": ["null", "string"], "default": None, "pii": True},
]}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value", "path", "expected"),
    [
        (["null", "string", PHONE], {"number": 5, "area": MARKER}, "x", "a string or a whole number of Avro type int"),
        (PHONE, MARKER, "x", "an object"), (["null", PHONE], [MARKER], "x", "an object"),
        ({"type": "array", "items": PHONE}, {"number": MARKER}, "x", "an array"),
        ({"type": "array", "items": PHONE}, [MARKER], "x[0]", "an object"),
        ({"type": "map", "values": PHONE}, [{"number": MARKER}], "x", "an object"),
        ({"type": "map", "values": {"type": "array", "items": PHONE}}, {"k": {"number": MARKER}}, "x.k", "an array"),
    ],
)  # fmt: skip
def test_what_holds_pii_is_not_shown(kind: Any, value: Any, path: str, expected: str) -> None:
    """In the place of a type with pii inside nothing is shown, since the same data may be there in another shape."""
    with pytest.raises(Violation) as raised:
        judge(schema(field("x", kind)), {"x": value}, lambda _: None)
    assert (raised.value.field, raised.value.expected, raised.value.got) == (path, expected, HIDDEN)


def test_what_holds_none_is_shown() -> None:
    """Beside pii, in the same record, everything is told as ever."""
    with pytest.raises(Violation) as raised:
        judge(schema(field("x", PHONE), field("y", ["int", "boolean"])), {"x": {"area": "a"}, "y": 1}, lambda _: None)
    assert (raised.value.field, raised.value.got) == ("x.area", 'string "a"')
    with pytest.raises(Violation) as raised:
        judge(schema(field("x", PHONE), field("y", ["int", "boolean"])), {"x": {"area": 1}, "y": ["a"]}, lambda _: None)
    assert (raised.value.field, raised.value.got) == ("y", 'array ["a"]')


def test_keys_of_maps_in_broken_records() -> None:
    """A wrong length makes a key of what was pii, so the map is named and not what is in it."""
    counts = {"type": "map", "values": "boolean"}
    planned = schema(optional("p", pii=True), field("m", counts))
    head = EventEncoder(1000).encode("e", "u", None, 7, 8, "s", "sdk", b"")
    with pytest.raises(Misread) as raised:
        FramedReader(planned)(head + b"\x02\x00\x02\x10" + MARKER.encode() + b"\x07")
    assert (raised.value.field, raised.value.got) == ("m", "7")
    with pytest.raises(Misread) as raised:
        FramedReader(schema(field("m", counts)))(head + b"\x02\x10" + MARKER.encode() + b"\x07")
    assert raised.value.field == f"m.{MARKER}"


def test_where_it_is() -> None:
    """Through every kind of type that holds others."""
    nested = {"type": "map", "values": ["null", {"type": {"type": "array", "items": PHONE}}]}
    assert [one["name"] for one in fields_in(nested)] == ["area", "number"]
    assert holds_pii(nested)
    assert not holds_pii({"type": "map", "values": "string"})

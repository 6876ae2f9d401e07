"""Framed Avro from outside: the strict reading, the short way past it, and what either says of bytes of any kind."""

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
from schemas.canonical import FramedReader, canonical_reader
from schemas.codec import META, EventEncoder, plain_times
from schemas.framed import Body
from schemas.judge import judge
from schemas.plan import EventSchema, load_event_schema
from schemas.reading import Misread
from schemas.violations import Violation
from tests.oracle.workspace import with_meta
from tests.schemas import strategies
from tests.schemas.raw_samples import LINE
from tests.schemas.samples import definition, field, optional, schema
from tests.schemas.sloppy import Sloppy, written

ENUM = {"type": "enum", "name": "K", "symbols": ["A", "B"]}


def framed(planned: EventSchema, properties: dict[str, Any], **meta: Any) -> bytes:
    """A journal value, which is the canonical form of an event from outside."""
    given = {"event_id": "e", "user_id": "u", "anonymous_id": None, "time": 7, "source": "s", **meta}
    body = judge(planned, properties, lambda _: None)
    return EventEncoder(planned.id).encode(received_at=8, origin="sdk", properties=body, **given)


def whole(planned: EventSchema, value: bytes) -> Body:
    return FramedReader(planned).whole(value)


def misread(planned: EventSchema, value: bytes) -> Misread:
    with pytest.raises(Misread) as raised:
        whole(planned, value)
    assert canonical_reader(planned)(value) is None
    return raised.value


def agree(short: Body, strict: Body) -> None:
    """One body, but for what the short way leaves out of meta and the violation, which is compared by what it says."""
    for name in ("event_id", "user_id", "anonymous_id", "time", "encoded_time", "source", "reserved", "unkeyed"):
        assert getattr(short, name) == getattr(strict, name), name
    assert str(short.violation) == str(strict.violation)
    assert short.properties == strict.properties


@st.composite
def plans(draw: st.DrawFn) -> EventSchema:
    """A schema of random types, some of its fields with rules, pii or a key."""
    kinds = draw(st.lists(strategies.types(), min_size=1, max_size=4))
    taken: list[int] = []
    fields = [field(f"f{at}", strategies.named(kind, taken)) for at, kind in enumerate(kinds)]
    for one in fields:
        if isinstance(one["type"], list) and draw(st.booleans()):
            one["pii"] = True
        if one["type"] in ("int", "double", ["null", "long"]):
            one["minimum"] = 0
    unique = [one["name"] for one in fields if "pii" not in one][: draw(st.integers(0, 1))]
    return schema(*fields, unique=unique)


@settings(deadline=None, max_examples=150)
@given(data=st.data(), planned=plans())
def test_the_short_way_is_the_long_way(data: st.DataObject, planned: EventSchema) -> None:
    """What it reads at all, it reads as the strict reader does; and the properties it passes on are those that came."""
    fields = planned.definition["fields"][1:]
    properties = data.draw(st.fixed_dictionaries({one["name"]: strategies.values(one["type"]) for one in fields}))
    try:
        value = framed(load_event_schema(without_rules(planned.definition), 1000), properties)
    except Violation:
        return
    strict, short = whole(planned, value), canonical_reader(planned)(value)
    if short is not None:
        agree(short, strict)
        assert value.endswith(short.properties)
    turned = bytearray(value)
    turned[data.draw(st.integers(5, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    short = canonical_reader(planned)(bytes(turned))
    if short is not None:
        agree(short, whole(planned, bytes(turned)))


def without_rules(written: dict[str, Any]) -> dict[str, Any]:
    fields = [{key: one[key] for key in ("name", "type")} for one in written["fields"]]
    return {**written, "fields": fields, "unique": []}


@settings(deadline=None, max_examples=120)
@given(data=st.data(), kinds=st.lists(strategies.types(), min_size=1, max_size=3))
def test_any_writer_comes_to_the_journals_bytes(data: st.DataObject, kinds: list[Any]) -> None:
    """However integers are padded and blocks are cut, fastavro reads the same of it and of the canonical bytes."""
    taken: list[int] = []
    planned = schema(*(field(f"f{at}", strategies.named(kind, taken)) for at, kind in enumerate(kinds)))
    record = {**planned.definition, "name": "P", "fields": plain_times(planned.definition["fields"][1:])}
    properties = data.draw(written(record))
    loose = Sloppy(data.draw).write(record, properties)
    strict = whole(planned, head(planned) + loose)
    parsed = fastavro.parse_schema(json.loads(json.dumps(record)))
    before: Any = fastavro.schemaless_reader(io.BytesIO(loose), parsed, None)
    after: Any = fastavro.schemaless_reader(io.BytesIO(strict.properties), parsed, None)
    assert repr(before) == repr(after)
    assert whole(planned, head(planned) + strict.properties).properties == strict.properties
    assert len(strict.properties) <= len(loose)
    if "null" not in str(kinds):  # fastavro would choose among branches of its own
        again = io.BytesIO()
        fastavro.schemaless_writer(again, parsed, before)
        assert again.getvalue() == strict.properties


def head(planned: EventSchema) -> bytes:
    """Frame and meta of an event of this schema."""
    return EventEncoder(planned.id).encode("e", "u", None, 7, 8, "s", "sdk", b"")


@settings(deadline=None, max_examples=150)
@given(tail=st.binary(max_size=40), cut=st.integers(5, 40))
def test_any_bytes(tail: bytes, cut: int) -> None:
    """Read or misread, never another end; and what is read, fastavro reads too."""
    planned = schema(field("s"), optional("n", "long", minimum=0), field("l", {"type": "array", "items": LINE}))
    value = head(planned)[:cut] + tail
    try:
        found = whole(planned, value)
    except Misread:
        assert canonical_reader(planned)(value) is None
        return
    parsed = fastavro.parse_schema(plain_times(with_meta(planned.definition)))
    stream = io.BytesIO(value[5:])
    fastavro.schemaless_reader(stream, parsed, None)
    assert stream.read() == b""
    assert found.properties


WIDE = schema(
    field("s"), field("i", "int"), field("d", "double"), field("b", "boolean"), field("k", ENUM), optional("o"),
    field("a", {"type": "array", "items": "int"}), field("m", {"type": "map", "values": "int"}), optional("line", LINE),
)  # fmt: skip
HEAD = head(WIDE)
GOOD = [b"\x02x", b"\x02", struct.pack("<d", 1.5), b"\x01", b"\x02", b"\x00", b"\x00", b"\x00", b"\x00"]


def changed(at: int, piece: bytes) -> bytes:
    return HEAD + b"".join([*GOOD[:at], piece, *GOOD[at + 1 :]])


@pytest.mark.parametrize(
    ("value", "path", "expected", "got"),
    [
        (changed(0, b"\x80"), "s", "a length of at most the 14 bytes", "128"), (changed(0, b"\x02\xff"), "s", "UTF-8",
         "byte 0"),
        (changed(0, b"\x06\xed\xa0\x80"), "s", "UTF-8", "byte 0"), (changed(0, b"\x01"), "s", "a length of", "-1"),
        (changed(1, avro.long(2**31)), "i", "Avro type int", "2147483648"),
        (changed(1, b"\xff" * 10), "i", "at most 64 bits", "a longer one"),
        (changed(1, b"\xff" * 9 + b"\x02"), "i", "at most 64 bits", "a longer one"),
        (changed(3, b"\x02"), "b", "0 or 1", "2"), (changed(4, b"\x04"), "k", "one of 2 symbols", "2"),
        (changed(4, b"\x01"), "k", "one of 2 symbols", "-1"), (changed(5, b"\x04"), "o", "one of 2 branches", "2"),
        (changed(6, avro.long(2**40)), "a", "at most 2 items", str(2**40)),
        (changed(6, avro.long(-(2**62)) + b"\x00"), "a", "at most 2 items", str(2**62)),
        (changed(6, b"\x01\x04\x02\x00"), "a", "a block that ends at byte 45", "one that ends at 44"),
        (changed(7, avro.long(9)), "m", "at most 1 items", "9"),
        (changed(8, b"\x02\x02x\x04"), "line.price", "one of 2 branches", "2"),
        (changed(8, b"\x02\x02x\x00\x00\x02\x02\xff"), "line.note", "UTF-8", "not shown (pii)"),
        (HEAD + b"".join(GOOD) + b"\x00", "the record", "44 bytes", "45"), (HEAD[:7], "meta.user_id", "a number",
         "the end of the record"),
        (HEAD, "s", "a number", "the end of the record"), (HEAD + GOOD[0] + GOOD[1] + b"1234567", "d", "8 bytes", "7"),
        (HEAD + b"".join(GOOD[:3]), "b", "0 or 1", "the end of the record"),
        (head(WIDE).replace(b"\x02e", b"\x02\xff"), "meta.event_id", "UTF-8", "byte 0"),
    ],
    ids=lambda one: None if isinstance(one, str) else "",
)  # fmt: skip
def test_bytes_that_are_not_of_their_schema(value: bytes, path: str, expected: str, got: str) -> None:
    """The path of the field, what was expected there and what is there."""
    error = misread(WIDE, value)
    assert error.field == path
    assert expected in error.expected
    assert got in error.got


@pytest.mark.parametrize(
    ("meta", "path"),
    [({"user_id": "x" * 513}, "meta.user_id"), ({"anonymous_id": "x" * 513}, "meta.anonymous_id"),
     ({"event_id": "x" * 513}, "meta.event_id"), ({"time": 2**50}, "meta.time"), ({"time": -(2**60)}, "meta.time")],
)  # fmt: skip
def test_meta_has_the_limits_of_the_envelope(meta: dict[str, Any], path: str) -> None:
    """Ids of 512 characters, times of the calendar."""
    planned = schema(field("a"))
    assert misread(planned, framed(planned, {"a": "x"}, **meta)).field == path
    assert whole(planned, framed(planned, {"a": "x"}, user_id="ü" * 512)).user_id[3:].decode() == "ü" * 512


def test_items_that_take_no_bytes_have_an_end() -> None:
    """Types that are refused today may lie in a catalog: two bytes must not become a billion items."""
    nothing = {"type": "array", "items": {"type": "array", "items": "null"}}
    planned = load_event_schema(definition(field("n", nothing)), 1000)
    top = head(planned)
    assert whole(planned, top + b"\x02\x04\x00\x00").properties == b"\x02\x04\x00\x00"
    assert whole(planned, top + b"\x02\x02\x02\x00\x00").properties == b"\x02\x04\x00\x00"
    for count in (2**62, len(top) + 20):
        error = misread(planned, top + b"\x02" + avro.long(count) + b"\x00\x00")
        assert (error.field, error.got) == ("n[0]", str(count))
    many = b"\x28" + (avro.long(10) + b"\x00") * 20 + b"\x00"
    assert misread(planned, top + many).field.startswith("n[")


def test_every_rule_is_judged_where_it_is() -> None:
    """Numbers that are none, times that are none, bounds inside records in arrays, and nothing of pii is shown."""
    planned = schema(
        field("d", "double", default=0), field("at", strategies.TIME, default=0), optional("p", pii=True, pattern="^x"),
        field("lines", {"type": "array", "items": LINE}, default=[]), optional("key"), unique=["key"],
    )  # fmt: skip
    line = {"sku": "a-1", "price": -1.0, "for": None, "note": None}

    def said(properties: bytes) -> tuple[str | None, bool | None, str | None]:
        found = whole(planned, head(planned) + properties).verdict("sdk")
        assert found is None or "Anna" not in str(found)
        return (found.field, found.of_plan, found.got) if found else (None, None, None)

    tail = b"\x02\x02k"
    assert said(struct.pack("<d", float("nan")) + b"\x00\x00\x00" + tail) == ("d", False, "nan")
    assert said(struct.pack("<d", float("-inf")) + b"\x00\x00\x00" + tail) == ("d", False, "-inf")
    assert said(bytes(8) + avro.long(2**50) + b"\x00\x00" + tail)[:2] == ("at", False)
    assert said(bytes(8) + b"\x00\x02" + avro.string("Anna") + b"\x00" + tail)[:2] == ("p", True)
    items = json.loads(json.dumps([line]))
    body = judge(schema(field("lines", {"type": "array", "items": bare(LINE)})), {"lines": items}, lambda _: None)
    assert said(bytes(8) + b"\x00\x00" + body + tail) == ("lines[0].price", True, "number -1.0")
    assert said(bytes(8) + b"\x00\x00\x00\x00") == ("key", True, "null")
    assert said(bytes(8) + b"\x00\x00\x00" + tail) == (None, None, None)


def bare(record: dict[str, Any]) -> dict[str, Any]:
    """The record type without its rules, to write what breaks them."""
    fields = [{key: one[key] for key in ("name", "type")} for one in record["fields"]]
    return json.loads(json.dumps({**record, "fields": fields}).replace('"minimum": 0, "maximum": 150', '"doc": ""'))  # type: ignore[no-any-return]


def test_pii_never_passes() -> None:
    """At any depth the journal has null in its place, and the short way is not taken."""
    planned = schema(optional("p", pii=True), optional("line", LINE))
    open_ = schema(optional("p"), optional("line", bare(LINE)))
    properties = {"p": "Anna", "line": {"sku": "a", "price": None, "for": None, "note": "Anna"}}
    value = framed(open_, properties)
    assert canonical_reader(planned)(value) is None
    found = whole(planned, value)
    assert (found.properties, found.verdict("sdk")) == (b"\x00\x02\x02a\x00\x00\x00", None)
    assert b"Anna" not in found.properties


@pytest.mark.parametrize("text", ["x", "x" * 127, "ü" * 63, "x" * 64, ""])
def test_ordinary_events_go_the_short_way(text: str) -> None:
    """Nothing of it needs the strict reader, so a thousand of them cost what they should."""
    planned = schema(
        field("s"), optional("o"), field("n", "int", minimum=0), field("d", "double", maximum=5), field("b", "boolean"),
        field("k", ENUM), optional("at", strategies.TIME), field("c", pattern="^[a-z]*$"),
    )  # fmt: skip
    properties = {"s": text, "o": text, "n": 3, "d": 1.5, "b": True, "k": "B", "at": 1_790_000_000_000, "c": "abc"}
    value = framed(planned, properties, user_id="ü", time=1_790_000_000_000)
    short = canonical_reader(planned)(value)
    assert short is not None
    agree(short, whole(planned, value))
    for wrong in ({"n": -1}, {"d": 6.0}, {"c": "A"}):
        broken = framed(load_event_schema(without_rules(planned.definition), 1000), {**properties, **wrong})
        found = canonical_reader(planned)(broken)
        assert found is not None
        agree(found, whole(planned, broken))
        assert found.violation is not None


def test_half_a_letter_is_not_completed_by_the_next_string() -> None:
    """UTF-8 is checked string by string, although the short way looks at all of them at once."""
    planned = schema(field("a"), field("b"))
    good = framed(planned, {"a": "xx", "b": "y" * 64})
    assert canonical_reader(planned)(good) is not None
    for broken in (good.replace(b"\x04xx", b"\x04x\xc3"), good.replace(b"\x04xx", b"\x04\x80x")):
        assert canonical_reader(planned)(broken) is None
        assert misread(planned, broken).field == "a"


def test_meta_is_the_only_other_schema() -> None:
    """The reader knows events.Meta by heart: its fields, in their order."""
    assert [one["name"] for one in META["fields"]] == [
        "event_id", "user_id", "anonymous_id", "time", "received_at", "source", "origin", "lateness", "content_hash",
    ]  # fmt: skip

"""The wire format: frames, events, the shipped records, and readers that stop where they have what they want."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from offerflow.rules.events import Event
from schemas.codec import META, EventEncoder, RecordCodec, event_reader, frame, load_schema, plain_times, schema_id_of
from schemas.journal import RULESET_ACTIVATED, TICK, EventReader
from schemas.judge import judge
from tests.schemas.samples import definition, field, optional, schema

TEXTS = st.text(max_size=8)
LONGS = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("number", "head"), [(1, b"\0\0\0\0\x01"), (1000, b"\0\0\0\x03\xe8"), (2**32 - 1, b"\0" + b"\xff" * 4)]
)
def test_frames(number: int, head: bytes) -> None:
    """A zero byte and the id as four bytes, big end first, read back from any value that begins so."""
    assert frame(number) == head
    assert schema_id_of(head + b"body") == number


@pytest.mark.parametrize("value", [b"", b"\0\0\0", b"\x01\0\0\0\x01", b"{}{}{}{}"])
def test_what_has_no_frame(value: bytes) -> None:
    """Too short, or another first byte."""
    with pytest.raises(ValueError, match="Confluent wire format"):
        schema_id_of(value)


@given(
    event_id=TEXTS, user=st.none() | TEXTS.filter(bool), anonymous=st.none() | TEXTS.filter(bool), time=LONGS,
    received=LONGS,
    source=TEXTS, origin=st.sampled_from(["sdk", "backend", "integration"]), body=st.binary(max_size=20),
    number=st.integers(1000, 2**31),
)  # fmt: skip
def test_an_event_is_read_by_fastavro(
    event_id: str, user: str | None, anonymous: str | None, time: int, received: int, source: str, origin: str,
    body: bytes,
    number: int,
) -> None:  # fmt: skip
    """Meta written by hand is what the reference implementation reads, byte for byte, with the hash of the rest."""
    value = EventEncoder(number).encode(event_id, user, anonymous, time, received, source, origin, body)
    parsed = fastavro.parse_schema(plain_times(META))
    stream = io.BytesIO(value[5:])
    meta: Any = fastavro.schemaless_reader(stream, parsed, None)
    digest = xxhash.xxh3_64_intdigest(number.to_bytes(4, "big") + body)
    assert meta == {
        "event_id": event_id, "user_id": user, "anonymous_id": anonymous, "time": time, "received_at": received,
        "source": source, "origin": origin, "lateness": "normal", "content_hash": meta["content_hash"],
    }  # fmt: skip
    assert meta["content_hash"] % 2**64 == digest
    assert stream.read() == body
    again = io.BytesIO()
    fastavro.schemaless_writer(again, parsed, meta)
    assert value == frame(number) + again.getvalue() + body


def test_empty_ids_are_missing() -> None:
    """An empty text is nobody."""
    body = EventEncoder(1000).encode("e", "", "", 1, 2, "s", "sdk", b"")
    meta = event_reader(definition(), ())(body)["meta"]
    assert (meta["user_id"], meta["anonymous_id"]) == (None, None)


def test_a_reader_stops_after_what_it_wants() -> None:
    """It gives the fields up to the last one it was asked for, whatever comes behind."""
    planned = schema(field("a"), optional("b"), field("c"), field("d"))
    body = judge(planned, {"a": "1", "c": "3", "d": "4"}, lambda _: None)
    value = EventEncoder(1000).encode("e", "u", None, 1, 2, "s", "sdk", body)
    assert set(event_reader(planned.definition, {"b"})(value[:-2])) == {"meta", "a", "b"}
    assert set(event_reader(planned.definition, ())(value[:-7])) == {"meta"}
    assert event_reader(planned.definition, None)(value)["d"] == "4"


def test_times_are_plain_milliseconds() -> None:
    """At any depth, up to the ends of the calendar; the written schema stays as it is."""
    moment = {"type": "long", "logicalType": "timestamp-millis"}
    record = {"type": "record", "name": "R", "fields": [{"name": "at", "type": ["null", moment]}]}
    planned = schema(optional("r", record), optional("l", {"type": "array", "items": moment}))
    before = json.dumps(planned.definition)
    first, last = -62135596800000, 253402300799999
    properties = {"r": {"at": last}, "l": [first, 0]}
    value = EventEncoder(1000).encode("e", "u", None, last, -1, "s", "sdk", judge(planned, properties, lambda _: None))
    read = event_reader(planned.definition, None)(value)
    assert (read["meta"]["time"], read["r"], read["l"]) == (last, properties["r"], properties["l"])
    assert json.dumps(planned.definition) == before


def test_the_event_of_a_journal_record() -> None:
    """Everything the rules know of an event, with the coordinates of its journal record."""
    planned = schema(field("a"), field("b"), optional("key"), field("z"), event=["Bought it"], unique=["key"])
    body = judge(planned, {"a": "1", "b": "2", "key": "k", "z": "9"}, lambda _: None)
    value = EventEncoder(1000).encode("e", None, "c", 5, 6, "s", "integration", body)
    reader = EventReader(planned, frozenset({"a"}))
    event = reader(value, 3, 77)
    assert isinstance(event, Event)
    assert event.properties == {"a": "1", "b": "2", "key": "k"}
    assert (event.type, event.event_id, event.user_id, event.anonymous_id) == ("Bought", "e", None, "c")
    assert (event.time, event.received_at, event.source, event.origin) == (5, 6, "s", "integration")
    assert (event.partition, event.offset) == (3, 77)
    assert reader.event_type.unique == ("key",)


def test_records_of_the_journal() -> None:
    """Ticks and activations under their reserved ids, refused under another."""
    assert (TICK.id, RULESET_ACTIVATED.id) == (1, 2)
    assert TICK.decode(TICK.encode({"due": 5})) == {"due": 5}
    value = RULESET_ACTIVATED.encode({"ruleset": "abc"})
    assert value == b"\0\0\0\0\x02\x06abc"
    with pytest.raises(ValueError, match=r"schema id 2 is not Tick \(1\)"):
        TICK.decode(value)
    with pytest.raises(ValueError, match="Confluent wire format"):
        TICK.decode(b"")


@pytest.mark.parametrize("name", ["OfferEntered", "OfferExited", "RewardSatisfied", "DeadLetter"])
def test_shipped_records_carry_their_id(name: str) -> None:
    """The frame of an output names the id that stands in its schema file."""
    codec = RecordCodec.shipped("outputs", name)
    assert (codec.name, codec.id) == (name, load_schema("outputs", name)["id"])

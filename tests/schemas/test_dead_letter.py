"""Dead letters on the wire, against the schema that says what they are."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from offerflow.rules.ids import make_id
from schemas.dead_letter import REASONS, DeadLetter, read_dead_letter, write_dead_letter
from schemas.replay import replay_headers

SCHEMA = fastavro.parse_schema(
    json.loads((Path(schemas.__file__).parent / "outputs" / "DeadLetter.avsc").read_text("utf-8"))
)
TEXT = st.text(max_size=20)
MAYBE = st.none() | TEXT
HEADERS = st.none() | st.lists(st.tuples(TEXT.filter(str.isprintable), st.none() | st.binary(max_size=8)), max_size=4)


class Raw:
    """A record as the consumer hands it out."""

    def __init__(
        self, value: bytes | None, headers: list[tuple[str, bytes | None]] | None = None, topic: str = "t.raw.sdk",
        place: tuple[int, int] = (3, 17), key: bytes | None = b"k", time: int = 1_772_704_800_000,
    ) -> None:  # fmt: skip
        self._all = (value, headers, topic, place, key, time)

    def value(self) -> bytes | None:
        return self._all[0]

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self._all[1]

    def topic(self) -> str:
        return self._all[2]

    def partition(self) -> int:
        return self._all[3][0]

    def offset(self) -> int:
        return self._all[3][1]

    def key(self) -> bytes | None:
        return self._all[4]

    def timestamp(self) -> tuple[int, int]:
        return (2, self._all[5])


@given(
    letter=st.builds(
        DeadLetter, st.sampled_from(REASONS), TEXT, *(MAYBE,) * 5, st.none() | st.integers(0, 2**31 - 1)
    ),
    value=st.none() | st.binary(max_size=40), key=st.none() | st.binary(max_size=8), headers=HEADERS,
    place=st.tuples(st.integers(0, 4095), st.integers(0, 2**62)), time=st.integers(-1, 2**42),
)  # fmt: skip
def test_the_bytes_are_those_of_the_schema(
    letter: DeadLetter, value: bytes | None, key: bytes | None, headers: Any, place: tuple[int, int], time: int
) -> None:
    """What is put together by hand is what fastavro writes for the same record, byte for byte; and it reads back."""
    record = Raw(value, headers, place=place, key=key, time=time)
    written = write_dead_letter("t.dead-letter", record, letter, "validation", 5)
    assert written.value is not None
    found = fastavro.schemaless_reader(BytesIO(written.value[5:]), SCHEMA, None)
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, SCHEMA, found)
    assert written.value == b"\x00\x00\x00\x00\x19" + buffer.getvalue()
    read = read_dead_letter(Raw(written.value, topic="t.dead-letter", place=(0, 9), time=6))
    assert (read.at, read.appended_ms, read.failed_at) == ((0, 9), 6, 5)
    assert (read.topic, (read.partition, read.offset), read.timestamp) == ("t.raw.sdk", place, time)
    assert (read.key, read.value, read.headers) == (key, value, list(headers or ()))
    assert read.id == make_id("DeadLetter", "t.raw.sdk", str(place[0]), str(place[1]))
    for name in letter.__struct_fields__:
        assert getattr(read, name) == getattr(letter, name)


def test_long_and_broken_texts() -> None:
    """Texts are cut so that the record fits its topic, and half characters are replaced rather than raised over."""
    letter = DeadLetter("unknown_event", "d" * 5000, event="e\ud800" + "e" * 5000)
    written = write_dead_letter("t.dead-letter", Raw(b"v"), letter, "validation", 5)
    read = read_dead_letter(Raw(written.value))
    assert (len(read.detail), len(read.event or ""), (read.event or "")[:3]) == (2001, 513, "e?e")


@pytest.mark.parametrize("value", [None, b"", b"\x00\x00\x00\x00\x19", b"\x00\x00\x00\x00\x14\x00", b"\xff" * 40])
def test_what_is_no_dead_letter(value: bytes | None) -> None:
    """Foreign records of the topic are told apart."""
    with pytest.raises(ValueError, match="17"):
        read_dead_letter(Raw(value))


@pytest.mark.parametrize(
    ("topic", "before", "attempts", "linked"),
    [("t.raw.replay", b"1", 2, True), ("t.raw.import", b"41", 42, True), ("t.raw.sdk", b"1", 1, False),
     ("t.raw.x.raw.replay", b"1", 1, False), ("t.raw.replay", b"-1", 1, True), ("t.raw.replay", b"9" * 30, 1, True)],
)  # fmt: skip
def test_attempts(topic: str, before: bytes, attempts: int, linked: bool) -> None:
    """Counted, and linked back, on the topics that only our tools write to; elsewhere the headers are anybody's."""
    headers: list[tuple[str, bytes | None]] = [("of-dead-letter", b"3/120"), ("of-attempts", before)]
    letter = DeadLetter("unknown_event", "x")
    written = write_dead_letter("t.dead-letter", Raw(b"v", headers, topic), letter, "validation", 5)
    assert read_dead_letter(Raw(written.value)).attempts == attempts
    assert (("of-dead-letter", b"3/120") in (written.headers or ())) is linked


def test_headers_of_a_replay() -> None:
    """The first origin is kept however often a record is sent again; headers that a sender made up are not."""
    own: list[tuple[str, bytes | None]] = [
        ("a", None),
        ("of-origin-topic", b"evil"),
        ("of-attempts", b"0"),
        ("a", b"b"),
    ]
    once = replay_headers(own, ("t.raw.sdk", 3, 17), 5, 1, "0/9", trusted=False)
    assert once == [
        ("a", None), ("a", b"b"), ("of-origin-topic", b"t.raw.sdk"), ("of-origin-partition", b"3"),
        ("of-origin-offset", b"17"), ("of-origin-timestamp", b"5"), ("of-origin-received-at", b"5"),
        ("of-dead-letter", b"0/9"), ("of-attempts", b"1"),
    ]  # fmt: skip
    again = replay_headers(once, ("t.raw.replay", 1, 1), 6, 2, "0/12", trusted=True)
    assert again == [*once[:-2], ("of-dead-letter", b"0/12"), ("of-attempts", b"2")]

"""The index of what arrived: who, what, when and the verdict of each record, once, whatever was sent."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select
from sqlalchemy.event import listen

from consumers.history import index as module
from offerflow.runtime.errors import Disturbed
from offerflow.runtime.store import events as store
from offerflow.runtime.store.claims import Position
from offerflow.runtime.store.outcomes import positions
from offerflow.runtime.store.positions import forget_positions
from offerflow.runtime.store.transactions import reading, writing
from schemas.dead_letter import DeadLetter
from schemas.journal import TICK
from schemas.requests import REQUESTS_BY_NAME
from tests.consumers.history.came import HOUR, JOURNAL, LETTERS, NOW, SETTINGS, Index, Lying, dead, valid

UNPLANNED = DeadLetter("unknown_event", "there is no such event", event="Purchased", source="shop")


@pytest.fixture
def index(engine: Engine) -> Index:
    return Index(engine)


def test_a_valid_event_is_who_what_and_when(index: Index) -> None:
    """With the place of its body in the journal and no reason; the body stays where it is."""
    index.take(valid(7, 2, user_id="anna", anonymous_id="v-1"))
    (row,) = index.rows()
    assert row == {
        "dead": 0, "partition": 2, "offset": 7, "segment": 1, "event_id": "e-2-7", "event": "Purchase Completed",
        "user_id": "anna", "anonymous_id": "v-1", "time": NOW - 1000, "received_at": NOW, "source": "shop",
        "origin": "backend", "reason": None, "raw_topic": None, "raw_partition": None, "raw_offset": None,
    }  # fmt: skip


def test_a_dead_letter_says_whose_it_is_and_where_its_record_lies(index: Index) -> None:
    """The ids and the time of what was sent, and the coordinates in the raw topic."""
    raw = b'{"event":"Purchased","user_id":"anna","event_id":"x","time":"2026-11-22T10:00:00+01:00"}'
    index.take(dead(5, raw, UNPLANNED))
    (row,) = index.rows()
    assert row == {
        "dead": 1, "partition": 0, "offset": 5, "segment": 1, "event_id": "x", "event": "Purchased", "user_id": "anna",
        "anonymous_id": None, "time": 1795338000000, "received_at": NOW, "source": "shop", "origin": "backend",
        "reason": "unknown_event", "raw_topic": "raw.backend", "raw_partition": 3, "raw_offset": 40,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b'{"event":"A","user_id":7,"event_id":"x","time":"soon"}', ("x", "7", None)),  # an id that is a number
        (b'{"event":"A","anonymous_id":"v","properties":[]}', (None, "v", NOW)),  # no envelope, and still somebody's
        (b'{"event":"A","user_id":"u","time":true}', (None, "u", None)),
        (b'{"event":', (None, None, NOW)),
        (b"\x00\x00\x00\x03\xe8", (None, None, NOW)),
        (b"", (None, None, NOW)),
        (None, (None, None, NOW)),
    ],
)
def test_what_cannot_be_read_is_found_by_what_can(
    raw: bytes | None, found: tuple[str | None, str | None, int | None], index: Index
) -> None:
    """Of a record that is no envelope the ids are taken where they are some; where it says no time, it is when it was
    received, and where it says one that is none, there is none."""
    index.take(dead(0, raw, DeadLetter("undecodable", "no")))
    (row,) = index.rows()
    assert (row["event_id"], row["user_id"] or row["anonymous_id"], row["time"]) == found


def test_a_framed_record_is_its_users(index: Index) -> None:
    """A dead letter of Avro has its ids in meta, unless nobody knows what the bytes are."""
    framed = valid(0, event_id="m", user_id="anna").value()
    index.take(
        dead(0, framed, DeadLetter("rule_of_plan_violation", "no")), dead(1, framed, DeadLetter("unknown_schema", "no"))
    )
    assert [(row["event_id"], row["user_id"]) for row in index.rows()] == [("m", "anna"), (None, None)]


def test_a_replay_was_received_when_it_was_first(index: Index) -> None:
    """As its headers say; the channel is that of the first time, the coordinates those of the last."""
    first = (
        ("of-origin-topic", SETTINGS.topic("raw.sdk").encode()), ("of-origin-partition", b"1"),
        ("of-origin-offset", b"2"), ("of-origin-timestamp", b"1000"), ("of-origin-received-at", b"2000"),
    )  # fmt: skip
    index.take(dead(0, b"{}", UNPLANNED, in_topic=SETTINGS.topic("raw.replay"), beside=first))
    (row,) = index.rows()
    assert (row["received_at"], row["origin"], row["raw_topic"], row["raw_offset"]) == (2000, "sdk", "raw.replay", 40)


def test_requests_are_events_and_ticks_are_none(index: Index) -> None:
    """A request by the API is somebody's; the passing of time is nobody's."""
    index.take(
        valid(0, schema=REQUESTS_BY_NAME["offerflow.EnterOffer"].id), Lying(JOURNAL, 0, 1, TICK.encode({"due": NOW}))
    )
    assert [row["event"] for row in index.rows()] == ["offerflow.EnterOffer"]


def test_what_is_read_again_is_there_once(index: Index) -> None:
    """After positions were lost rows that are there are neither added nor counted again; new ones are."""
    records = [*(valid(at) for at in range(3)), dead(0, b"{}", UNPLANNED)]
    index.take(*records)
    with writing(index.engine) as connection:
        forget_positions(connection, positions, (JOURNAL, LETTERS))
    index.take(*records, valid(3))
    assert [(row["dead"], row["offset"]) for row in index.rows()] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)]
    assert index.counts() == {
        (NOW, "Purchase Completed", "shop", ""): 4, (NOW, "Purchased", "shop", "unknown_event"): 1,
    }  # fmt: skip


def test_only_the_span_of_a_batch_is_looked_up(engine: Engine) -> None:
    """However many rows lie behind it: a batch offered again asks for the offsets from its first to its last."""
    index = Index(engine)
    index.take(*(valid(at) for at in range(20)))
    rows = [store.EventRow(**{**row, "segment": 0}) for row in index.rows()[:5]]
    seen: list[object] = []
    listen(engine, "before_cursor_execute", lambda *said: seen.append((said[2], said[3])))
    with writing(engine) as connection:
        store.add_events(connection, rows)
    (asked,) = [text for text in map(str, seen) if "BETWEEN" in text]
    assert "4" in asked.partition("BETWEEN")[2]
    assert "19" not in asked
    assert len(index.rows()) == 20


def test_a_batch_that_another_wrote_is_not_written(index: Index) -> None:
    """The positions are compared in the transaction: a second reader of a partition adds nothing and is told."""
    index.take(valid(0))
    place = (JOURNAL, 0)
    for before in ({}, {place: Position("id", 7)}, {place: Position("other", 1)}):
        with pytest.raises(Disturbed, match="journal/0"):
            index.index.write(index.rows_of([valid(1)]), before, {place: Position("id", 2)})
    assert [row["offset"] for row in index.rows()] == [0]
    assert index.index.positions() == {place: Position("id", 1)}


def test_a_topic_made_anew_has_none_of_the_rows_before(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their bodies are gone, and the same offsets mean something else now: they leave a few at a time before anything
    is added. Other partitions keep theirs."""
    monkeypatch.setattr(module, "AT_ONCE", 2)
    index.take(*(valid(at, user_id="old") for at in range(3)), valid(0, 1))
    with pytest.raises(Disturbed, match="made anew"):
        index.take(valid(0, user_id="new"), topic_id="another")
    assert [row["user_id"] for row in index.rows(partition=0)] == ["old"]
    index.take(valid(0, user_id="new"), topic_id="another")
    assert [(row["partition"], row["user_id"]) for row in index.rows()] == [(0, "new"), (1, "anna")]


def test_hours_are_counted_by_arrival(index: Index) -> None:
    """By event, source and verdict; the newest arrival of each hour is kept, whichever batch it came in."""
    index.take(valid(0, received_at=NOW + 5), valid(1, received_at=NOW + HOUR))
    index.take(valid(2, received_at=NOW + 3))
    assert index.counts() == {
        (NOW, "Purchase Completed", "shop", ""): 2, (NOW + HOUR, "Purchase Completed", "shop", ""): 1,
    }  # fmt: skip
    with reading(index.engine) as connection:
        newest = connection.scalars(select(store.event_counts.c.last).order_by(store.event_counts.c.hour)).all()
    assert newest == [NOW + 5, NOW + HOUR]


def test_names_that_are_made_up_do_not_fill_the_counts(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many of an hour they are counted together; those that have a row go on having it, and so does the
    plan."""
    monkeypatch.setattr(store, "MOST_NAMES", 3)
    said = [DeadLetter("unknown_event", "no", event=f"made up {at % 5}", source="shop") for at in range(10)]
    index.take(*(dead(at, b"{}", said[at]) for at in range(4)))
    index.take(*(dead(at, b"{}", said[at]) for at in range(4, 10)), valid(0))
    assert index.counts() == {
        **{(NOW, f"made up {at}", "shop", "unknown_event"): 2 for at in range(3)},
        (NOW, "", "shop", "unknown_event"): 4, (NOW, "Purchase Completed", "shop", ""): 1,
    }  # fmt: skip


def test_ids_are_found_in_every_segment(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that is full is followed by another; a look-up asks those that may have what was received since."""
    monkeypatch.setattr(store, "SEGMENT_ROWS", 2)
    for at in range(6):
        index.take(valid(at, received_at=NOW + at))
    assert [row["segment"] for row in index.rows()] == [1, 1, 2, 2, 3, 3]

    def found(since: int | None) -> list[int]:
        asked = select(store.events.c.offset).where(
            store.events.c.segment.in_(store.segments_since(since)), store.events.c.user_id == "anna"
        )
        with reading(index.engine) as connection:
            return sorted(connection.scalars(asked))

    assert found(None) == [0, 1, 2, 3, 4, 5]
    assert found(NOW + 3) == [2, 3, 4, 5]


def test_the_index_is_complete_once_it_was(index: Index) -> None:
    """Every partition must have been read as far as it went; emptied, it is not."""

    def complete() -> bool:
        with reading(index.engine) as connection:
            return store.events_complete(connection)

    index.take(valid(0))
    assert not index.index.mark_complete({(JOURNAL, 0): 2})
    assert not index.index.mark_complete({(JOURNAL, 0): 1, (LETTERS, 0): 0})
    assert not complete()
    assert index.index.mark_complete({(JOURNAL, 0): 1})
    assert complete()
    with writing(index.engine) as connection:
        store.empty_events(connection, index.index.topics)
    assert (complete(), index.rows(), index.counts(), index.index.positions()) == (False, [], {}, {})


def test_old_rows_leave_a_few_at_a_time(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below an offset, so many at once; counts of hours that ended go, and segments once they are empty."""
    monkeypatch.setattr(store, "SEGMENT_ROWS", 2)
    for at in range(5):
        index.take(valid(at, received_at=NOW + at * HOUR), valid(at, 1, received_at=NOW + at * HOUR))
    gone = []
    for _ in range(3):
        with writing(index.engine) as connection:
            gone.append(store.remove_events(connection, 0, 0, 4, 3))
    assert gone == [3, 1, 0]
    assert [(row["partition"], row["offset"]) for row in index.rows()] == [
        (0, 4),
        (1, 0),
        (1, 1),
        (1, 2),
        (1, 3),
        (1, 4),
    ]
    with writing(index.engine) as connection:
        store.remove_events(connection, 0, 1, 3, 9)
        store.remove_ended(connection, NOW + 2 * HOUR + 1)
        segments = connection.scalars(select(store.event_segments.c.id).order_by(store.event_segments.c.id)).all()
    assert segments == [4, 5]
    assert [hour for hour, *_ in sorted(index.counts())] == [NOW + 2 * HOUR, NOW + 3 * HOUR, NOW + 4 * HOUR]


def test_hostile_names_are_kept(index: Index) -> None:
    """A NUL, which PostgreSQL does not take, is kept as its picture, and the longest ids and names fit its indexes,
    though nothing can be compressed of them."""
    draw = random.Random(1)
    long = "".join(chr(draw.randrange(0x10000, 0x110000)) for _ in range(512))
    index.take(
        valid(0, event_id="a\0b", user_id="'; drop table event; --", anonymous_id=long),
        dead(
            0,
            b'{"event":"x","user_id":"\\u0000"}',
            DeadLetter("unknown_event", "no", event=long * 2, source="\0" + long),
        ),
    )
    good, bad = index.rows()
    assert (good["event_id"], good["user_id"], good["anonymous_id"]) == ("a␀b", "'; drop table event; --", long)
    assert (bad["user_id"], bad["source"], bad["event"]) == ("␀", "␀" + long[:199], long[:200])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.none(),
        st.binary(max_size=60),
        st.binary(max_size=40).map(lambda tail: b"\x00\x00\x00\x03\xe8" + tail),
        st.dictionaries(
            st.sampled_from(["event", "user_id", "anonymous_id", "event_id", "time", "type", "specversion"]),
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers()),
        ).map(lambda said: repr(said).replace("'", '"').replace("True", "true").replace("None", "null").encode()),
    ),
    st.sampled_from(["undecodable", "schema_violation", "too_large", "duplicate_conflict"]),
)
def test_any_dead_letter_makes_a_row(hostile: Callable[..., Index], raw: bytes | None, reason: str) -> None:
    """Whatever was sent, there is one row that can be stored, with the reason."""
    index = hostile()
    (row,) = index.rows_of([dead(0, raw, DeadLetter(reason, "no"))])
    with writing(index.engine) as connection:
        connection.execute(delete(store.events))
        store.add_events(connection, [row])
    assert [row["reason"] for row in index.rows()] == [reason]


@pytest.fixture
def hostile(index: Index) -> Callable[..., Index]:
    return lambda: index


@pytest.mark.parametrize(
    "value", [None, b"", b"{}", b"\0\0\0\x03\xe8", b"\0\0\0\x03\xe8\x06ab", b"\0\0\0\x03\xe8\x7f" * 9]
)
def test_what_is_no_event_is_told(value: bytes | None, index: Index) -> None:
    """One kind of error for all that cannot be read, so that the feed passes it by."""
    with pytest.raises(ValueError):
        index.rows_of([Lying(JOURNAL, 0, 0, value)])

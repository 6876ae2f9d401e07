"""Past events out of the index, counts, and who is in debug mode: questions to a store of their own."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, delete

from console.dead_letters.offsets import OffsetSet
from console.events.counting import count_replayed, of_all_time, since
from console.events.index import Earlier, Past, complete, newest, of_id, repeated, row_json
from offerflow.runtime.store.debugging import DEVICE, USER, current_flags, end_flag, set_flag
from offerflow.runtime.store.events import HOUR_MS, add_events, events
from offerflow.runtime.store.transactions import reading, writing
from schemas.seen import Seen
from tests.console.events.events import Raw, envelope, judged
from tests.console.events.rows import row


@pytest.fixture
def engine(store: Engine) -> Engine:
    """With a few events in it."""
    with writing(store) as connection:
        add_events(connection, [
            row(0, "Bought", user_id="u-1"), row(1, "Bought", user_id="u-2", source="app"),
            row(2, "Woke", anonymous_id="v-1"), row(3, "Bought", user_id="u-1", event_id="e-0"),
            row(4, "Bought", user_id="u-2", event_id="e-0"),
        ])  # fmt: skip
        add_events(connection, [row(9, "Bough", dead=1, user_id="u-1", time=None, origin=None, reason="unknown_event")])
    return store


@pytest.mark.parametrize(
    ("wanted", "offsets"),
    [
        (Past(), [0, 1, 2, 3, 4, 9]), (Past(users=["u-1"]), [0, 3, 9]), (Past(visitors=["v-1"]), [2]),
        (Past(sources=["app"]), [1]), (Past(events=["Woke", "Bough"]), [2, 9]), (Past(bad=True), [9]),
        (Past(since_ms=1002, until_ms=1003), [2, 3]), (Past(users=["u-1"], since_ms=1003), [3, 9]),
        (Past(users=["u-1"], sources=["app"]), []),
    ],
)  # fmt: skip
def test_what_is_asked_for(engine: Engine, wanted: Past, offsets: list[int]) -> None:
    """All that is given must hold; the newest are last."""
    with reading(engine) as connection:
        assert [one.offset for one in newest(connection, wanted, 100)] == offsets
        assert [one.offset for one in newest(connection, wanted, 2)] == offsets[-2:]


def test_what_is_rare_is_found_hour_by_hour(store: Engine) -> None:
    """However far back it lies, and though some of what was counted is gone; the bounds hold all the same."""
    hour = HOUR_MS
    with writing(store) as connection:
        add_events(connection, [row(at, "Bought", received_at=at * hour + 5, source=("rare", "often")[at % 5 > 0])
                                for at in range(100)])  # fmt: skip
        connection.execute(delete(events).where(events.c["offset"] == 90))

    def offsets(limit: int, **wanted: Any) -> list[int]:
        with reading(store) as connection:
            return [one.offset for one in newest(connection, Past(sources=["rare"], **wanted), limit)]

    assert offsets(3) == [80, 85, 95]
    assert offsets(100) == [at for at in range(0, 100, 5) if at != 90]
    assert offsets(2, until_ms=50 * hour) == [40, 45]
    assert offsets(9, since_ms=80 * hour + 6) == [85, 95]
    assert offsets(9, events=["Woke"]) == []


def test_what_became_of_one_arrival_is_in_its_order(store: Engine) -> None:
    """Dead, then valid after a replay that keeps the time of arrival, then dead for the rules."""
    same = {"event_id": "e", "user_id": "u", "received_at": 50}
    with writing(store) as connection:
        add_events(connection, [row(3, "Bought", **same)])
        add_events(connection, [
            row(5, "Bought", dead=1, reason="duplicate_conflict", raw_topic="journal", **same),
            row(7, "Bought", dead=1, reason="unknown_event", raw_topic="raw.backend", **same),
        ])  # fmt: skip
    with reading(store) as connection:
        for found in (newest(connection, Past(), 9), of_id(connection, "e")):
            assert [one.reason for one in found] == ["unknown_event", None, "duplicate_conflict"]


def test_every_arrival_of_an_id(engine: Engine) -> None:
    """In their order; the earlier one of the same user is found, that of another is none."""
    with reading(engine) as connection:
        assert [one.offset for one in of_id(connection, "e-0")] == [0, 3, 4]
        assert complete(connection) is False
        told = row_json(of_id(connection, "e-9")[0])
    assert (told["verdict"], told["dead_letter"], told["journal"]) == ("unknown_event", "0/9", None)
    assert (told["first"], row_json(row(1, "Bought"), (0, 0))["verdict"]) == (None, "duplicate")
    _, stored = judged(Raw(envelope(event_id="e-0", properties={"amount": 1})), offset=3)
    stored.partition = 0
    assert Earlier(engine)(stored) == (0, 0)
    stored.offset = 0
    assert Earlier(engine)(stored) is None
    _, other = judged(Raw(envelope(user_id="u-2", event_id="e-0", properties={"amount": 1})), offset=4)
    other.partition = 0
    assert Earlier(engine)(other) is None


def test_a_repeated_id_is_a_duplicate(store: Engine) -> None:
    """Of the same user in the same partition, or of the same visitor who is no user yet; a dead letter that was
    replayed is the first, and whoever looks at a few newest ones is told of what lies before."""
    again = {"event_id": "e"}
    with writing(store) as connection:
        add_events(connection, [
            row(0, "Bought", dead=1, user_id="u", reason="clock_skew", **again),
            row(3, "Bought", user_id="u", **again), row(4, "Bought", user_id="u", anonymous_id="v", **again),
            row(5, "Bought", user_id="w", **again), row(6, "Bought", anonymous_id="v", **again),
            row(7, "Bought", anonymous_id="v", **again), row(8, "Bought", anonymous_id="x", **again),
            row(9, "Bought", partition=1, user_id="u", **again), row(10, "Bought", user_id="u"),
        ])  # fmt: skip
    with reading(store) as connection:
        rows = newest(connection, Past(), 9)
        assert repeated(connection, rows) == {(0, 4): (0, 3), (0, 7): (0, 6)}
        assert repeated(connection, [one for one in rows if one.offset == 4]) == {(0, 4): (0, 3)}
        assert repeated(connection, []) == {}


def test_what_was_replayed_is_counted(engine: Engine) -> None:
    """Of the dead letters of the time that is asked about, those that were replayed."""
    with writing(engine) as connection:
        add_events(connection, [row(at, "Bough", dead=1, reason="unknown_event", received_at=HOUR_MS + at)
                                for at in (2000, 2001)])  # fmt: skip
    replayed = OffsetSet()
    for at in ((0, 9), (0, 2000), (1, 2001), (0, 77)):
        replayed.add(at)
    with reading(engine) as connection:
        for moment, number in ((0, 2), (HOUR_MS, 1)):
            counts = {one.event: one for one in since(connection, moment)}
            count_replayed(connection, counts.values(), replayed, moment)
            assert counts["Bough"].replayed == number
            assert all(one.replayed == 0 for name, one in counts.items() if name != "Bough")


def test_counts(engine: Engine) -> None:
    """By event and source: valid and dead by reason, of the hour of the moment on."""
    with reading(engine) as connection:
        found = {(one.event, one.source): one for one in since(connection, HOUR_MS - 1)}
        assert since(connection, HOUR_MS) == []
    assert {key: (one.valid, one.bad) for key, one in found.items()} == {
        ("Bough", "shop"): (0, 1), ("Bought", "app"): (1, 0), ("Bought", "shop"): (3, 0), ("Woke", "shop"): (1, 0),
    }  # fmt: skip
    assert found["Bough", "shop"].dead == {"unknown_event": 1}
    assert found["Bought", "shop"].dropped is None
    assert (found["Bough", "shop"].share, found["Woke", "shop"].share) == (1.0, 0.0)
    assert found["Bought", "shop"].last == 1004


def test_counts_of_all_time() -> None:
    """What validation has counted, dropped system events included."""
    seen = [Seen("Woke", "app", "dropped", 4, 1, 9), Seen("Woke", "app", "valid", 1, 1, 5),
            Seen("", "", "undecodable", 2, 1, 3)]  # fmt: skip
    [nameless, woke] = of_all_time(seen)
    assert (nameless.event, nameless.source, nameless.dead) == (None, None, {"undecodable": 2})
    assert (woke.valid, woke.dropped, woke.last) == (1, 4, 9)


def test_debug_flags(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set, set anew, ended, and over by themselves; the same id as a user and as a device are two."""

    def now(seconds: int) -> None:
        monkeypatch.setattr("time.time", lambda: seconds)

    def shown() -> list[Any]:
        return [(flag.kind, flag.id, flag.until) for flag in current_flags(engine)]

    now(1000)
    set_flag(engine, USER, "u-1", 60, "ana@laptop")
    set_flag(engine, DEVICE, "u-1", 30, "ana@laptop")
    assert shown() == [(DEVICE, "u-1", 1_030_000), (USER, "u-1", 1_060_000)]
    set_flag(engine, USER, "u-1", 10, "bo@laptop")
    assert shown()[0] == (USER, "u-1", 1_010_000)
    assert end_flag(engine, USER, "u-1") is True
    assert end_flag(engine, USER, "u-1") is False
    now(1031)
    assert shown() == []
    assert end_flag(engine, DEVICE, "u-1") is False

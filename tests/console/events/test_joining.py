"""Arrivals and outcomes meet in whatever order they are read."""

from __future__ import annotations

import random

import pytest

from console.events.arrivals import Arrivals
from console.events.joining import MOST, Joiner
from console.events.verdicts import DROPPED, DUPLICATE, VALID, WAITING, Verdict
from tests.console.dead_letters.letters import letter
from tests.console.events.events import BACKEND, Raw, bought, envelope, judged, world


def test_a_journal_record_meets_its_arrival_in_either_order() -> None:
    """One verdict with both, whichever is read first, and nothing is left over."""
    for first in ("arrival", "stored"):
        joiner = Joiner()
        arrival, stored = judged(bought())
        if first == "arrival":
            assert joiner.arrive(arrival, 0) is None
            verdict = joiner.store(stored, 0)
        else:
            assert joiner.store(stored, 0) is None
            verdict = joiner.arrive(arrival, 0)
        assert verdict is not None
        assert (verdict.verdict, verdict.arrival, verdict.stored) == (VALID, arrival, stored)
        assert (joiner.pending, joiner.early) == (0, 0)


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_reading_gives_every_event_its_own_verdict(seed: int) -> None:
    """Raw records and outcomes of many events, interleaved in any way that keeps each log's order: each arrival gets
    one verdict, with its own record."""
    chosen = random.Random(seed)
    pairs = [judged(bought(offset=at, event_id=f"e-{at // 2}", amount=at), offset=at) for at in range(30)]
    raws, outcomes = [arrival for arrival, _ in pairs], [stored for _, stored in pairs]
    joiner, told = Joiner(), []
    while raws or outcomes:
        if raws and (not outcomes or chosen.random() < 0.5):
            told.append(joiner.arrive(raws.pop(0), 0))
        else:
            told.append(joiner.store(outcomes.pop(0), 0))
    found = [verdict for verdict in told if verdict is not None]
    assert {(one.arrival.where[2], one.stored.offset) for one in found if one.arrival and one.stored} == {
        (at, at) for at in range(30)
    }
    assert sorted(one.verdict for one in found) == [DUPLICATE] * 15 + [VALID] * 15


def test_a_dead_letter_is_told_once() -> None:
    """It names its original by coordinates; without the raw record it shows the original that it holds, and the raw
    record that is read later is not told again."""
    read, joiner = Arrivals(world()), Joiner()
    dead = letter(topic=BACKEND, partition=3, offset=0, value=envelope(properties={"amount": "12"}))
    arrival = read(Raw(dead.value))
    joiner.arrive(arrival, 0)
    verdict = joiner.bury(dead, read.of_letter(dead))
    assert (verdict.verdict, verdict.arrival, joiner.pending) == ("schema_violation", arrival, 0)

    joiner = Joiner()
    verdict = joiner.bury(dead, read.of_letter(dead))
    assert verdict.arrival is not None
    assert verdict.arrival.where == arrival.where
    assert joiner.ahead == 1
    assert joiner.arrive(arrival, 0) is None
    assert (joiner.pending, joiner.ahead) == (0, 0)


def test_a_dead_letter_of_the_rules_names_the_event_it_follows() -> None:
    """Its original is a journal record: the verdict has its arrival too."""
    joiner = Joiner()
    arrival, stored = judged(bought(), offset=9)
    joiner.arrive(arrival, 0)
    joiner.store(stored, 0)
    dead = letter(topic="offerflow.journal", partition=1, offset=9, reason="duplicate_conflict")
    verdict = joiner.bury(dead, None, stored)
    assert (verdict.verdict, verdict.arrival) == ("duplicate_conflict", arrival)


def test_a_duplicate_is_named() -> None:
    """The same id of the same user again, whether or not the content is the same; of another user it is none."""
    joiner = Joiner()

    def tell(record: Raw, at: int) -> Verdict:
        arrival, stored = judged(record, offset=at)
        joiner.arrive(arrival, 0)
        verdict = joiner.store(stored, 0)
        assert verdict is not None
        return verdict

    assert tell(bought(0), 0).verdict == VALID
    again = tell(bought(1), 1)
    assert (again.verdict, again.note) == (DUPLICATE, "its id came before, in the journal at 1/0: it counts once")
    assert "with other content" in tell(bought(2, amount=13), 2).note
    other = Raw(envelope(user_id="u-2", event_id="e-1", properties={"amount": 1}), offset=3)
    assert tell(other, 3).verdict == VALID


def test_who_waits_is_told_once_and_still_gets_its_verdict() -> None:
    """After a while an arrival is shown as it is; its verdict follows when it comes."""
    joiner = Joiner()
    arrival, stored = judged(bought())
    joiner.arrive(arrival, 10)
    assert list(joiner.waiting(9.5, "late")) == []
    assert [one.verdict for one in joiner.waiting(10, "late")] == [WAITING]
    assert list(joiner.waiting(11, "late")) == []
    verdict = joiner.store(stored, 12)
    assert verdict is not None
    assert verdict.verdict == VALID


def test_a_dropped_event_waits_no_more() -> None:
    """Validation has passed it by."""
    joiner = Joiner()
    arrival, _ = judged(bought())
    joiner.arrive(arrival, 0)
    assert joiner.pendings(0) == [arrival]
    assert joiner.drop(arrival, "off").verdict == DROPPED
    assert joiner.pendings(99) == []


def test_a_journal_record_without_arrival_is_told_after_a_while() -> None:
    """As when retention has taken the raw record; should it be read later, it is not told again."""
    joiner = Joiner()
    arrival, stored = judged(bought())
    joiner.store(stored, 5)
    assert list(joiner.unmatched(4)) == []
    [verdict] = joiner.unmatched(6)
    assert (verdict.verdict, verdict.arrival) == (VALID, None)
    assert joiner.arrive(arrival, 7) is None


def test_memory_is_bounded() -> None:
    """While validation is away the oldest arrivals are forgotten."""
    joiner = Joiner()
    read = Arrivals(world())
    for at in range(MOST + 5):
        joiner.arrive(read(bought(offset=at, event_id=str(at))), at)
    joiner.forget()
    assert joiner.pending == MOST
    assert joiner.pendings(5)[0].event_id == "5"

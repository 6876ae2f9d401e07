"""What a tick does: what is due fires in order, no more at once than is good, and a failure costs one timer."""

from __future__ import annotations

from typing import Any

import pytest

from offerflow.rules import fold as module
from offerflow.rules.fold import ENTITIES_PER_TICK, SWEPT_PER_TICK
from offerflow.rules.outcomes import OfferEntered, OfferExited
from offerflow.rules.state import unpack_partition
from schemas.folding.book import CatalogBook
from schemas.folding.partition import Partition
from tests.consumers.rules.world import (
    MINUTE,
    NOON,
    Journalled,
    Outcome,
    activation,
    catalog_of,
    fold,
    happened,
    tick,
)
from tests.consumers.rules.world import offer as an_offer

GRACE = 10 * MINUTE
A = {"event": "A"}
BRIEF = an_offer("brief", A, expires_after="1h")
FIRES = NOON + 60 * MINUTE + GRACE


@pytest.fixture
def book() -> CatalogBook:
    """r0: A enters for an hour. r1: the offer is withdrawn. r2: the same again."""
    return CatalogBook(catalog_of([[BRIEF], [{**BRIEF, "withdraw": True}], [BRIEF]]))


def entering(book: CatalogBook, number: int, **given: Any) -> list[Journalled]:
    """An A of each of so many users, whose names are not in the order of their numbers."""
    return [happened(1 + n, book, f"u:{n * 7919 % number:05}", {"name": "A", **given}) for n in range(number)]


def exits(outputs: list[Any]) -> list[str | None]:
    return [one.user_id for one in outputs if isinstance(one, OfferExited)]


def time(outcome: Any) -> int:
    return unpack_partition(outcome.fold).time


def test_time_moves_by_ticks_alone(book: CatalogBook) -> None:
    """To the tick's time, never beyond its append time, never back; events move it by nothing."""
    found = fold(book, [activation(0, 0), happened(1, book, "u:a", {"name": "A", "time": NOON + 99 * MINUTE})])
    assert time(found) == 0
    for at, (due, appended, expected) in enumerate([
        (NOON, NOON + 5, NOON), (NOON + 7, NOON + 3, NOON + 3), (NOON - 9, NOON + 9, NOON + 3), (NOON + 4, NOON - 9,
         NOON + 3), (NOON + 4, NOON + 4, NOON + 4),
    ]):  # fmt: skip
        found = fold(book, [tick(9 + at, due, appended)], start=found)
        assert time(found) == expected


def test_a_timer_fires_when_it_is_due_and_not_before(book: CatalogBook) -> None:
    """At due time plus grace to the millisecond, once."""
    found = fold(book, [activation(0, 0), *entering(book, 1), tick(5, FIRES - 1)])
    assert (exits(found.outputs), found.timers) == ([], {"u:00000": FIRES})
    found = fold(book, [tick(6, FIRES)], start=found)
    assert (exits(found.outputs), found.timers, found.opened) == (["00000"], {}, set())
    assert exits(fold(book, [tick(7, FIRES + 1), tick(8, FIRES + GRACE)], start=found).outputs) == ["00000"]


def test_a_storm_is_worked_off_tick_by_tick(book: CatalogBook) -> None:
    """20,000 timers of one moment: no tick fires more than its share, time stands until the last, each fires once, in
    the order of the entities."""
    number = 20_000
    found = fold(book, [activation(0, 0), *entering(book, number)])
    assert (len(found.timers), set(found.timers.values())) == (number, {FIRES})
    assert len([one for one in found.outputs if isinstance(one, OfferEntered)]) == number
    found.outputs.clear()
    for n in range(number // ENTITIES_PER_TICK):
        assert len(exits(found.outputs)) == n * ENTITIES_PER_TICK
        found = fold(book, [tick(30_000 + n, FIRES + 5)], start=found)
        assert time(found) == (FIRES if found.timers else FIRES + 5)
    assert not found.timers
    assert exits(found.outputs) == [f"{n:05}" for n in range(number)]


def test_the_owner_is_told_that_more_is_due(book: CatalogBook) -> None:
    """A tick that left something to do is owed again with the same time; the last one is not."""
    found = fold(book, [activation(0, 0), *entering(book, ENTITIES_PER_TICK + 1)])
    partition = Partition(3, 0, 0, found.fold, {}, book)  # type: ignore[arg-type]
    for owed in (FIRES + 1, None):
        partition.asked_for = FIRES + 1
        records: list[Any] = [tick(9000, FIRES + 1)]
        reach = partition.reach(records)
        found.take(partition.fold(records, found.load([], reach), reach, 9001))
        assert (partition.asked_for, partition.owed, partition.ahead) == (None, owed, (FIRES + 1, 0))


def test_due_times_come_first(book: CatalogBook) -> None:
    """Timers that may fire by one tick fire in the order of their due times, then of their entities, whatever the order
    in which they came to be allowed to."""
    moments = [("u:c", 0, 50), ("u:a", 5, 20), ("u:b", 5, 0), ("u:d", 1, 0)]
    records = [happened(1 + at, book, entity, {"name": "A", "time": NOON + minute * MINUTE,
                                               "received_at": NOON + (60 + late) * MINUTE})
               for at, (entity, minute, late) in enumerate(moments)]  # fmt: skip
    found = fold(book, [activation(0, 0), *records, tick(9, FIRES + 120 * MINUTE)])
    assert exits(found.outputs) == ["c", "d", "a", "b"]


def test_an_event_fires_its_own_timers_first(book: CatalogBook) -> None:
    """Where a storm holds time back, an entity that acts is served before its turn, and fires no second time."""
    found = fold(book, [activation(0, 0), *entering(book, ENTITIES_PER_TICK + 1), tick(9000, FIRES)])
    last = f"{ENTITIES_PER_TICK:05}"
    assert list(found.timers) == [f"u:{last}"]
    found.outputs.clear()
    event = happened(9001, book, f"u:{last}", {"name": "A", "time": FIRES, "received_at": FIRES})
    found = fold(book, [event, tick(9002, FIRES)], start=found)
    assert (exits(found.outputs), found.timers) == ([last], {})


class BrokenRuleError(Exception):
    """What a rule of ours must never raise, and does here."""


@pytest.mark.parametrize("sizes", [(), (1,) * 20])
def test_a_timer_that_fails_is_consumed(
    book: CatalogBook, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...]
) -> None:
    """One dead letter for the tick, naming the timer and the entity; the others fire, and it is not tried again."""
    whole = module.fire

    def broken(rules: Any, entity: str, state: Any, *more: Any) -> Any:
        if entity in ("u:00001", "u:00003"):
            whole(rules, entity, state, *more)
            raise BrokenRuleError("half-way")
        return whole(rules, entity, state, *more)

    monkeypatch.setattr(module, "fire", broken)
    records = [activation(0, 0), *entering(book, 5), tick(10, FIRES), tick(11, FIRES + 1)]
    found = fold(book, records, sizes)
    assert exits(found.outputs) == ["00000", "00002", "00004"]
    assert found.timers == {}
    ((offset, letter),) = found.dead
    assert (offset, letter.reason) == (10, "rule_error")
    assert "u:00001" in letter.detail
    assert "brief" in letter.detail
    assert "1 more" in letter.detail
    assert fold(book, records, sizes, committed=11).dead == []


def test_everybody_leaves_a_withdrawn_offer(book: CatalogBook) -> None:
    """By ticks that nothing else calls for, some at a time, in the order of entities; then the sweep is over."""
    number = 2 * SWEPT_PER_TICK + 1
    found = fold(book, [activation(0, 0), *entering(book, number), activation(9000, 1)])
    partition = Partition(3, 0, 0, found.fold, {}, book)  # type: ignore[arg-type]
    assert partition.sweeping
    found.outputs.clear()
    for n in range(1, 4):
        found = fold(book, [tick(9000 + n, NOON + 5)], start=found)
        assert exits(found.outputs) == [f"{m:05}" for m in range(min(n * SWEPT_PER_TICK, number))]
    assert {one.reason for one in found.outputs if isinstance(one, OfferExited)} == {"withdrawn"}
    assert (found.opened, found.timers) == (set(), {})
    assert not Partition(3, 0, 0, found.fold, {}, book).sweeping  # type: ignore[arg-type]


def test_who_acts_leaves_a_withdrawn_offer_at_once(book: CatalogBook) -> None:
    """Without waiting for the sweep, which then finds nobody."""
    found = fold(book, [activation(0, 0), *entering(book, 2), activation(10, 1)])
    found = fold(book, [happened(11, book, "u:00001", {"name": "A", "time": NOON + 1})], start=found)
    assert exits(found.outputs) == ["00001"]
    assert exits(fold(book, [tick(12, NOON)], start=found).outputs) == ["00001", "00000"]


def test_a_tick_that_cannot_be_read_moves_nothing(book: CatalogBook) -> None:
    """Garbage under the id of a tick is a dead letter, no end of the stage."""
    found = fold(book, [activation(0, 0), *entering(book, 1), Journalled(5, b"\0\0\0\0\1")])
    assert (time(found), exits(found.outputs)) == (0, [])
    assert [(offset, letter.reason) for offset, letter in found.dead] == [(5, "rule_error")]


@pytest.mark.parametrize(("asked_for", "ahead"), [(NOON + 300, (NOON + 300, 290)), (NOON + 5, None), (None, None)])
def test_a_tick_of_ours_tells_how_far_ahead_we_are(
    book: CatalogBook, asked_for: int | None, ahead: tuple[int, int] | None
) -> None:
    """Its time against the broker's append time; ticks of others, folded again, tell nothing about our clock."""
    partition = Partition(3, 0, 0, None, {}, book)  # type: ignore[arg-type]
    partition.asked_for = asked_for
    records: list[Any] = [tick(1, NOON + 300, NOON + 10)]
    reach = partition.reach(records)
    partition.fold(records, Outcome().load([], reach), reach, 2)
    assert partition.ahead == ahead

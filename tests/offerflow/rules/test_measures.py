"""What leaves measure, and the windows they look at."""

from __future__ import annotations

from typing import Any

import pytest

from tests.offerflow.rules.samples import DAY, Definition, Entity, offer

AMOUNTS = {"of": "amount"}


def bought(**more: Any) -> Definition:
    return {"event": "Bought", **more}


def entered_at(entry: Definition, *days: float, amounts: tuple[float, ...] = (), **settings: Any) -> list[int]:
    """The positions of the purchases, on these days, that enter an offer with this entry."""
    entity = Entity(offer("o", entry, **settings))
    found = []
    for at, day in enumerate(days):
        amount = amounts[at] if amounts else 1
        if "OfferEntered o" in entity.day(day, "Bought", order_id=f"o{at}", amount=amount):
            found.append(at)
    return found


@pytest.mark.parametrize(
    ("measure", "amounts", "expected"),
    [
        ({"count": {"at_least": 2}}, (1, 1, 1), [1]),
        ({"count": {"more_than": 2}}, (1, 1, 1), [2]),
        ({"count": {"exactly": 2}}, (1, 1, 1), [1]),
        ({"sum": {**AMOUNTS, "at_least": 30}}, (10, 19.99, 0.01), [2]),
        ({"sum": {**AMOUNTS, "at_least": 0.3}}, (0.1, 0.2), [1]),
        ({"sum": {**AMOUNTS, "more_than": 0.3}}, (0.1, 0.2), []),
        ({"max": {**AMOUNTS, "at_least": 5}}, (4, 5, 6), [1]),
        ({"min": {**AMOUNTS, "less_than": 5}}, (9, 4, 3), [1]),
        ({"average": {**AMOUNTS, "at_most": 5}}, (9, 2, 4), [2]),
        ({"average": {**AMOUNTS, "exactly": 0.2}}, (0.1, 0.3), [1]),
        ({"distinct": {"of": "order_id", "at_least": 3}}, (1, 1, 1), [2]),
        ({"distinct": {"of": "amount", "at_least": 2}}, (1, 1.0, 2), [2]),
    ],
)
def test_each_measure_compares(measure: Definition, amounts: tuple[float, ...], expected: list[int]) -> None:
    """Sums and averages are exact in decimals, and equal numbers are one value however they are written."""
    assert entered_at(bought(**measure), *range(len(amounts)), amounts=amounts) == expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [((0, 0.1, 0.2), []), ((0, 1, 2), [2]), ((0, 1, 3, 4, 5), [4]), ((0, 2, 4), [])],
)
def test_a_streak_is_of_consecutive_days(days: tuple[float, ...], expected: list[int]) -> None:
    """Several events of a day are one, and a day without one starts anew."""
    assert entered_at(bought(streak={"at_least": 3}), *days) == expected


def test_days_need_not_be_consecutive() -> None:
    """Each calendar day counts once."""
    assert entered_at(bought(days={"at_least": 3}), 0, 0.1, 5, 9) == [3]


def test_days_are_those_of_the_time_zone() -> None:
    """NOON is 13:33 UTC: ten hours and a half later it is another day in Berlin, but not yet in UTC."""
    leaf = bought(days={"at_least": 2})
    assert entered_at(leaf, 0, 9 / 24) == []
    assert entered_at(leaf, 0, 9 / 24, timezone="Europe/Berlin") == [1]


def test_a_gap_counts_what_comes_after_a_silence() -> None:
    """The first event is no gap, nor is one that comes too soon; a late one measures nothing."""
    leaf = bought(gap={"at_least": "30d"})
    assert entered_at(leaf, 0, 10, 41) == [2]
    assert entered_at(leaf, 0, 29.99, 59) == []
    assert entered_at(leaf, 0, 30) == [1]
    entity = Entity(offer("o", leaf), {"kind": "settings", "id": "rules", "allowed_lateness": "100d"})
    for day in (50, 60, 10):
        assert entity.day(day, "Bought", order_id=f"o{day}", amount=1) == []


def test_a_rolling_window_includes_both_ends() -> None:
    """An event exactly as old as the window still counts, one a millisecond older does not."""
    leaf = bought(count={"at_least": 2}, within="2d")
    assert entered_at(leaf, 0, 2) == [1]
    assert entered_at(leaf, 0, 2 + 1 / DAY) == []


def test_a_rolling_window_fires_again_once_it_was_false() -> None:
    """An offer that ended may be entered by the next time the condition becomes true."""
    leaf = bought(count={"at_least": 2}, within="2d")
    assert entered_at(leaf, 0, 1, 2, 10, 11, completion="immediate", reentry="after_completion") == [1, 4]


def test_a_fixed_window_counts_from_and_to() -> None:
    """NOON is 2026-09-21: events of other days are not counted."""
    leaf = bought(count={"at_least": 2}, **{"from": "2026-09-22", "to": "2026-09-23"})
    assert entered_at(leaf, 0, 1, 2, 3) == [2]
    assert entered_at(leaf, 0, 1, 3, 4) == []


def test_a_system_event_is_not_any_event() -> None:
    """``"*"`` is every type but those marked as system events."""
    entity = Entity(offer("o", {"event": "*", "count": {"at_least": 2}}))
    assert entity.says("Opened") == ["unread"]
    assert entity.says("A") == []
    assert entity.says("B") == ["OfferEntered o"]


def test_beyond_max_hits_the_oldest_go() -> None:
    """A leaf that keeps two hits sums two."""
    leaf = bought(sum={**AMOUNTS, "at_least": 5}, max_hits=2)
    assert entered_at(leaf, 0, 1, 2, 3, amounts=(2, 2, 2, 3)) == [3]


def test_a_late_event_counts_where_it_belongs() -> None:
    """It completes a window that closed before, at the moment of the later event, and no window that rolled on."""
    entity = Entity(offer("o", bought(count={"at_least": 2}, within="1d")))
    assert entity.day(1, "Bought", order_id="o1", amount=1) == []
    assert entity.day(5, "Bought", order_id="o2", amount=1) == []
    assert entity.day(0.5, "Bought", order_id="o3", amount=1) == ["OfferEntered o"]
    assert entity.decisions[-1].outputs[0].entered_at == entity.state.instances[0].entered_at  # type: ignore[union-attr]
    assert entity.decisions[-1].late


def test_a_late_event_does_not_fire_what_held_already() -> None:
    """An entry that held at one of the moments without it was entered, or refused, then."""
    entity = Entity(offer("o", bought()))
    assert entity.day(2, "Bought", order_id="o1", amount=1) == ["OfferEntered o"]
    assert entity.day(1, "Bought", order_id="o2", amount=1) == []


def test_an_event_beyond_the_allowed_lateness_is_ignored() -> None:
    """Unless it is exempt, as imports and replays are."""
    entity = Entity(offer("o", bought(count={"at_least": 2})))
    assert entity.day(10, "Bought", order_id="o1", amount=1) == []
    assert entity.day(3 - 1 / DAY, "Bought", order_id="o2", amount=1) == ["too_late"]
    assert entity.day(3 - 1 / DAY, "Bought", order_id="o3", amount=1, exempt=True) == ["OfferEntered o"]

"""Runs through an offer: what counts for them, how they end, and what comes late."""

from __future__ import annotations

from typing import Any

import pytest

from offerflow.rules.outcomes import RewardSatisfied
from tests.offerflow.rules.samples import DAY, NOON, Definition, Entity, offer

A, B, C, D = ({"event": name} for name in "ABCD")
REWARD = {"id": "r", "value": "10 EUR"}
LATE = {"kind": "settings", "id": "rules", "allowed_lateness": "3d"}


def expiring(**more: Any) -> Definition:
    return offer("o", A, B, expires_after="2d", reward=REWARD, **more)


def test_expiry_is_announced_when_time_is_up() -> None:
    """At the time it was due, once, a grace later."""
    entity = Entity(expiring())
    entity.day(0, "A")
    assert entity.tick(2) == []
    assert entity.tick(2.1) == ["OfferExited o"]
    (one,) = entity.decisions[-1].outputs
    assert (one.reason, one.exited_at) == ("expired", NOON + 2 * DAY)  # type: ignore[union-attr]
    assert entity.tick(9) == []


@pytest.mark.parametrize(("day", "pays"), [(2, True), (2 + 1 / DAY, False)])
def test_nothing_after_the_expiry_completes(day: float, pays: bool) -> None:
    """Fired or not; what happened exactly then still does."""
    entity = Entity(expiring())
    entity.day(0, "A")
    assert ("RewardSatisfied o" in entity.day(day, "B")) == pays


def test_a_late_completion_pays() -> None:
    """An event from before the expiry, folded after it fired: the reward is late, and no second exit is announced."""
    entity = Entity(expiring(), LATE)
    entity.day(0, "A")
    entity.tick(3)
    assert entity.day(1, "B") == ["RewardSatisfied o"]
    (reward,) = entity.decisions[-1].outputs
    assert isinstance(reward, RewardSatisfied)
    assert (reward.late, reward.satisfied_at) == (True, NOON + DAY)
    assert entity.day(1.5, "B") == []


def test_a_completion_may_be_too_late() -> None:
    """Once the entity's clock is past the expiry and the allowed lateness, nothing completes it any more."""
    for clock, pays in ((5, True), (5 + 1 / DAY, False)):
        entity = Entity(expiring(), offer("p", D), LATE)
        entity.day(0, "A")
        entity.tick(3)
        entity.day(clock, "D")
        assert entity.day(2, "B", exempt=True) == (["RewardSatisfied o"] if pays else [])


def test_a_late_entry_finds_what_happened_after_it() -> None:
    """What was folded before the entering event but happened after it counts, up to the allowed lateness."""
    entity = Entity(expiring(), LATE)
    assert entity.day(1, "B") == []
    assert entity.day(0, "A") == ["OfferEntered o", "RewardSatisfied o", "OfferExited o"]
    assert entity.state.closed[0].ended_at == NOON + DAY


def test_the_entering_event_counts_if_it_should() -> None:
    """With ``count_entry_event`` it is the first of the completion's."""
    twice = {**A, "count": {"at_least": 2}}
    assert Entity(offer("o", A, twice)).story("AAA")[-1] == "2 OfferExited o"
    assert Entity(offer("o", A, twice, count_entry_event=True)).story("AAA")[-1] == "1 OfferExited o"
    assert Entity(offer("o", A, A, count_entry_event=True)).story("A") == ["0 OfferEntered o", "0 OfferExited o"]


def test_a_completion_may_count_what_was_before() -> None:
    """``since: ever`` counts as in an entry, but it takes an event to ask."""
    entity = Entity(offer("o", A, {**B, "count": {"at_least": 2}, "since": "ever"}))
    assert entity.story("BAB") == ["1 OfferEntered o", "2 OfferExited o"]


def test_exit_ends_without_reward() -> None:
    """It counts since the entry too, and is asked only if the completion does not hold."""
    entity = Entity(offer("o", A, B, exit=C, reward=REWARD))
    assert entity.story("CAC") == ["1 OfferEntered o", "2 OfferExited o"]
    entity = Entity(offer("o", A, B, exit={"any": [B, C]}, reward=REWARD))
    assert entity.story("AB")[1:] == ["1 RewardSatisfied o", "1 OfferExited o"]


def test_immediate_completes_at_the_entry() -> None:
    """With the entry's evidence."""
    entity = Entity(offer("o", {**A, "count": {"at_least": 2}}, "immediate", reward=REWARD))  # type: ignore[arg-type]
    assert entity.story("AA") == ["1 OfferEntered o", "1 RewardSatisfied o", "1 OfferExited o"]
    (reward,) = [one for one in entity.decisions[-1].outputs if isinstance(one, RewardSatisfied)]
    assert [item.event_id for item in reward.evidence] == ["e0", "e1"]


def test_withdrawn_everybody_leaves() -> None:
    """With the next record of the entity, or by a sweep; and nobody enters."""
    for sweep in (True, False):
        entity = Entity(offer("o", A, B, reentry="after_completion"))
        entity.day(1, "A")
        entity.activate(offer("o", A, B, reentry="after_completion", withdraw=True))
        assert (entity.sweep() if sweep else entity.day(2, "D")) == (["OfferExited o"] if sweep else ["unread"])
        assert entity.day(3, "A") == ([] if sweep else ["OfferExited o"]) + ["ended o"]
        (one,) = entity.decisions[1 if sweep else -1].outputs
        assert (one.reason, one.exited_at) == ("withdrawn", NOON + DAY)  # type: ignore[union-attr]


def test_a_variant_may_complete_in_its_own_way() -> None:
    """By its own completion where it has one."""
    variants = [{"id": "v", "completion": C}]
    assert Entity(offer("o", A, B, variants=variants)).story("ABC") == ["0 OfferEntered o", "2 OfferExited o"]


def test_an_exit_may_name_another_offer() -> None:
    """Who completes one offer leaves the other with the same record."""
    entity = Entity(offer("a", A, D, exit={"completed_offer": "z"}), offer("z", A, B))
    assert entity.story("AB")[2:] == ["1 OfferExited a", "1 OfferExited z"]


def test_what_counts_is_kept_as_long_as_it_may_matter() -> None:
    """Events of completions are kept for the allowed lateness, and for open instances without end."""
    entity = Entity(offer("o", A, {**B, "count": {"at_least": 500}}), LATE)
    for day in range(40):
        entity.day(day, "B")
    assert len(entity.state.leaves[next(iter(entity.state.leaves))]) <= 12
    entity.day(40, "A")
    for day in range(41, 81):
        entity.day(day, "B")
    assert max(len(hits) for hits in entity.state.leaves.values()) >= 40

"""Rewards: pending, satisfied, fulfilled, expired, reversed; refunds and requests."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from offerflow.rules.outcomes import RewardFulfilled, RewardReversed, RewardSatisfied
from offerflow.rules.requests import EnterOffer, FulfilReward, ReverseReward
from offerflow.rules.rewards import reward_id
from tests.offerflow.rules.samples import DAY, NOON, Definition, Entity, offer

A, B = {"event": "A"}, {"event": "B"}
BOUGHT = {"event": "Bought"}


def paying(entry: Definition = A, completion: Any = BOUGHT, **reward: Any) -> Definition:
    return offer("o", entry, completion, reward={"id": "r", "value": "10 EUR", **reward})


def bought(entity: Entity, day: float, order: str = "o1", amount: float = 20) -> list[str]:
    return entity.day(day, "Bought", order_id=order, amount=amount)


def refunded(entity: Entity, day: float, order: str = "o1") -> list[str]:
    return entity.day(day, "Refunded", order_id=order, amount=1)


def test_a_pending_reward_is_announced_when_its_time_is_over() -> None:
    """With the evidence of its completion, satisfied at the time it was due."""
    entity = Entity(paying(pending="3d"))
    entity.day(0, "A")
    assert bought(entity, 1) == ["OfferExited o"]
    assert entity.tick(4) == []
    assert entity.tick(4.1) == ["RewardSatisfied o"]
    (reward,) = entity.decisions[-1].outputs
    assert isinstance(reward, RewardSatisfied)
    assert (reward.satisfied_at, [item.event_id for item in reward.evidence]) == (NOON + 4 * DAY, ["e1"])
    assert (reward.value, reward.currency) == (Decimal(10), "EUR")
    assert [one for decision in entity.decisions for one in decision.rewards] == [("r", "pending"), ("r", "satisfied")]


def test_a_computed_value_is_of_the_event_that_earned_it() -> None:
    """Rounded half-even to the minor unit, and held at its maximum."""
    entity = Entity(
        offer(
            "o", BOUGHT, "immediate", reentry={"per_key": "order_id"},  # type: ignore[arg-type]
            reward={"id": "r", "value": {"expr": "amount * 0.05", "max": 20, "currency": "EUR"}},
        )
    )  # fmt: skip
    values = []
    for n, amount in enumerate((10.5, 10.7, 1000)):
        bought(entity, n, f"o{n}", amount)
        values += [one.value for one in entity.decisions[-1].outputs if isinstance(one, RewardSatisfied)]
    assert values == [Decimal("0.52"), Decimal("0.54"), Decimal("20.00")]


def test_a_reward_expires() -> None:
    """What is not fulfilled in time is reversed; what was fulfilled stays."""
    for fulfilled in (False, True):
        entity = Entity(paying(expires_after="5d"))
        entity.day(0, "A")
        bought(entity, 1)
        if fulfilled:
            assert entity.request(FulfilReward, 2, reward_id=reward_id(entity.state.closed[0]), by="shop") == [
                "RewardFulfilled paid"
            ]
        assert entity.tick(7) == ([] if fulfilled else ["RewardReversed expired"])


def test_a_refund_while_pending_takes_the_reward_without_a_word() -> None:
    """Nobody was told of it; the instance stays completed and earns no second time."""
    entity = Entity(paying(pending="3d"))
    entity.day(0, "A")
    bought(entity, 1)
    assert refunded(entity, 2) == []
    assert entity.decisions[-1].rewards == (("r", "void"),)
    assert entity.tick(9) == []
    assert bought(entity, 10, "o2") == []


def test_a_refund_afterwards_reverses_the_reward() -> None:
    """With the refunding event as evidence, once."""
    entity = Entity(paying())
    entity.day(0, "A")
    bought(entity, 1)
    assert refunded(entity, 2) == ["RewardReversed refund"]
    (one,) = entity.decisions[-1].outputs
    assert isinstance(one, RewardReversed)
    assert ([item.event for item in one.evidence], one.reversed_at) == (["Refunded"], NOON + 2 * DAY)
    assert refunded(entity, 3) == []


def test_a_reward_that_still_holds_is_kept() -> None:
    """If other events make the completion hold, at that moment or a later one."""
    entity = Entity(paying(completion={**BOUGHT, "count": {"at_least": 2}}))
    entity.day(0, "A")
    for n in range(3):
        bought(entity, 1 + n, f"o{n}")
    assert refunded(entity, 5, "o0") == []
    assert refunded(entity, 6, "o2") == ["RewardReversed refund"]


def test_an_immediate_reward_is_asked_of_its_entry() -> None:
    """As it was then: what came later does not save it."""
    entity = Entity(paying(BOUGHT, "immediate"))
    assert bought(entity, 1) == ["OfferEntered o", "RewardSatisfied o", "OfferExited o"]
    assert bought(entity, 2, "o2") == []
    assert refunded(entity, 3) == ["RewardReversed refund"]


def test_an_entry_is_asked_again_though_its_rules_are_gone() -> None:
    """Leaves of an entry that completes at once stay in force for good, so refunds are read and reverse."""
    entity = Entity(paying(BOUGHT, "immediate"))
    assert bought(entity, 1) == ["OfferEntered o", "RewardSatisfied o", "OfferExited o"]
    entity.activate(offer("p", A))
    assert bought(entity, 2, "o2") == []
    assert refunded(entity, 3) == ["RewardReversed refund"]


@pytest.mark.parametrize(("days", "reversed_"), [(90, True), (90 + 1 / DAY, False)])
def test_a_refund_reaches_back_90_days(days: float, reversed_: bool) -> None:
    """Between the purchase and the refund."""
    entity = Entity(paying())
    entity.day(0, "A")
    bought(entity, 1)
    assert (refunded(entity, 1 + days) == ["RewardReversed refund"]) == reversed_


def test_what_was_refunded_before_it_came_never_counts() -> None:
    """A purchase folded after its refund is no hit; another order is."""
    entity = Entity(paying())
    entity.day(0, "A")
    assert refunded(entity, 2) == []
    assert bought(entity, 1) == []
    assert bought(entity, 3, "o2") == ["RewardSatisfied o", "OfferExited o"]


def test_a_refund_takes_hits_from_every_measure() -> None:
    """A count that had three has two, and needs another."""
    entity = Entity(offer("o", {**BOUGHT, "count": {"at_least": 3}}))
    for n in range(2):
        bought(entity, n, f"o{n}")
    refunded(entity, 3, "o0")
    assert bought(entity, 4, "o4") == []
    assert bought(entity, 5, "o5") == ["OfferEntered o"]


def test_a_refund_ends_a_wait() -> None:
    """What did not happen after a purchase that is no more is not told."""
    entity = Entity(offer("o", {"absent": B, "after": BOUGHT, "within": "2d"}))
    bought(entity, 0)
    refunded(entity, 1)
    assert entity.tick(5) == []


def test_a_reward_is_reversed_by_hand() -> None:
    """Satisfied or fulfilled; a second time there is nothing to reverse."""
    entity = Entity(paying())
    entity.day(0, "A")
    bought(entity, 1)
    wanted = reward_id(entity.state.closed[0])
    assert entity.request(FulfilReward, 2, reward_id=wanted, by="shop") == ["RewardFulfilled paid"]
    (paid,) = entity.decisions[-1].outputs
    assert isinstance(paid, RewardFulfilled)
    assert (paid.reward_id, paid.by, paid.fulfilled_at) == (wanted, "shop", NOON + 2 * DAY)
    assert entity.request(FulfilReward, 2, reward_id=wanted, by="shop") == ["no_such_reward"]
    assert entity.request(ReverseReward, 3, reward_id=wanted) == ["RewardReversed manual"]
    assert entity.request(ReverseReward, 3, reward_id=wanted) == ["no_such_reward"]


def test_an_anonymous_entity_earns_nothing() -> None:
    """Neither at once nor later."""
    entity = Entity(paying(pending="1d"), name="a:cookie")
    entity.day(0, "A")
    assert bought(entity, 1) == ["OfferExited o"]
    assert entity.tick(5) == []


def test_entering_by_code_and_by_api() -> None:
    """Whatever the case of letters; without asking the entry's condition, but everything else."""
    ways = [
        offer("c", {**A, "code": "WELCOME26"}, BOUGHT, audience={"none": [B]}), offer("p", {"api": True}, BOUGHT),
        offer("n", A, BOUGHT),
    ]  # fmt: skip
    entity = Entity(*ways)
    assert entity.request(EnterOffer, 0, code="welcome26") == ["OfferEntered c"]
    (one,) = entity.decisions[-1].outputs
    assert (one.via, [item.event for item in one.evidence]) == ("code", ["offerflow.EnterOffer"])  # type: ignore[union-attr]
    assert entity.request(EnterOffer, 0, offer="p") == ["OfferEntered p"]
    assert entity.request(EnterOffer, 0, offer="p") == ["already_in p"]
    assert entity.request(EnterOffer, 0, offer="n") == ["unknown_offer n"]
    assert entity.request(EnterOffer, 0, code="nothing") == ["unknown_code"]
    other = Entity(*ways)
    other.day(0, "B")
    assert other.request(EnterOffer, 0, code="WELCOME26") == ["not_in_audience c"]


def test_a_request_repeated_is_dropped() -> None:
    """And it does not move the entity's clock."""
    entity = Entity(offer("p", {"api": True}, BOUGHT, reentry="after_completion"))
    assert entity.request(EnterOffer, 5, offer="p", event_id="q") == ["OfferEntered p"]
    assert entity.request(EnterOffer, 5, offer="p", event_id="q") == ["duplicate"]
    assert bought(entity, 5.5) == ["OfferExited p"]
    assert entity.state.clock == NOON + round(5.5 * DAY)


def test_a_request_gives_the_key() -> None:
    """Where entries are told apart by one."""
    entity = Entity(offer("p", {"api": True}, "immediate", reentry={"per_key": "order_id"}))  # type: ignore[arg-type]
    assert entity.request(EnterOffer, 0, offer="p") == ["unknown_offer p"]
    assert entity.request(EnterOffer, 0, offer="p", key="k") == ["OfferEntered p", "OfferExited p"]
    assert entity.request(EnterOffer, 0, offer="p", key="k") == ["already_in p"]

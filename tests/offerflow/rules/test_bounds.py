"""What one entity can make of its state: instances, keys and texts are bounded, and late events cost one pass."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import pytest

from offerflow.rules import fold as folding
from offerflow.rules.decide import decide, leave, sweep
from offerflow.rules.fold import Fold
from offerflow.rules.measures import day_of
from offerflow.rules.outcomes import RewardSatisfied
from offerflow.rules.requests import EnterOffer, FulfilReward
from offerflow.rules.rewards import reward_id
from offerflow.rules.state import PartitionState, Status, pack
from offerflow.rules.states import MemoryStates
from offerflow.rules.zones import zone
from tests.offerflow.rules.samples import DAY, NOON, TYPES, Definition, Entity, an_event, offer, ruleset, told

PER_ORDER: dict[str, Any] = {"reentry": {"per_key": "order_id"}, "reward": {"id": "r", "value": "10 EUR"}}
BOUGHT = {"event": "Bought"}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of five instead of a thousand."""
    monkeypatch.setattr("offerflow.rules.entries.MAX_HELD", 5)
    monkeypatch.setattr("offerflow.rules.instances.MAX_CLOSED", 5)
    monkeypatch.setattr("offerflow.rules.instances.MAX_KEYS", 5)


def bought(entity: Entity, *orders: int) -> list[str]:
    return [text for n in orders for text in entity.day(n / 1000, "Bought", order_id=f"o{n}", amount=20)]


@pytest.mark.usefixtures("few")
def test_no_pending_reward_is_forgotten() -> None:
    """Entries beyond the bound are refused, and each of the others is announced when its time is over."""
    entity = Entity(offer("o", BOUGHT, "immediate", **{**PER_ORDER, "reward": {"id": "r", "pending": "3d"}}))
    said = bought(entity, *range(9))
    assert (said.count("OfferEntered o"), said.count("capped o")) == (5, 4)
    assert entity.tick(10) == ["RewardSatisfied o"] * 5
    assert bought(entity, 9, 10)[:1] == ["OfferEntered o"]


@pytest.mark.usefixtures("few")
def test_what_is_over_for_good_is_forgotten_before_what_may_still_be_paid() -> None:
    """Of satisfied and fulfilled rewards the fulfilled go first, then the oldest."""
    entity = Entity(offer("o", BOUGHT, "immediate", **PER_ORDER))
    bought(entity, *range(5))
    paid = entity.state.closed[3]
    assert entity.request(FulfilReward, 0.1, reward_id=reward_id(paid), by="shop") == ["RewardFulfilled paid"]
    bought(entity, 5, 6)
    assert [one.key for one in entity.state.closed] == ["o0", "o1", "o2", "o4", "o5", "o6"]
    bought(entity, 7)
    assert [one.key for one in entity.state.closed] == ["o1", "o2", "o4", "o5", "o6", "o7"]


@pytest.mark.usefixtures("few")
def test_a_key_is_remembered_while_its_instance_is_open() -> None:
    """However many keys come after it."""
    entity = Entity(offer("o", BOUGHT, {"event": "B"}, **PER_ORDER), offer("p", {"event": "C"}, {"event": "B"}))
    bought(entity, *range(8))
    assert set(entity.state.offers["o"].keys) == {"o0", "o1", "o2", "o3", "o4", "o7"}
    assert entity.day(1, "C") == ["capped p"]
    assert bought(entity, 0) == ["already_in o"]


def test_long_texts_are_kept_as_digests() -> None:
    """Values, keys and what refunds look for: equal texts stay equal, and others different."""
    entity = Entity(
        offer("o", BOUGHT, "immediate", **PER_ORDER),
        offer("d", {"event": "A", "distinct": {"of": "s", "at_least": 3}}, {"event": "B"}),
        offer("t", {"event": "A", "count": {"at_least": 9}}, {"profile": 's == "x"'}),
    )
    long = "x" * 5000
    assert [entity.says("A", s=text) for text in (long, long + "y", long)] == [[], [], []]
    assert entity.says("A", s="x" * 64) == ["OfferEntered d"]
    assert entity.says("Bought", order_id=long, amount=1.0)[:1] == ["OfferEntered o"]
    assert entity.says("Bought", order_id=long + "y", amount=1.0)[:1] == ["OfferEntered o"]
    assert entity.says("Bought", order_id=long, amount=1.0) == ["already_in o"]
    assert entity.says("Refunded", order_id=long, amount=1.0) == ["RewardReversed refund"]
    entity.says("Identified", s="x" * 1024)
    entity.says("Identified", s="x" * 1025)
    assert entity.state.traits == {"s": "x" * 1024}
    assert entity.request(EnterOffer, 1, offer=long) == ["unknown_offer"]
    assert len(entity.packed or b"") < 4000


def test_a_request_with_an_id_of_other_content_is_a_conflict() -> None:
    """So a payout under a number that was used before is not lost without a word."""
    entity = Entity(offer("o", {"event": "A"}, "immediate", reward={"id": "r", "value": "10 EUR"}))
    entity.day(0, "A")
    (reward,) = [one for one in entity.decisions[-1].outputs if isinstance(one, RewardSatisfied)]
    fulfil: dict[str, Any] = {"event_id": "payout-1", "reward_id": reward.id, "by": "run"}
    assert entity.request(FulfilReward, 1, content_hash=1, **fulfil) == ["RewardFulfilled paid"]
    assert entity.request(FulfilReward, 1, content_hash=1, **fulfil) == ["duplicate"]
    assert entity.request(FulfilReward, 1, content_hash=2, **fulfil) == ["conflict"]


def test_a_refund_of_another_order_leaves_a_reward_whose_traits_changed_since() -> None:
    """Traits and offers are asked as they were at the completion; the hits that are left decide."""
    entity = Entity(
        offer("o", {"event": "A"}, {"all": [BOUGHT, {"profile": 'plan == "pro"'}]},
              reward={"id": "r", "value": "1 EUR"}),
        offer("i", {"all": [BOUGHT, {"none": [{"completed_offer": "o"}]}, {"in_offer": "o"}]}, "immediate",
              reward={"id": "r", "value": "1 EUR"}, reentry="never"),
    )  # fmt: skip
    entity.day(0, "Identified", plan="pro")
    entity.day(0.1, "A")
    entity.day(1, "Bought", order_id="1", amount=5)
    entity.day(1.1, "Bought", order_id="2", amount=5)
    entity.day(2, "Identified", plan="free")
    assert entity.day(3, "Refunded", order_id="2", amount=1) == []
    assert entity.day(4, "Refunded", order_id="1", amount=1) == ["RewardReversed refund"]


LEAVES: list[Definition] = [
    *({"event": "A", kind: {"of": "x", "at_least": 10**9}, "within": "30d"}
      for kind in ("sum", "min", "max", "average")),
    {"event": "A", "distinct": {"of": "x", "at_least": 900}, "within": "30d"},
    {"event": "A", "days": {"at_least": 30}, "within": "30d"},
    {"event": "A", "streak": {"at_least": 30}},
    {"event": "A", "count": {"at_least": 990, "at_most": 999}, "within": "30d"},
    {"sequence": ["A", "A", "B"], "within": "2d"},
]  # fmt: skip


def test_a_late_event_costs_one_pass_over_the_hits() -> None:
    """With a thousand hits after it, of every measure: calls in proportion to the hits, where asking each moment of
    them made millions."""
    entity = Entity(*(offer(f"o{n}", leaf, {"event": "B"}) for n, leaf in enumerate(LEAVES)))
    state = entity.state
    for n in range(1000):
        at = NOON + DAY + n * 60_000
        decide(entity.rules, "u:ann", state, an_event("A", n, x=n % 7 / 2, time=at), TYPES["A"], 0)
    late = an_event("A", 1000, x=1.5, time=NOON)
    calls = Counter[str]()
    sys.setprofile(lambda frame, happened, argument: calls.update((happened,)))
    try:
        decide(entity.rules, "u:ann", state, late, TYPES["A"], 0)
    finally:
        sys.setprofile(None)
    assert calls["call"] + calls["c_call"] < 300 * 1000


def test_many_moments_are_answered_as_one_by_one() -> None:
    """Every measure, over windows that move, hits that fall out of them, and moments between hits."""
    entity = Entity(
        *(offer(f"o{n}", {**leaf, "within": "3h"} if "event" in leaf else leaf, {"event": "B"})
          for n, leaf in enumerate(list[Definition]([
              *({"event": "A", kind: {"of": "x", "at_least": 1}} for kind in ("sum", "min", "max", "average")),
              {"event": "A", "sum": {"of": "x", "at_least": -1, "less_than": -0.5}},
              {"event": "A", "max": {"of": "x", "exactly": 2}},
              {"event": "A", "distinct": {"of": "x", "at_least": 3}}, {"event": "A", "days": {"at_least": 2}},
              {"event": "A", "count": {"exactly": 3}}, {"sequence": ["A", "A", "B"], "within": "2h"},
          ]))),
        offer("s", {"event": "A", "streak": {"exactly": 2}}, {"event": "B"}),
    )  # fmt: skip
    state = entity.state
    for n in range(60):
        at = NOON + (n * n * 47) % 997 * 300_000
        name = "B" if n % 9 == 8 else "A"
        decide(entity.rules, "u:ann", state, an_event(name, n, x=(n * 5 % 9 - 3) / 2, time=at), TYPES[name], 0)
    moments = list(range(NOON - 7, NOON + 4 * DAY, 1_900_000))
    answers = set()
    for prepared in entity.rules.active.values():
        entry = prepared.entry
        assert entry is not None
        for start in range(0, len(moments), 7):
            some = moments[start:]
            expected = next((at for at in some if entry.holds(state, at)), None)
            assert entry.first(state, some) == expected, prepared.offer.id
            answers.add(expected)
    assert len(answers) > 10


def test_a_tick_fires_so_many_timers_of_all_entities(monkeypatch: pytest.MonkeyPatch) -> None:
    """T stops where the next would fire, and the rest goes on with the next tick: each fires once."""
    monkeypatch.setattr(folding, "FIRINGS_PER_TICK", 10)
    made = ruleset(offer("o", BOUGHT, {"event": "B"}, expires_after="1d", reentry={"per_key": "order_id"}))
    states = MemoryStates()
    one = Fold(3, PartitionState(), lambda _: made, states)
    one.activate("r1")
    for n in range(24):
        event = an_event("Bought", n, order_id=f"o{n}", amount=1.0, user_id=f"u{n % 3}")
        one.event(f"u:u{n % 3}", event, TYPES["Bought"])
    until, fired, times = NOON + 3 * DAY, [], []
    while True:
        passed = one.tick(until, until, 99)
        fired.append(sum(len(told(decision)) for _, decision in passed.decisions))
        times.append(one.state.time)
        if not passed.more:
            break
    assert fired == [10, 10, 4]
    assert times == [NOON + 10 + DAY + 600_000, NOON + 20 + DAY + 600_000, until]


def test_days_beyond_the_calendar_are_its_first_and_last() -> None:
    """In zones that are behind or ahead of UTC."""
    assert day_of(-62135596800000, zone("America/New_York")) == 1
    assert day_of(253402300799999, zone("Pacific/Auckland")) == 3652059


def test_a_withdrawal_that_fails_can_be_used_up() -> None:
    """The instances end without a word, and nothing is left to withdraw."""
    entity = Entity(offer("o", {"event": "A"}, {"event": "B"}, expires_after="2d"))
    entity.day(0, "A")
    entity.activate(offer("o", {"event": "A"}, {"event": "B"}, expires_after="2d", withdraw=True))
    state = entity.state
    leave(entity.rules, state, 0)
    assert [one.status for one in state.instances] == [Status.WITHDRAWN]
    assert (state.offers["o"].open, state.timer) == (0, None)
    assert sweep(entity.rules, "u:ann", state, 9, 0).outputs == ()
    assert len(pack(state)) > 0

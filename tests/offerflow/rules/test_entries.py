"""Who is let into an offer: re-entry, cooldown, caps, keys, groups, times, and the reasons to refuse."""

from __future__ import annotations

from typing import Any

import pytest

from offerflow.rules.state import MAX_KEYS
from tests.offerflow.rules.samples import DAY, Definition, Entity, offer

A, B, C, D = ({"event": name} for name in "ABCD")


def again(reentry: Any, **more: Any) -> Definition:
    return offer("o", A, B, reentry=reentry, exit=C, **more)


@pytest.mark.parametrize(
    ("reentry", "events", "expected"),
    [
        ("after_completion", "ABA", [0, 2]),
        ("after_completion", "ACA", [0, 2]),
        ("after_expiry", "ACA", [0, 2]),
        ("after_expiry", "ABA", [0]),
        ("never", "ACA", [0]),
        ("after_completion", "AABA", [0, 3]),
    ],
)
def test_reentry(reentry: str, events: str, expected: list[int]) -> None:
    """Once an instance ended in any way, once it ended without completion, or never; never while one is open."""
    story = Entity(again(reentry)).story(events)
    assert [int(text.split()[0]) for text in story if "OfferEntered" in text] == expected


def test_a_firing_uses_up_what_led_to_it() -> None:
    """With re-entry a count of three fires on every third, refused firings included."""
    three = {**A, "count": {"at_least": 3}}
    entity = Entity(offer("o", three, "immediate", reentry="after_completion"))  # type: ignore[arg-type]
    assert [at for at in range(9) if "OfferEntered o" in entity.says("A")] == [2, 5, 8]
    entity = Entity(offer("o", three, D, reentry="after_completion"))
    assert entity.story("A" * 7) == ["2 OfferEntered o", "5 already_in o"]


def test_what_came_while_inside_is_used_up_by_the_end() -> None:
    """After the end of an instance only what is folded later counts."""
    entity = Entity(offer("o", {**A, "count": {"at_least": 2}}, B, reentry="after_completion"))
    assert [text for text in entity.story("AAABAA") if "Entered" in text] == ["1 OfferEntered o", "5 OfferEntered o"]


def test_cooldown() -> None:
    """From the end of the last instance to the next entry, at the entry's moment."""
    entity = Entity(again("after_completion", cooldown="2d"))
    entity.day(0, "A")
    entity.day(1, "B")
    assert entity.day(3 - 1 / DAY, "A") == ["cooldown o"]
    assert entity.day(3, "A") == ["OfferEntered o"]


def test_caps_count_entries() -> None:
    """Of the user, over all instances."""
    entity = Entity(again("after_completion", caps={"per_user": 2}))
    assert entity.story("ABABA") == [
        "0 OfferEntered o", "1 OfferExited o", "2 OfferEntered o", "3 OfferExited o", "4 capped o",
    ]  # fmt: skip


def test_offers_start_and_end() -> None:
    """NOON is 2026-09-21; outside nobody enters, and who is inside may complete."""
    entity = Entity(again("after_completion", starts="2026-09-22", ends="2026-09-23"))
    assert entity.day(0, "A") == ["not_started o"]
    assert entity.day(2, "A") == ["OfferEntered o"]
    assert entity.day(3, "B") == ["OfferExited o"]
    assert entity.day(4, "A") == ["ended o"]


def test_a_paused_offer_lets_nobody_in() -> None:
    """Who is inside may complete."""
    entity = Entity(again("after_completion"))
    entity.story("A")
    entity.activate(again("after_completion", status="paused"))
    assert entity.story("BA") == ["0 OfferExited o", "1 paused o"]


def test_the_first_reason_is_told() -> None:
    """In the order of the documentation, whatever else holds."""
    entity = Entity(offer("o", A, D, ends="2026-01-01", audience=C))
    assert entity.says("A") == ["ended o"]
    assert [(one.offer, one.reason) for one in entity.state.refusals] == [("o", "ended")]


def test_a_group_is_exclusive() -> None:
    """The highest priority enters, ties by id; who is in one is refused by the others until it ends."""
    group = [
        offer("a", A, B, exclusive={"group": "g", "priority": 1}),
        offer("b", A, B, exclusive={"group": "g", "priority": 2}, reentry="after_completion"),
        offer("c", A, B, exclusive={"group": "g", "priority": 2}),
        offer("d", A, B),
    ]
    entity = Entity(*group)
    assert entity.says("A") == ["OfferEntered b", "OfferEntered d", "exclusive c", "exclusive a"]
    assert entity.story("BA")[2:] == ["1 OfferEntered b"]


def test_an_entry_may_name_another_offer() -> None:
    """It sees entries and completions of the same record, whatever the ids."""
    entity = Entity(offer("z", A, B), offer("a", {"in_offer": "z"}), offer("b", {"completed_offer": "z"}))
    assert entity.says("A") == ["OfferEntered a", "OfferEntered z"]
    assert entity.says("B") == ["OfferEntered b", "OfferExited z"]


def test_each_key_enters_once() -> None:
    """Entries per key stand side by side, and count hits of their key alone."""
    entry = {"event": "Bought", "count": {"at_least": 2}}
    entity = Entity(offer("o", entry, reentry={"per_key": "order_id"}))
    found = [entity.says("Bought", order_id=order, amount=1) for order in ("k", "l", "l", "k", "k", "k")]
    assert found == [[], [], ["OfferEntered o"], ["OfferEntered o"], [], ["already_in o"]]
    assert [one.key for one in entity.state.instances] == ["l", "k"]


def test_so_many_keys_are_remembered() -> None:
    """The latest; an older one may enter again."""
    entity = Entity(offer("o", {"event": "Bought"}, "immediate", reentry={"per_key": "order_id"}))  # type: ignore[arg-type]
    for n in range(MAX_KEYS + 1):
        entity.says("Bought", order_id=f"k{n}", amount=1)
    assert entity.says("Bought", order_id="k1", amount=1) == ["already_in o"]
    assert entity.says("Bought", order_id="k0", amount=1) == ["OfferEntered o", "OfferExited o"]


def test_traits_may_let_in() -> None:
    """An entry is asked when a trait that it reads changes, of the traits after the record."""
    entity = Entity(offer("o", {"all": [A, {"profile": 'plan == "pro"'}]}))
    assert entity.says("A") == []
    assert entity.says("Identified", plan="free") == []
    assert entity.says("Identified", plan="pro") == ["OfferEntered o"]
    assert entity.says("Identified", plan="pro") == []


def test_a_trait_is_the_latest_by_time() -> None:
    """Whatever order events come in; null removes it."""
    entity = Entity(offer("o", A, audience={"profile": 'plan == "pro"'}))
    entity.day(2, "Identified", plan="pro")
    entity.day(1, "Identified", plan="free")
    assert entity.state.traits == {"plan": "pro"}
    entity.day(3, "Identified", plan=None)
    assert entity.state.traits == {}
    assert entity.day(3, "A") == ["not_in_audience o"]


def test_the_holdout_enters_and_earns_nothing() -> None:
    """It is measured by the offer's own completion."""
    entity = Entity(offer("o", A, B, holdout="100%", reward={"id": "r", "value": "10 EUR"}))
    assert entity.story("AB") == ["0 OfferEntered o", "1 OfferExited o"]
    (one,) = entity.decisions[0].outputs
    assert (one.variant, one.holdout) == ("holdout", True)  # type: ignore[union-attr]


def test_nobody_is_in_an_offer_that_is_not_live() -> None:
    """As far as others ask: an instance of a draft, or of an offer that is gone, runs on, and counts again once it is
    live."""
    live, other = offer("a", A, D), offer("o", B, audience={"in_offer": "a"}, reentry="after_completion")
    for said, expected in (({"status": "draft"}, "not_in_audience o"), ({}, "OfferEntered o")):
        entity = Entity(live)
        entity.says("A")
        entity.activate({**live, **said}, other)
        assert entity.says("B") == [expected]

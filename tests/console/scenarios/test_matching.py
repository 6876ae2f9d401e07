"""Expectations against what happened: what meets, what differs, what is left over."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from console.scenarios.happenings import Happening, Witness
from console.scenarios.matching import Miss, compare
from console.scenarios.model import Expected, Kind
from console.scenarios.times import Calendar
from offerflow.rules.outcomes import (
    OfferEntered,
    OfferExited,
    Refusal,
    RewardFulfilled,
    RewardReversed,
    RewardSatisfied,
)

ENTERED = Happening("entered", "upgrade", "anna", "upgrade", {"variant": "bold", "via": "event"}, "i")
PAID = Happening("satisfied", "voucher", "anna", "upgrade", {"value": "10 EUR", "late": False}, "i")
DONE = Happening("exited", "upgrade", "anna", "upgrade", {"reason": "completed"}, "i")
OTHER = Happening("entered", "bonus", "anna", "bonus", {"variant": "default"}, "k")
DEAD = Happening("dead_letter", "schema_violation", "anna", detail="amount: expected a number")
LATE = Happening("ignored", "too_late", "anna")
UNREAD = Happening("ignored", "unread", "anna")
REFUSED = Happening("refused", "upgrade", "anna", "upgrade", {"reason": "not_in_audience"})


def want(kind: Kind, name: str, **wants: Any) -> Expected:
    return Expected(kind, name, wants, ())


def texts(misses: list[Miss]) -> list[tuple[str, str]]:
    return [(miss.wanted, miss.got) for miss in misses]


def check(expected: list[Expected], happened: list[Happening], **options: Any) -> list[tuple[str, str]]:
    watched = options.pop("watched", frozenset({"upgrade"}))
    return texts(compare(expected, happened, watched, **{"allow_other": False, **options}))


def test_everything_expected_and_nothing_else() -> None:
    """What is expected happens, in whatever order it is written; a completion is told by its reward."""
    assert (
        check([want("satisfied", "voucher"), want("entered", "upgrade", variant="bold")], [ENTERED, PAID, DONE]) == []
    )
    assert check([want("exited", "upgrade", reason="completed"), want("entered", "upgrade")], [ENTERED, DONE]) == []


def test_what_was_not_expected() -> None:
    """Of an offer that is watched it must be said, of others it need not; a dead letter always must."""
    assert check([], [ENTERED]) == [("", "entered upgrade: variant bold")]
    assert check([], [DONE]) == [("", "exited upgrade: reason completed")]
    assert check([], [OTHER]) == []
    assert check([], [OTHER], watched=None) == [("", "entered bonus: variant default")]
    assert check([], [ENTERED], allow_other=True) == []
    assert check([], [DEAD], allow_other=True) == [("", "dead letter schema_violation (amount: expected a number)")]
    assert check([], [LATE]) == [("", "ignored too_late")]
    assert check([], [UNREAD, REFUSED]) == []
    assert check([want("ignored", "unread"), want("refused", "upgrade")], [UNREAD, REFUSED]) == []


def test_what_differs_stands_side_by_side() -> None:
    """A miss names what happened instead: with other facts, refused, or never judged at all."""
    asked = [want("satisfied", "voucher", value="20 EUR", late=True)]
    assert check(asked, [PAID]) == [
        ("satisfied voucher: value 20 EUR, late", "satisfied voucher: value 10 EUR, not late")
    ]
    assert check([want("entered", "upgrade")], [REFUSED]) == [
        ("entered upgrade", "refused upgrade: reason not_in_audience")
    ]
    assert check([want("entered", "upgrade")], [DEAD]) == [
        ("entered upgrade", "dead letter schema_violation (amount: expected a number)")
    ]
    assert check([want("entered", "upgrade")], []) == [("entered upgrade", "")]


def test_how_often_is_told() -> None:
    """What happens more or less often than expected says so."""
    once, again = want("entered", "upgrade"), want("entered", "upgrade")
    assert check([once, again], [ENTERED]) == [("entered upgrade", "expected twice, got once")]
    assert check([once, again, want("entered", "upgrade")], [ENTERED, ENTERED]) == [
        ("entered upgrade", "expected 3 times, got twice")
    ]
    assert check([once], [ENTERED, ENTERED]) == [("", "entered upgrade: variant bold (expected once, got twice)")]


@pytest.mark.parametrize("order", [1, -1])
def test_who_asks_for_most_chooses_first(order: int) -> None:
    """Two entries, one of which anybody would meet: the picky expectation gets the one that meets it."""
    second = Happening("entered", "upgrade", "ben", "upgrade", {"variant": "plain"}, "k")
    expected = [want("entered", "upgrade"), want("entered", "upgrade", variant="plain", user="ben")]
    assert check(expected[::order], [second, ENTERED][::order]) == []


def test_attributes_are_met_by_those_that_are_named() -> None:
    """An expectation names the attributes it cares for."""
    entered = Happening("entered", "upgrade", "anna", "upgrade", {"attributes": {"headline": "Save", "aim": "x"}})
    assert check([want("entered", "upgrade", attributes={"aim": "x"})], [entered]) == []
    (miss,) = check([want("entered", "upgrade", attributes={"aim": "y"})], [entered])
    assert miss == ("entered upgrade: attributes {aim: y}", "entered upgrade: attributes {headline: Save, aim: x}")


def test_outputs_become_happenings_in_the_words_of_scenarios() -> None:
    """Every output, with times as the scenario tells them, people by name, and rewards by theirs."""
    calendar = Calendar.of("1970-01-01", "UTC")
    witness = Witness(calendar, lambda entity: {"u:anna-2": "anna", "a:v": "v (anonymous)"}[entity])
    assert witness.last_reward("anna-2", "voucher") is None
    entered = OfferEntered(
        id="1", user_id=None, anonymous_id="v", offer="upgrade", offer_version="f", instance="i", variant="bold",
        attributes={"headline": "Save"}, entered_at=0, expires_at=86_400_000, via="code", ruleset="r", evidence=[],
    )  # fmt: skip
    paid = RewardSatisfied(
        id="2", user_id="anna-2", reward="voucher", value=Decimal("10.50"), currency="EUR", offer="upgrade",
        variant="bold", attributes={}, instance="i", satisfied_at=60_000, ruleset="r", evidence=[], evidence_count=0,
    )  # fmt: skip
    badge = RewardSatisfied(
        id="3", user_id="anna-2", reward="badge", value=None, currency=None, offer="upgrade", variant="bold",
        attributes={}, instance="i", satisfied_at=60_000, ruleset="r", evidence=[], evidence_count=0,
    )  # fmt: skip
    exited = OfferExited(
        id="4", user_id="anna-2", anonymous_id=None, offer="upgrade", instance="i", variant="bold", reason="expired",
        exited_at=0,
    )  # fmt: skip
    fulfilled = RewardFulfilled(id="5", user_id="anna-2", reward_id="2", fulfilled_at=0, by="shop")
    undone = RewardReversed(id="6", user_id="anna-2", reward_id="2", reason="refund", reversed_at=0, evidence=[])
    told = list(witness.saw([entered, paid, badge, exited, fulfilled, undone]))
    assert [(one.text(), one.who) for one in told] == [
        ("entered upgrade: variant bold", "v (anonymous)"),
        ("satisfied voucher: value 10.50 EUR, variant bold", "anna"),
        ("satisfied badge: value none, variant bold", "anna"),
        ("exited upgrade: reason expired, variant bold", "anna"),
        ("fulfilled voucher: by shop", "anna"),
        ("reversed voucher: reason refund", "anna"),
    ]
    assert told[0].facts["expires_at"] == "day 2 00:00"
    assert told[1].facts["satisfied_at"] == "day 1 00:01"
    assert [one.offer for one in told] == ["upgrade"] * 6
    assert witness.last_reward("anna-2", "voucher") == "2"
    (refused,) = witness.refused("u:anna-2", [Refusal("upgrade", "capped")])
    assert refused.text() == "refused upgrade: reason capped"

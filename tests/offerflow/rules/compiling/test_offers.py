"""What offers become: their keys in milliseconds, their order, their versions, their variants and rewards."""

from __future__ import annotations

import hashlib
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from offerflow.rules.durations import DAY, HOUR, MINUTE
from offerflow.rules.events import Event
from offerflow.rules.ids import content_hash
from offerflow.rules.offers import Entry, Value
from tests.offerflow.rules.compiling.samples import (
    BUYS,
    SIGNS_UP,
    Definition,
    compiled,
    condition,
    offer,
    ruleset,
    settings,
)  # fmt: skip

EVERYTHING = offer(
    "o", {**SIGNS_UP, "code": "Up26", "api": True}, status="paused", audience={"none": [BUYS]}, completion=BUYS,
    count_entry_event=True, expires_after="14d", exit=BUYS, reentry="after_expiry", cooldown="7d",
    caps={"per_user": 3}, exclusive={"group": "g", "priority": 10}, starts="1970-01-02", ends="1970-01-02",
    timezone="Europe/Berlin", withdraw=True, holdout="2.5%",
    variants=[{"id": "plain", "weight": 3, "attributes": {"b": "2", "a": "1"},
               "reward": {"id": "r", "value": "10 EUR", "pending": "1d", "expires_after": "2d"}},
              {"id": "bold", "completion": "immediate", "reward": {"id": "r"}}],
)  # fmt: skip


def test_an_offer_with_everything() -> None:
    """Every key of the definition arrives, codes in upper case, durations and dates in milliseconds."""
    made = compiled(EVERYTHING)
    assert (made.entry.code, made.entry.api, made.paused, made.withdrawn) == ("UP26", True, True, True)
    assert (made.count_entry_event, made.expires_after, made.cooldown) == (True, 14 * DAY, 7 * DAY)
    assert (made.reentry, made.key, made.per_user, made.group, made.priority) == ("after_expiry", None, 3, "g", 10)
    assert (made.starts, made.ends, made.holdout) == (DAY - HOUR, 2 * DAY - HOUR - 1, 250)
    plain, bold = made.variants
    assert (plain.weight, list(plain.attributes.items())) == (3, [("a", "1"), ("b", "2")])
    assert plain.reward is not None
    assert (plain.reward.value, plain.reward.pending, plain.reward.expires_after) == (
        Value("EUR", Decimal(10)), DAY, 2 * DAY,
    )  # fmt: skip
    assert bold.reward is not None
    assert (plain.completion is made.completion, bold.completion, bold.reward.value) == (True, "immediate", None)


def test_what_an_offer_is_by_default() -> None:
    """An offer that says as little as it can."""
    made = compiled(offer("o", {"code": "x"}))
    (variant,) = made.variants
    assert (made.entry, made.audience, made.exit, made.completion) == (Entry(None, "X", False), None, None, None)
    assert (made.reentry, made.starts, made.ends, made.expires_after, made.per_user) == (
        "never",
        None,
        None,
        None,
        None,
    )
    assert (variant.id, variant.weight, variant.attributes, variant.reward) == ("default", 1, {}, None)


def test_settings_of_a_ruleset() -> None:
    """They are as documented unless they are written."""
    one, other = ruleset(offer()), ruleset(offer(), settings(allowed_lateness="1d", grace="0s"))
    assert (one.settings.allowed_lateness, one.settings.grace) == (7 * DAY, 10 * MINUTE)
    assert (other.settings.allowed_lateness, other.settings.grace) == (DAY, 0)


def test_drafts_are_not_there() -> None:
    """A draft is checked and left out: what names it can still be asked, and does not wait for it."""
    made = ruleset(offer("a", {"in_offer": "b"}, status="draft"), offer("b", BUYS,
    audience={"none": [{"in_offer": "a"}]}),
                   offer("c"))  # fmt: skip
    assert [(name, one.rank) for name, one in made.offers.items()] == [("b", 0), ("c", 0)]


def test_offers_that_others_name_come_first() -> None:
    """The rank is how deep an offer depends on others, in whatever slot it names them; itself it may name."""
    made = ruleset(
        offer("a", {"any": [BUYS, {"in_offer": "b"}]}), offer("b", BUYS, audience={"completed_offer": "c"}),
        offer("c"), offer("d", audience={"none": [{"completed_offer": "d"}]}), offer("e", exit={"in_offer": "a"}),
        offer("f", completion={"all": [BUYS, {"completed_offer": "e"}]}),
        offer("g", variants=[{"id": "v"}, {"id": "w", "completion": {"completed_offer": "f"}}]),
    )  # fmt: skip
    ranks = {name: one.rank for name, one in made.offers.items()}
    assert ranks == {"a": 2, "b": 1, "c": 0, "d": 0, "e": 3, "f": 4, "g": 5}


def test_a_long_line_of_offers() -> None:
    """Each names the one before; the last is as deep as the line is long."""
    made = ruleset(offer("o0"), *(offer(f"o{n}", {"in_offer": f"o{n - 1}"}) for n in range(1, 1500)))
    assert made.offers["o1499"].rank == 1499


BASE = [condition("c", any=[{"condition": "d"}, BUYS]), condition("d", **BUYS, where="amount > 1"),
        condition("unused", **BUYS)]  # fmt: skip
OFFER = offer(
    "o", {"condition": "c"}, completion=BUYS, audience={"none": [BUYS]}, reward={"id": "r", "value": "10 EUR"}
)
DAILY = {**OFFER, "exit": {**BUYS, "days": {"at_least": 2}}}


def version(*definitions: Definition) -> str:
    return ruleset(*definitions).offers["o"].version


@pytest.mark.parametrize(
    ("definitions", "same"),
    [
        ([*BASE, OFFER], True),
        ([OFFER, *reversed(BASE)], True),
        ([*BASE[:2], condition("unused", **SIGNS_UP), OFFER], True),
        ([*BASE, condition("new", **SIGNS_UP), OFFER, offer("p")], True),
        ([*BASE, {**OFFER, "name": "for people", "description": "too"}], True),
        ([{**BASE[0], "name": "for people"}, BASE[1], OFFER], True),
        ([*BASE, OFFER, settings(timezone="Asia/Tokyo", grace="1m")], True),
        ([BASE[0], condition("d", **BUYS, where="amount > 2"), OFFER], False),
        ([condition("c", any=[{"condition": "d"}, SIGNS_UP]), BASE[1], OFFER], False),
        ([*BASE, {**OFFER, "completion": SIGNS_UP}], False),
        ([*BASE, {**OFFER, "audience": {"none": [SIGNS_UP]}}], False),
        ([*BASE, {**OFFER, "exit": SIGNS_UP}], False),
        ([*BASE, {**OFFER, "withdraw": True}], False),
        ([*BASE, {**OFFER, "timezone": "UTC"}], False),
        ([*BASE, {**OFFER, "reward": {"id": "r", "value": "11 EUR"}}], False),
        ([*BASE, {**OFFER, "reward": {"id": "s", "value": "10 EUR"}}], False),
    ],
)  # fmt: skip
def test_a_version_names_what_an_offer_says(definitions: list[Definition], same: bool) -> None:
    """It changes with the offer and with any condition it asks, directly or not, and with nothing else."""
    assert (version(*definitions) == version(*BASE, OFFER)) is same


def test_a_version_knows_the_zone_of_its_days() -> None:
    """Where days are counted the zone of the settings is part of what an offer says."""
    assert version(*BASE, DAILY) != version(*BASE, DAILY, settings(timezone="Asia/Tokyo"))
    assert version(*BASE, DAILY) == version(*BASE, DAILY, settings(timezone="UTC", allowed_lateness="1d"))


def test_content_hash_is_stable() -> None:
    """The hash is written into catalogs and outputs, so its recipe is fixed: canonical JSON, SHA-256, 16 digits."""
    text = '{"a":[1,2.5,true,null],"ä":"x"}'.encode()
    expected = hashlib.sha256(len(text).to_bytes(4, "big") + text).hexdigest()[:16]
    assert content_hash({"ä": "x", "a": [1, 2.5, True, None]}) == expected == "8af6aae029ec681a"


def recomputed(weights: list[int], entity: str, name: str = "o") -> str:
    """The published recipe, by hand."""
    fields = [field.encode() for field in ("variant", name, entity)]
    digest = hashlib.sha256(b"".join(len(field).to_bytes(4, "big") + field for field in fields)).digest()
    point = int.from_bytes(digest[:8], "big") * sum(weights) >> 64
    return next(f"v{n}" for n in range(len(weights)) if sum(weights[: n + 1]) > point)


@pytest.mark.parametrize("weights", [[1], [1, 1], [1, 2, 3], [1_000_000, 1], [1, 1_000_000, 1]])
def test_a_variant_is_chosen_by_the_published_recipe(weights: list[int]) -> None:
    """Any number of users get the variant that an outsider computes for them."""
    made = compiled(offer(variants=[{"id": f"v{n}", "weight": weight} for n, weight in enumerate(weights)]))
    entities = [f"{kind}:{n}ä" for kind in "ua" for n in range(100)]
    assert [made.variant_of(one) for one in entities] == [recomputed(weights, one) for one in entities]


def test_weights_are_shares() -> None:
    """Of 4,000 users, a quarter get the variant that has a quarter of the weight, after a tenth went to the holdout."""
    made = compiled(offer(variants=[{"id": "few"}, {"id": "many", "weight": 3}], holdout="10%"))
    counted = Counter(made.variant_of(f"u:{n}") for n in range(4000))
    assert 340 < counted["holdout"] < 460
    assert 780 < counted["few"] < 1020


def test_offers_choose_apart() -> None:
    """A user's variant in one offer says nothing of the other."""
    two = [{"id": "v"}, {"id": "w"}]
    made = ruleset(offer("o", variants=two), offer("p", variants=two)).offers
    assert len({(made["o"].variant_of(f"u:{n}"), made["p"].variant_of(f"u:{n}")) for n in range(30)}) == 4


def worth(amount: Any, **more: Any) -> Decimal:
    """What the expression gives for a purchase of ``amount``."""
    reward = {"id": "r", "value": {"expr": "amount * 0.05", "currency": "EUR", **more}}
    (variant,) = compiled(offer("o", BUYS, completion="immediate", reward=reward)).variants
    assert variant.reward is not None
    assert variant.reward.value is not None
    assert variant.reward.value.compute is not None
    event = Event("PurchaseCompleted", "e", "ann", None, 5, 5, "shop", "backend", 0, {"amount": amount}, 0, 0)
    return variant.reward.value.compute(event)


@pytest.mark.parametrize(
    ("amount", "more", "value"),
    [
        (59.9, {}, "3.00"), (0.1, {"expr": "amount * 3"}, "0.30"), (1000, {"max": 20}, "20.00"), (1, {"min": 2},
         "2.00"),
        (2.5, {"expr": "amount", "currency": "JPY"}, "2"), (3.5, {"expr": "amount", "currency": "JPY"}, "4"),
        (0.125, {"expr": "amount"}, "0.12"), (0.375, {"expr": "amount"}, "0.38"), (5, {"expr": "0 - amount"}, "0.00"),
        (10, {"expr": "amount / 3"}, "3.33"), (7, {"expr": "amount + 7 % 4 + 1.005", "currency": "KWD"}, "11.005"),
        (7.5, {"expr": "-(amount - 10)"}, "2.50"), (0.1 + 0.2, {"expr": "amount * 1000000", "currency": "KWD"},
         "300000.000"), (1e15, {"max": 5.5}, "5.50"),
    ],
)  # fmt: skip
def test_values_are_decimals(amount: Any, more: Definition, value: str) -> None:
    """A double is the shortest decimal that reads back as it; held at the bounds, then rounded half to even."""
    assert str(worth(amount, **more)) == value


@pytest.mark.parametrize(
    ("amount", "more", "words"),
    [(None, {}, "needs amount, which is missing"), ("5", {}, "needs amount, which is no number"), (True, {},
     "no number"),
     (0, {"expr": "1 / amount"}, "no result: DivisionByZero"), (0, {"expr": "amount / amount"}, "no result"),
     (1e300, {}, "more than 14 digits"), (float("inf"), {}, "no number|no result|more than 14 digits")],
)  # fmt: skip
def test_values_that_have_no_result(amount: Any, more: Definition, words: str) -> None:
    """What the plan promised and an event breaks, or what cannot be computed, is an error of that record."""
    with pytest.raises(ValueError, match=words):
        worth(amount, **more)

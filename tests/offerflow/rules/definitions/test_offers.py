"""Offers, rewards, settings and sources as people write them: what is taken, what is refused, and in which words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from offerflow.rules.definitions import (
    NOT_YET,
    OfferDefinition,
    SettingsDefinition,
    SourceDefinition,
    known_keys,
    plain,
)
from offerflow.rules.durations import DAY
from tests.offerflow.rules.definitions.written import LEAF, an_offer, refused

EXPRESSION = {"expr": "x * 0.05", "currency": "EUR"}


def test_an_offer_that_has_everything() -> None:
    """Every key of an offer is taken, and comes back as it was written."""
    written = an_offer(
        name="N", description="D", status="paused", entry={"condition": "c", "code": "UP26", "api": True},
        audience={"none": [LEAF]}, completion={"in_offer": "p"}, count_entry_event=True, expires_after="14d", exit=LEAF,
        reentry={"per_key": "order_id"}, cooldown="7d", caps={"per_user": 3}, exclusive={"group": "g", "priority": -1},
        starts="2026-03-01", ends="2026-05-31T12:00:00Z", timezone="Europe/Berlin", withdraw=True, holdout="2.5%",
        variants=[
            {"id": "plain", "weight": 3, "attributes": {"headline": "Save"},
             "reward": {"id": "r", "value": "7.5000 USD", "pending": "14d", "expires_after": "90d"}},
            {"id": "bold", "completion": "immediate", "reward": {"id": "r", "value": {**EXPRESSION, "max": 20}}},
            {"id": "none", "weight": 1_000_000, "completion": LEAF},
        ],
    )  # fmt: skip
    definition = OfferDefinition.model_validate(written)
    assert plain(definition) == written
    assert definition.holdout is not None
    assert definition.holdout.parts == 250


@pytest.mark.parametrize(
    "more",
    [
        {"entry": {"code": "UP26"}}, {"entry": {"api": True}}, {"entry": {**LEAF, "where": "x > 1", "code": "UP26"}},
        {"reentry": "never"}, {"reentry": "after_expiry"}, {"reentry": "after_completion"}, {"status": "draft"},
        {"completion": "immediate", "reward": {"id": "r"}}, {"exclusive": {"group": "g"}}, {"cooldown": "0s"},
        {"variants": [{"id": "v", "completion": LEAF, "reward": {"id": "r"}}, {"id": "w"}]}, {"holdout": "100%"},
        {"completion": LEAF, "reward": {"id": "r", "value": {**EXPRESSION, "min": 1, "max": 1.5}}},
    ],
)  # fmt: skip
def test_offers_that_are_taken(more: dict[str, Any]) -> None:
    """Each way to say a thing comes back as it was written."""
    assert plain(OfferDefinition.model_validate(an_offer(**more))) == an_offer(**more)


@pytest.mark.parametrize(
    ("more", "path", "words"),
    [
        ({"entry": None}, ("entry",), "valid dictionary"),
        ({"entry": "activated"}, ("entry",), "to refer to one write {condition: activated}"),
        ({"entry": {}}, ("entry",),
         "in_offer, completed_offer, all, any, none, condition, or code or api: true; got none"),
        ({"entry": {"api": False}}, ("entry",), "or code or api: true; got none"),
        ({"entry": {"code": "A B"}}, ("entry", "code"), "match pattern"),
        ({"entry": {"code": "A", "count": {}}}, ("entry",), "count belongs to an event leaf"),
        ({"completion": "imediate"}, ("completion",), "to refer to one write {condition: imediate}"),
        ({"completion": {"evnt": "A"}}, ("completion", "evnt"), "not permitted"),
        ({"status": "Live"}, ("status",), "'live'"),
        ({"reentry": "always"}, ("reentry",), "'never', 'after_expiry' or 'after_completion'"),
        ({"reentry": {}}, ("reentry", "per_key"), "required"),
        ({"expires_after": "0d"}, ("expires_after",), "longer than none"),
        ({"caps": {"per_user": 0}}, ("caps", "per_user"), "greater than or equal to 1"),
        ({"caps": {"total": 10}}, ("caps", "total"), "not permitted"),
        ({"exclusive": {"priority": 1}}, ("exclusive", "group"), "required"),
        ({"timezone": "Europe/Berlim"}, ("timezone",), "no time zone Europe/Berlim; did you mean 'Europe/Berlin'?"),
        ({"starts": "March"}, ("starts",), "expected a date such as 2026-03-01"),
        ({"holdout": 10}, ("holdout",), "expected a share such as 10%"),
        ({"reward": {"id": "r"}}, (), "no completion"),
        ({"variants": [{"id": "v", "reward": {"id": "r"}}]}, (), "no completion"),
        ({"reward": {"id": "r"}, "variants": [{"id": "v"}], "completion": LEAF}, (), "both reward and variants"),
        ({"variants": []}, ("variants",), "at least 1"),
        ({"variants": [{"id": "v"}, {"id": "w"}, {"id": "v"}]}, (), "offer o has variant v twice"),
        ({"variants": [{"id": "holdout"}]}, ("variants", 0), "reserved"),
        ({"variants": [{"id": "v", "weight": 0}]}, ("variants", 0, "weight"), "greater than or equal to 1"),
        ({"variants": [{"id": "v", "weight": 1_000_001}]}, ("variants", 0, "weight"), "less than or equal to"),
        ({"variants": [{"id": "v", "weight": 1.5}]}, ("variants", 0, "weight"), "valid integer"),
        ({"variants": [{"id": "v", "attributes": {"a": 1}}]}, ("variants", 0, "attributes", "a"), "valid string"),
        ({"reward": {"value": "10 EUR"}, "completion": LEAF}, ("reward", "id"), "required"),
        ({"reward": {"id": "r", "value": {"expr": "x"}}, "completion": LEAF}, ("reward", "value", "currency"),
         "required"),
        ({"reward": {"id": "r", "value": {**EXPRESSION, "max": -1}}, "completion": LEAF}, ("reward", "value", "max"),
         "expected a number from 0 to 100000000000000"),
        ({"reward": {"id": "r", "value": {**EXPRESSION, "min": 5, "max": 1}}, "completion": LEAF}, ("reward", "value"),
         "min 5 is above max 1"),
        ({"id": None}, ("id",), "valid string"),
    ],
)  # fmt: skip
def test_offers_that_are_refused(more: dict[str, Any], path: tuple[str | int, ...], words: str) -> None:
    """Each mistake of an offer is told once, at its path; the branches of a union are no part of it."""
    ((where, message),) = refused(OfferDefinition, an_offer(**more))
    assert where == path
    assert words in message


@pytest.mark.parametrize(
    ("value", "amount"),
    [("10 EUR", "10"), ("0 EUR", "0"), ("0.0001 XXX", "0.0001"), ("99999999999999.9999 EUR", "99999999999999.9999")],
)
def test_money_that_is_taken(value: str, amount: str) -> None:
    """Up to 14 digits before and 4 after the point, kept exactly: what decimal(18,4) holds."""
    definition = OfferDefinition.model_validate(an_offer(completion=LEAF, reward={"id": "r", "value": value}))
    assert definition.reward is not None
    money: Any = definition.reward.value
    assert (money.amount, money.currency) == (Decimal(amount), value[-3:])


@pytest.mark.parametrize(
    "value",
    ["10", "EUR 10", "10EUR", "10 eur", "10  EUR", "-1 EUR", "1e3 EUR", ".5 EUR", "1.00001 EUR", "100000000000000 EUR",
     "١ EUR", "10 EURO", "10 EUR\n", 10, 10.5, ["10 EUR"]],
)  # fmt: skip
def test_money_that_is_refused(value: Any) -> None:
    """Whatever is not an amount and a currency, or would lose digits, is no value."""
    ((path, message),) = refused(OfferDefinition, an_offer(completion=LEAF, reward={"id": "r", "value": value}))
    assert path == ("reward", "value")
    assert "10 EUR" in message or "4 after the point" in message


def test_settings() -> None:
    """There is one, with defaults as documented; what is left out is not written down."""
    made = SettingsDefinition.model_validate({"kind": "settings", "id": "rules", "grace": "0s"})
    assert (made.allowed_lateness.milliseconds, made.grace.milliseconds, made.timezone) == (7 * DAY, 0, "UTC")
    assert plain(made) == {"kind": "settings", "id": "rules", "grace": "0s"}
    assert refused(SettingsDefinition, {"kind": "settings", "id": "mine", "timezone": "Mars"}) == [
        (("id",), "Input should be 'rules'"),
        (("timezone",), "there is no time zone Mars; expected one of the tz database such as Europe/Berlin"),
    ]


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ({"id": "s", "origin": "server"}, ("origin",)),
        ({"id": "s", "origin": "sdk", "topics": ["events"]}, ("topics", 0)),
        ({"id": "s", "origin": "sdk", "topics": ["raw.Own"]}, ("topics", 0)),
        ({"id": "s", "origin": "sdk", "topics": ["raw.own\n"]}, ("topics", 0)),
        ({"id": "s", "origin": "sdk", "system_events": {"A": "off"}}, ("system_events", "A")),
        ({"id": "s", "origin": "sdk", "secret": "x"}, ("secret",)),
        ({"id": "s"}, ("origin",)),
    ],
)
def test_sources_that_are_refused(source: dict[str, Any], path: tuple[str | int, ...]) -> None:
    """An origin that is none, a topic outside raw, a switch that is no boolean, a key that is none."""
    assert [where for where, _ in refused(SourceDefinition, source)] == [path]


def test_no_key_is_both_known_and_not_yet() -> None:
    """A key that the models take must not be told as missing."""
    assert not set(NOT_YET) & known_keys()

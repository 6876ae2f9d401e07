"""Definitions as people write them: what is taken, what is refused, and in which words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from offerflow.rules.definitions import (
    NOT_YET,
    ConditionDefinition,
    OfferDefinition,
    SourceDefinition,
    known_keys,
    plain,
)
from tests.offerflow.rules.samples import offer

LEAF = {"event": "A"}


def refused(model: type[Any], content: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """(path, message) of everything that is wrong."""
    with pytest.raises(ValidationError) as raised:
        model.model_validate(content)
    return [(tuple(one["loc"]), one["msg"]) for one in raised.value.errors()]


def a_condition(**node: Any) -> dict[str, Any]:
    return {"kind": "condition", "id": "c", **node}


@pytest.mark.parametrize(
    "node",
    [
        {"event": "A", "where": "x > 1", "count": {"at_least": 1000}},
        {"event": "A", "count": {}},
        {"all": [LEAF, {"any": [LEAF, {"none": [{"condition": "d"}]}]}]},
        {"condition": "d", "name": "D", "description": "for people"},
    ],
)
def test_conditions_that_are_taken(node: dict[str, Any]) -> None:
    """Leaves, groups and references, with names for people, come back as they were written."""
    assert plain(ConditionDefinition.model_validate(a_condition(**node))) == a_condition(**node)


@pytest.mark.parametrize(
    ("node", "path", "words"),
    [
        ({}, (), "exactly one of event, all, any, none, condition; got none of them"),
        ({"event": "A", "condition": "d"}, (), "got event and condition"),
        ({"all": [LEAF], "any": [LEAF]}, (), "got all and any"),
        ({"all": []}, (), "all is empty"),
        ({"none": [LEAF, {"any": []}]}, ("none", 1), "any is empty"),
        ({"all": [LEAF], "where": "x > 1"}, (), "where and count belong to an event leaf"),
        ({"condition": "d", "count": {"at_least": 2}}, (), "where and count belong to an event leaf"),
        ({"event": "*"}, (), 'not supported yet: event: "*"'),
        ({"all": ["d"]}, ("all", 0), "to refer to one write {condition: d}"),
        ({"all": LEAF}, ("all",), "valid list"),
        ({"event": 5}, ("event",), "valid string"),
        ({"event": "A", "where": True}, ("where",), "valid string"),
        ({"event": "A", "count": 3}, ("count",), "valid dictionary"),
        ({"event": "A", "count": {"at_least": 0}}, ("count", "at_least"), "greater than or equal to 1"),
        ({"event": "A", "count": {"at_least": 1001}}, ("count", "at_least"), "less than or equal to 1000"),
        ({"event": "A", "count": {"at_least": "3"}}, ("count", "at_least"), "valid integer"),
        ({"event": "A", "count": {"at_least": 3.0}}, ("count", "at_least"), "valid integer"),
        ({"event": "A", "count": {"at_least": True}}, ("count", "at_least"), "valid integer"),
        ({"condition": "no spaces"}, ("condition",), "expected an id of letters"),
        ({"event": "A", "within": "30d"}, ("within",), "not permitted"),
        ({"all": [LEAF, {"event": "A", "wher": "x"}]}, ("all", 1, "wher"), "not permitted"),
    ],
)  # fmt: skip
def test_conditions_that_are_refused(node: dict[str, Any], path: tuple[str | int, ...], words: str) -> None:
    """Each mistake is told once, at its path, in words that say what was expected."""
    ((where, message),) = refused(ConditionDefinition, a_condition(**node))
    assert where == path
    assert words in message


@pytest.mark.parametrize("identifier", ["a", "A.b_c-9", "9", "x" * 100])
def test_ids_that_are_taken(identifier: str) -> None:
    """Letters, digits, dot, underscore and dash, up to 100 of them."""
    assert ConditionDefinition.model_validate({**a_condition(**LEAF), "id": identifier}).id == identifier


@pytest.mark.parametrize("identifier", ["", "-a", ".a", "a b", "ä", "a/b", "a@1", "x" * 101, "a\n", 5, None])
def test_ids_that_are_refused(identifier: Any) -> None:
    """Whatever could not stand in a catalog key is no id."""
    ((path, _),) = refused(ConditionDefinition, {**a_condition(**LEAF), "id": identifier})
    assert path == ("id",)


def test_an_offer_that_has_everything() -> None:
    """Every key of an offer is taken; values become decimals and come back as text."""
    variants = [
        {"id": "plain", "weight": 3, "attributes": {"headline": "Save"}, "reward": {"id": "r", "value": "10 EUR"}},
        {"id": "bold", "reward": {"id": "r", "value": "7.5000 USD"}},
        {"id": "none", "weight": 1_000_000},
    ]
    more = {"name": "N", "description": "D", "status": "live", "audience": {"none": [LEAF]}, "variants": variants}
    written = {**offer("o", LEAF, LEAF), **more}
    definition = OfferDefinition.model_validate(written)
    assert definition.variants is not None
    assert [variant.weight for variant in definition.variants] == [3, 1, 1_000_000]
    reward = definition.variants[1].reward
    assert reward is not None
    assert reward.value == (Decimal("7.5"), "USD")
    assert plain(definition) == written


@pytest.mark.parametrize(
    ("more", "path", "words"),
    [
        ({"entry": None}, ("entry",), "valid dictionary"),
        ({"entry": "activated"}, ("entry",), "to refer to one write {condition: activated}"),
        ({"completion": "immediate"}, ("completion",), "not supported yet: completion: immediate"),
        ({"status": "draft"}, ("status",), "not supported yet: status: draft"),
        ({"status": "paused"}, ("status",), "not supported yet: status: paused"),
        ({"status": "Live"}, ("status",), "'live'"),
        ({"reward": {"id": "r"}, "completion": None}, (), "no completion"),
        ({"variants": [{"id": "v", "reward": {"id": "r"}}], "completion": None}, (), "no completion"),
        ({"reward": {"id": "r"}, "variants": [{"id": "v"}]}, (), "both reward and variants"),
        ({"variants": []}, ("variants",), "at least 1"),
        ({"variants": [{"id": "v"}, {"id": "w"}, {"id": "v"}]}, (), "variant v is there twice"),
        ({"variants": [{"id": "holdout"}]}, ("variants", 0), "reserved"),
        ({"variants": [{"id": "v", "weight": 0}]}, ("variants", 0, "weight"), "greater than or equal to 1"),
        ({"variants": [{"id": "v", "weight": 1_000_001}]}, ("variants", 0, "weight"), "less than or equal to"),
        ({"variants": [{"id": "v", "weight": 1.5}]}, ("variants", 0, "weight"), "valid integer"),
        ({"variants": [{"id": "v", "attributes": {"a": 1}}]}, ("variants", 0, "attributes", "a"), "valid string"),
        ({"variants": [{"id": "v", "completion": LEAF}]}, ("variants", 0, "completion"), "not permitted"),
        ({"reward": {"value": "10 EUR"}}, ("reward", "id"), "required"),
        ({"id": None}, ("id",), "valid string"),
    ],
)  # fmt: skip
def test_offers_that_are_refused(more: dict[str, Any], path: tuple[str | int, ...], words: str) -> None:
    """Each mistake of an offer is told once, at its path."""
    ((where, message),) = refused(OfferDefinition, {**offer("o", LEAF, LEAF), **more})
    assert where == path
    assert words in message


@pytest.mark.parametrize(
    ("value", "amount"),
    [("10 EUR", "10"), ("0 EUR", "0"), ("0.0001 XXX", "0.0001"), ("99999999999999.9999 EUR", "99999999999999.9999")],
)
def test_money_that_is_taken(value: str, amount: str) -> None:
    """Up to 14 digits before and 4 after the point, kept exactly: what decimal(18,4) holds."""
    definition = OfferDefinition.model_validate(offer("o", LEAF, LEAF, reward={"id": "r", "value": value}))
    assert definition.reward is not None
    assert definition.reward.value == (Decimal(amount), value[-3:])


@pytest.mark.parametrize(
    "value",
    ["10", "EUR 10", "10EUR", "10 eur", "10  EUR", "-1 EUR", "1e3 EUR", ".5 EUR", "1.00001 EUR", "100000000000000 EUR",
     "١ EUR", "10 EURO", "10 EUR\n", 10, 10.5, ["10 EUR"], {"expr": "amount * 2"}],
)  # fmt: skip
def test_money_that_is_refused(value: Any) -> None:
    """Whatever is not an amount and a currency, or would lose digits, is no value."""
    ((path, message),) = refused(OfferDefinition, offer("o", LEAF, LEAF, reward={"id": "r", "value": value}))
    assert path == ("reward", "value")
    assert "10 EUR" in message or "4 after the point" in message


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
    """A key that the models take must not be told as missing, and the other way round; of re-entry only never is."""
    assert set(NOT_YET) & known_keys() <= {"reentry"}
    (found,) = refused(OfferDefinition, {**offer("o", LEAF), "reentry": "after_completion"})
    assert found[0] == ("reentry",)
    assert "not supported yet" in found[1]

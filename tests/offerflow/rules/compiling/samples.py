"""A small event plan, and rulesets of definitions as a file would hold them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from offerflow.rules.compiling import Problem, RulesetProblems, compile_ruleset
from offerflow.rules.conditions import Node
from offerflow.rules.definitions import ConditionDefinition, OfferDefinition, SettingsDefinition
from offerflow.rules.events import EventType, Kind, PropertyType, Reverses
from offerflow.rules.offers import Offer
from offerflow.rules.ruleset import Ruleset

Definition = dict[str, Any]

_CART = {"cart_id": PropertyType(Kind.STRING, required=True)}
TYPES = (
    EventType(
        "PurchaseCompleted",
        ("Purchase Completed", "Order Completed"),
        {
            **_CART,
            "order_id": PropertyType(Kind.STRING, required=True),
            "amount": PropertyType(Kind.NUMBER, required=True, minimum=0),
            "items": PropertyType(Kind.NUMBER, integer=True),
            "discount": PropertyType(Kind.NUMBER, maximum=0),
            "currency": PropertyType(Kind.ENUM, ("EUR", "USD"), required=True),
            "gift": PropertyType(Kind.BOOLEAN),
            "tags": PropertyType(Kind.LIST),
            "email": PropertyType(Kind.STRING, pii=True),
            "note": PropertyType(Kind.ANY),
            "address": PropertyType(Kind.RECORD, fields={"city": PropertyType(Kind.STRING)}),
        },
        unique=("order_id",),
        reversed_by=frozenset({"order_id"}),
    ),
    EventType(
        "PurchaseRefunded",
        ("Purchase Refunded",),
        {"order_id": PropertyType(Kind.STRING, required=True)},
        reverses=Reverses("PurchaseCompleted", "order_id"),
    ),
    EventType("CheckoutStarted", ("Checkout Started",), {**_CART, "order_id": PropertyType(Kind.NUMBER)}),
    EventType("AccountCreated", ("Account Created",), {"email": PropertyType(Kind.STRING, pii=True)}),
    EventType("Identified", ("Identified",), {"plan": PropertyType(Kind.ENUM, ("free", "pro"))}, sets_traits=True),
    EventType("UserUpdated", ("User Updated",), {"age": PropertyType(Kind.NUMBER, minimum=0)}, sets_traits=True),
    EventType("SessionStarted", ("Session Started",), {}, system=True),
)

BUYS = {"event": "Purchase Completed"}
SIGNS_UP = {"event": "Account Created"}


def offer(name: str = "o", entry: Definition | None = None, **more: Any) -> Definition:
    return {"kind": "offer", "id": name, "entry": SIGNS_UP if entry is None else entry, **more}


def condition(name: str, **node: Any) -> Definition:
    return {"kind": "condition", "id": name, **node}


def settings(**more: Any) -> Definition:
    return {"kind": "settings", "id": "rules", **more}


def ruleset(*definitions: Definition, types: Iterable[EventType] = TYPES) -> Ruleset:
    """The compiled ruleset of these definitions, as ``apply`` would make it."""
    conditions = [ConditionDefinition.model_validate(one) for one in definitions if one["kind"] == "condition"]
    offers = [OfferDefinition.model_validate(one) for one in definitions if one["kind"] == "offer"]
    common = [SettingsDefinition.model_validate(one) for one in definitions if one["kind"] == "settings"]
    return compile_ruleset(
        "r1", {c.id: c for c in conditions}, {o.id: o for o in offers}, types, common[0] if common else None
    )


def compiled(*definitions: Definition) -> Offer:
    """The first offer of the ruleset."""
    made = ruleset(*definitions)
    return made.offers[next(one["id"] for one in definitions if one["kind"] == "offer")]


def entry_of(node: Definition, *others: Definition) -> Node:
    """A condition as the entry of an offer."""
    found = compiled(offer("o", node), *others).entry.condition
    assert found is not None
    return found


def completion_of(node: Definition, *others: Definition, **more: Any) -> Node:
    """A condition as the completion of an offer."""
    found = compiled(offer("o", completion=node, **more), *others).completion
    assert found is not None
    assert found != "immediate"
    return found


def refused(*definitions: Definition) -> list[Problem]:
    with pytest.raises(RulesetProblems) as raised:
        ruleset(*definitions)
    assert all(problem.message in str(raised.value) for problem in raised.value.problems)
    return raised.value.problems

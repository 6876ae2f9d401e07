"""The JSON Schema of an event, against the code that judges events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.plan.json_schema import properties_schema, type_schema
from schemas.codec import load_schema
from schemas.judge import judge
from schemas.plan import parse_event_schema
from schemas.violations import Violation
from tests.interop.node import installed
from tests.schemas.strategies import named, types, values

SCRIPT = (Path(__file__).parent / "validate.mjs").read_text()
PAIRS = types().map(lambda one: named(one, [])).flatmap(lambda one: st.tuples(st.just(one), values(one)))
PURCHASE = {"order_id": "o", "amount": 5, "currency": "EUR"}


def verdicts(pairs: list[tuple[Any, Any]]) -> list[bool]:
    """Of a JSON Schema validator."""
    done = installed().run(SCRIPT, stdin=json.dumps([{"schema": schema, "value": value} for schema, value in pairs]))
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(PAIRS, min_size=30, max_size=60))
def test_what_validation_takes_the_schema_takes(pairs: list[tuple[Any, Any]]) -> None:
    """A value that fits an Avro type is valid under the JSON Schema of that type."""
    found = verdicts([(type_schema(avro), value) for avro, value in pairs])
    assert [pair for pair, valid in zip(pairs, found, strict=True) if not valid] == []


CASES: list[tuple[str, dict[str, Any]]] = [
    ("PurchaseCompleted", PURCHASE),
    ("PurchaseCompleted", {**PURCHASE, "coupon": None, "item_count": 3, "product_ids": ["a"], "unplanned": 1}),
    ("PurchaseCompleted", {**PURCHASE, "amount": "5"}),
    ("PurchaseCompleted", {**PURCHASE, "amount": -1}),
    ("PurchaseCompleted", {**PURCHASE, "currency": "eur"}),
    ("PurchaseCompleted", {**PURCHASE, "item_count": 2**31}),
    ("PurchaseCompleted", {"order_id": "o", "amount": 5}),
    ("PurchaseCompleted", {**PURCHASE, "product_ids": [1]}),
    ("PushTokenUpdated", {"provider": "apns"}),
    ("PushTokenUpdated", {"provider": None}),
    ("PushTokenUpdated", {"provider": "pigeon"}),
    ("PushPermissionChanged", {"granted": True}),
    ("PushPermissionChanged", {"granted": "yes"}),
    ("GoalSet", {"goal_id": "g", "due_at": "2026-03-05T10:00:00Z"}),
    ("GoalSet", {"goal_id": "g", "due_at": 5}),
    ("GoalSet", {"goal_id": "g", "due_at": True}),
]


def test_both_say_the_same_of_the_standard_plan() -> None:
    """Missing and wrong properties, bounds, patterns and symbols: the JSON Schema and the judge agree."""
    found = verdicts([(properties_schema(load_schema("events", name)), properties) for name, properties in CASES])
    assert found == [judged(name, properties) for name, properties in CASES]
    assert set(found) == {True, False}


def test_what_is_closed_stays_closed() -> None:
    """Under `unplanned: dead-letter` a property that is not planned is not valid."""
    definition = {**load_schema("events", "PushPermissionChanged"), "unplanned": "dead-letter"}
    assert verdicts([(properties_schema(definition), {"granted": True, "x": 1})]) == [False]
    with pytest.raises(Violation):
        judge(parse_event_schema(definition, 1000), {"granted": True, "x": 1}, lambda _: None)


def judged(name: str, properties: dict[str, Any]) -> bool:
    try:
        judge(parse_event_schema(load_schema("events", name), 1000), properties, lambda _: None)
    except Violation:
        return False
    return True

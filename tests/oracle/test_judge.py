"""The oracle's verdict on raw records, reason by reason."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle.identity import identifier
from tests.oracle.judge import judge
from tests.oracle.model import Dead, Dropped, Event
from tests.oracle.samples import NOON, PREFIX, bought, plan, record


def _deep(levels: int) -> Any:
    return {"x": _deep(levels - 1)} if levels > 1 else {}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{" + b" " * 1024 * 1024 + b"}", "too_large"),
        (None, "undecodable"),
        (b"", "undecodable"),
        (b"\x00\x00\x00\x03", "undecodable"),
        (b"\x00\x00\x00\x03\xe8rest", "unknown_schema"),
        (b"\xff\xfe", "undecodable"),
        (b"[]", "undecodable"),
        (b'{"event": "Bought", "user_id": "u1", "properties": {"amount": NaN}}', "undecodable"),
        (b'{"event": "Bought", "user_id": "u1", "properties": {"amount": 1e999}}', "undecodable"),
        (b'{"event": "Bought", "user_id": "\\ud800"}', "undecodable"),
        (bought(user_id=5), "undecodable"),
        (bought(event=None), "undecodable"),
        (bought(time="tomorrow"), "undecodable"),
        (bought(time=True), "undecodable"),
        (bought(type="purchase"), "undecodable"),
        (bought(event_id="x" * 513), "undecodable"),
        ({**bought(), "properties": []}, "undecodable"),
        ({**bought(), "properties": _deep(17)}, "undecodable"),
        (bought(source="nobody"), "unknown_source"),
        (bought(source="nobody", event="Bouht"), "unknown_source"),
        (bought(event="Bouht"), "unknown_event"),
        (bought(source="app"), "origin_forbidden"),
        (bought(user_id="", anonymous_id=None, time=NOON * 2), "missing_user"),
        (bought(time=NOON + 300_001, properties={"amount": "10"}), "clock_skew"),
        (bought(properties={"amount": "10"}), "schema_violation"),
        (bought(properties={"amount": "10", "code": "x"}), "schema_violation"),
        ({"event": "Bought", "user_id": "u", "properties": {"order": "o"}}, "schema_violation"),
        ({"event": "Strict", "user_id": "u", "properties": {"what": 1}}, "schema_violation"),
        (bought(properties={"amount": -1}), "rule_of_plan_violation"),
        (bought(properties={"amount": 1001}), "rule_of_plan_violation"),
        (bought(properties={"code": "x1"}), "rule_of_plan_violation"),
        (bought(properties={"order": None}), "rule_of_plan_violation"),
    ],
)
def test_dead(value: Any, reason: str) -> None:
    """The first reason that holds, in the order of the contract."""
    verdict = judge(record(value), plan(), PREFIX)
    assert isinstance(verdict, Dead)
    assert verdict.reason == reason


@pytest.mark.parametrize(
    ("value", "topic", "reason"),
    [
        (bought(source="shop"), "raw.sdk", "origin_forbidden"),
        (bought(), "raw.sdk", "unknown_source"),
        ({"event": "Screen Viewed", "source": "web", "user_id": "u"}, "raw.backend", "origin_forbidden"),
    ],
)
def test_dead_by_channel(value: Any, topic: str, reason: str) -> None:
    """A source keeps to the channels of its origin, and a channel without a single source names none."""
    verdict = judge(record(value, topic), plan(), PREFIX)
    assert isinstance(verdict, Dead)
    assert verdict.reason == reason


def test_a_good_event() -> None:
    """Everything the journal must carry, pii nulled, unplanned stripped."""
    properties = {"email": "a@b", "more": 1, "amount": 7}
    verdict = judge(record(bought(event="Ordered", properties=properties)), plan(), PREFIX)
    carried = {"order": "o-1", "amount": 7.0, "code": None, "email": None}
    assert verdict == Event("Bought", 1, "e1", "u1", None, NOON, NOON, "shop", "backend", carried)


def test_defaults() -> None:
    """Time is the append time, the id a hash of the record's place, the source the only one of its topic."""
    value = {"event": "Moved", "anonymous_id": "a1", "user_id": "", "properties": {"x": [1], "y": "ü"}}
    verdict = judge(record(value, "raw.own", partition=3, offset=9), plan(), PREFIX)
    extra = {"extra": {"x": "[1]", "y": '"ü"'}}
    assert verdict == Event("Moved", 1, identifier("AAAA", "3", "9"), None, "a1", NOON, NOON, "shop", "backend", extra)
    assert isinstance(verdict, Event)
    assert verdict.entity == "a:a1"


def test_a_system_event_switched_off_is_dropped_for_that_source_alone() -> None:
    """The app has screens switched off, the web has not."""
    off = judge(record({"type": "screen", "source": "app", "user_id": "u"}, "raw.sdk"), plan(), PREFIX)
    on = judge(record({"type": "screen", "source": "web", "user_id": "u"}, "raw.sdk"), plan(), PREFIX)
    assert isinstance(off, Dropped)
    assert isinstance(on, Event)
    assert on.type == "ScreenViewed"


def test_the_edge_of_the_clock_is_inside() -> None:
    """Exactly five minutes ahead is still allowed."""
    assert isinstance(judge(record(bought(time=NOON + 300_000)), plan(), PREFIX), Event)

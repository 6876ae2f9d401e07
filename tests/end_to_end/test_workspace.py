"""Somebody else's workspace on a stack of their own, through the command line, HTTP and Kafka."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.end_to_end.cli import Stack
from tests.end_to_end.coffee import WORKSPACE, Raw, Traffic

pytestmark = pytest.mark.broker

BREWS = [
    {"event": "☕ Brewed", "user_id": "ann", "event_id": f"b{n}", "properties": {"drink": "espresso", "grams": 18}}
    for n in range(3)
]
ORDER = {"event": "order placed", "user_id": "ann", "event_id": "o1",
         "properties": {"shop": "north", "number": 1, "total": 20, "currency": "EUR"}}  # fmt: skip


def _raw(envelope: dict[str, Any], topic: str = "raw.backend", key: bytes | None = b"ann") -> Raw:
    return topic, key, json.dumps(envelope).encode(), []


def _outputs(stack: Stack) -> Counter[tuple[str, str, str | None]]:
    examined = stack.examine(WORKSPACE)
    assert not examined.report, str(examined.report)
    return Counter((one.record, one.fields["offer"], one.key) for one in examined.written)


def test_somebody_elses_workspace(cli: Callable[..., Stack]) -> None:
    """Events over HTTP and straight to Kafka give the right outputs and dead letters, each once, also when repeated."""
    stack = cli()
    stack.up()
    stack.apply(WORKSPACE)
    accepted = stack.post([{**event, "source": "local-server"} for event in BREWS])
    assert accepted.status_code == 202, accepted.text
    assert accepted.json() == {"accepted": 3, "ids": ["b0", "b1", "b2"]}
    stack.wait_idle()
    stack.publish([_raw(ORDER), _raw({**ORDER, "event": "Ordr placed", "event_id": "o2"}), _raw({"what": 1})])
    stack.publish(
        [_raw({"event": "Roasted", "user_id": "ann", "properties": {"batch": "b", "kilos": 1.0}}, "raw.roastery")]
    )
    stack.wait_idle()
    once = _outputs(stack)
    assert once[("OfferEntered", "free-beans", "ann")] == 1
    assert once[("RewardSatisfied", "free-beans", "ann")] == 1
    assert once[("OfferExited", "free-beans", "ann")] == 1
    letters = stack.examine(WORKSPACE).totals["dead_letters"]
    assert letters == {"undecodable": 1, "unknown_event": 1}

    assert stack.post(BREWS).status_code == 202
    stack.publish([_raw(ORDER), _raw({**ORDER, "event_id": "another id, the same order"})])
    stack.wait_idle()
    assert _outputs(stack) == once


def _regular(user: str) -> list[Raw]:
    """Three coffees and then an order, on one topic under one key, so that they stay in this order."""
    brewed = {"event": "☕ Brewed", "properties": {"drink": "filter", "grams": 18, "decaf": False}}
    order = {"shop": "north", "number": 5000, "total": 60.5, "currency": "EUR"}
    events = [brewed, brewed, brewed, {"event": "order placed", "properties": order}]
    return [
        _raw({**event, "user_id": user, "event_id": f"{user}-{n}"}, key=user.encode()) for n, event in enumerate(events)
    ]


def test_much_of_everything(cli: Callable[..., Stack]) -> None:
    """Thousands of mixed events through every raw topic, the workspace's own too, give what the oracle expects."""
    stack = cli()
    stack.up()
    stack.apply(WORKSPACE)
    # By chance alone the one who buys only after becoming a regular is rare: it hangs on the order between topics.
    stack.publish([*Traffic(21, users=300).take(6000), *_regular("regular-1")])
    stack.wait_idle()
    examined = stack.examine(WORKSPACE)
    assert not examined.report, str(examined.report)
    offers = Counter(one.fields["offer"] for one in examined.written if one.record == "OfferEntered")
    assert set(offers) == {"free-beans", "gourmet-club", "Decaf.Curious_1", "roast-watch", "kiosk-card", "addict"}
    rewards = {one.fields["reward"] for one in examined.written if one.record == "RewardSatisfied"}
    assert rewards == {"beans", "club-gold", "club", "sticker", "kiosk"}
    assert "duplicate_conflict" in examined.totals["dead_letters"]


def test_a_stack_through_its_life(cli: Callable[..., Stack]) -> None:
    """`up` again changes nothing that runs; another number of workers starts or ends workers only; `down` keeps the
    data: after the next `up` the second half of a user's journey completes what the first began."""
    stack = cli(own=True)
    first = stack.up()
    pids = {program["name"]: program["pid"] for program in stack.status()["programs"]}
    stack.apply(WORKSPACE)
    stack.publish([_raw(event) for event in BREWS])
    assert stack.up() == first
    assert {program["name"]: program["pid"] for program in stack.status()["programs"]} == pids
    stack.up(validation=2, rules=3)
    now = {program["name"]: program["pid"] for program in stack.status()["programs"]}
    assert pids.items() <= now.items()
    assert now.keys() - pids.keys() == {"validation-2", "rules-2", "rules-3"}
    stack.up(validation=1, rules=1)
    assert {program["name"]: program["pid"] for program in stack.status()["programs"]} == pids
    assert all(program["ready"] for program in stack.status()["programs"])
    stack.wait_idle()
    done = stack.run("down")
    assert done.returncode == 0, done.stderr
    stack.up()
    stack.publish([_raw(ORDER)])
    stack.wait_idle()
    assert _outputs(stack)[("RewardSatisfied", "free-beans", "ann")] == 1

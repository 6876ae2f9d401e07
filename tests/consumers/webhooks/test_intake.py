"""Outputs into queues: what a message says, and that each goes in once."""

from __future__ import annotations

import json
import time
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.webhooks.intake import Intake
from consumers.webhooks.messages import TOPICS, Message, Writer
from offerflow.rules.outcomes import Output
from offerflow.runtime.errors import Disturbed
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.claims import Position
from schemas.announce import Announcer
from tests.consumers.history.said import entered, exited, fulfilled, satisfied, taken_back
from tests.consumers.webhooks.world import HOUR, MINUTE, World

PLACE = ("offerflow.reward-satisfied", 0)
_announce = Announcer(Settings(topic_prefix=""))


class Written:
    """As much of a record as becomes a message."""

    def __init__(self, value: bytes | None) -> None:
        self._value = value

    def value(self) -> bytes | None:
        return self._value

    def timestamp(self) -> tuple[int, int]:
        return 2, int(time.time() * 1000)


def record(value: bytes | None) -> Record:
    return cast(Record, Written(value))


def message_of(output: Output) -> tuple[Message, dict[str, Any]]:
    written = _announce(output)
    message = Writer(written.topic)(record(cast(bytes, written.value)))
    return message, json.loads(message.body)


def test_a_satisfied_reward_says_what_is_to_be_paid_to_whom_and_why() -> None:
    """All fields of the output; money as an exact string, times in RFC 3339, the id as the message's."""
    message, body = message_of(satisfied("w-1"))
    assert (message.id, message.type, message.offer, message.reward) == ("w-1", "reward.satisfied", "shop", None)
    assert (body["type"], body["timestamp"]) == ("reward.satisfied", "1970-01-01T00:00:05.000Z")
    assert (body["data"]["value"], body["data"]["currency"]) == ("7.50", "EUR")
    assert body["data"]["user_id"] == "anna"
    assert body["data"]["satisfied_at"] == "1970-01-01T00:00:05.000Z"
    assert body["data"]["evidence"][0]["time"] == "1970-01-01T00:00:01.000Z"


def test_every_kind_of_output_is_a_type_of_its_own() -> None:
    """With what it concerns: the offer, or the reward it speaks of."""
    kinds = [message_of(one)[0] for one in (entered(), exited(), satisfied(), taken_back(), fulfilled())]
    assert [(one.type, one.offer, one.reward) for one in kinds] == [
        ("offer.entered", "shop", None), ("offer.exited", "shop", None), ("reward.satisfied", "shop", None),
        ("reward.reversed", None, "w-1"), ("reward.fulfilled", None, "w-1"),
    ]  # fmt: skip
    never_ends = message_of(entered(expires_at=None))[1]
    assert never_ends["data"]["expires_at"] is None


@given(value=st.one_of(st.none(), st.binary(max_size=60)))
def test_a_record_that_is_no_output_is_told_and_nothing_else_happens(value: bytes | None) -> None:
    """Any bytes: a message or a ValueError, which the stage counts and passes by."""
    for topic in TOPICS:
        with pytest.raises(ValueError):
            Writer(topic)(record(value))


def test_a_message_goes_in_once_with_its_position(world: World) -> None:
    """Two workers that read the same records: the second is told to look again. A topic that is read anew from its
    start, under lost positions, adds nothing either."""
    world.add("crm", "https://crm.example/")
    intake = Intake(world.engine)
    message = message_of(satisfied("w-1"))[0]
    here, there = Position("t-1", 5), Position("t-1", 6)
    assert intake.enqueue([message], {}, {PLACE: there}, 1)
    for before in ({}, {PLACE: here}, {PLACE: Position("t-0", 6)}):
        with pytest.raises(Disturbed, match="not where it was left"):
            intake.enqueue([message], before, {PLACE: Position("t-1", 7)}, 1)
    assert intake.positions() == {PLACE: there}
    intake.enqueue([message], {PLACE: there}, {PLACE: Position("t-2", 1)}, 1)
    assert world.states("crm") == {"w-1": "waiting"}


def test_an_endpoint_is_told_nothing_of_the_time_before_it(world: World) -> None:
    """A worker that starts for the first time reads a year of rewards: they have been paid, and go to nobody."""
    world.queue("old")
    world.clock.pass_(HOUR)
    world.add("crm", "https://crm.example/")
    world.clock.pass_(-MINUTE)
    world.queue("while clocks differ")
    world.clock.pass_(-1)
    world.queue("before")
    assert list(world.states("crm")) == ["while clocks differ"]


def test_nothing_goes_in_if_the_position_does_not(world: World) -> None:
    """One transaction: messages of a batch whose position moved are not there."""
    world.add("crm", "https://crm.example/")
    with pytest.raises(Disturbed):
        Intake(world.engine).enqueue(
            [message_of(satisfied())[0]], {PLACE: Position("t", 1)}, {PLACE: Position("t", 2)}, 1
        )
    assert world.states("crm") == {}

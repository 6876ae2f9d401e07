"""Requests through validation: judged like planned events, from back ends alone, read back as the rules get them."""

from __future__ import annotations

from typing import Any

import pytest

from offerflow.rules.requests import EnterOffer, FulfilReward, Request, ReverseReward
from schemas.dead_letter import DeadLetter
from schemas.requests import REQUESTS
from schemas.step import Emit
from tests.schemas.raw_samples import NOON, Raw, a_step, envelope, raw


def request(name: str, properties: dict[str, Any], **more: Any) -> Raw:
    return raw(envelope(event=f"offerflow.{name}", properties=properties, **more))


def read(outcome: object) -> Request:
    """The request as the worker reads it from the journal."""
    assert isinstance(outcome, Emit), outcome
    return REQUESTS[int.from_bytes(outcome.value[1:5], "big")](outcome.value, 3, 9)


SAID: dict[str, Any] = {
    "event_id": "e1", "user_id": "u1", "anonymous_id": None, "time": NOON, "received_at": NOON, "source": "shop",
    "partition": 3, "offset": 9,
}  # fmt: skip


@pytest.mark.parametrize(("name", "properties", "number", "expected"), [
    ("EnterOffer", {"offer": "upgrade"}, 3, EnterOffer(**SAID, content_hash=0, offer="upgrade")),
    ("EnterOffer", {"code": "Äx", "key": "o-1"}, 3, EnterOffer(**SAID, content_hash=0, code="Äx", key="o-1")),
    ("FulfilReward", {"reward_id": "r", "by": "till"}, 4, FulfilReward(**SAID, content_hash=0, reward_id="r",
                                                                      by="till")),
    ("ReverseReward", {"reward_id": "r"}, 5, ReverseReward(**SAID, content_hash=0, reward_id="r")),
])  # fmt: skip
def test_a_request_becomes_a_journal_record(
    name: str, properties: dict[str, Any], number: int, expected: Request
) -> None:
    """Under its reserved id and its user's key, with meta as of any event; what was said comes back."""
    outcome = a_step()(request(name, properties))
    assert isinstance(outcome, Emit)
    assert (outcome.key, outcome.value[:5], outcome.event) == (b"u:u1", b"\0\0\0\0%c" % number, f"offerflow.{name}")
    found = read(outcome)
    assert found.content_hash
    found.content_hash = 0
    assert found == expected


@pytest.mark.parametrize(("name", "properties", "more", "reason", "words"), [
    ("EnterOfer", {}, {}, "unknown_event", "offerflow.EnterOffer"),
    ("Anything", {}, {}, "unknown_event", "there is no request 'offerflow.Anything'"),
    ("EnterOffer", {"offer": 5}, {}, "schema_violation", "offer"),
    ("EnterOffer", {"ofer": "x"}, {}, "schema_violation", "ofer"),
    ("FulfilReward", {"reward_id": "r"}, {}, "schema_violation", "by"),
    ("ReverseReward", {}, {}, "schema_violation", "reward_id"),
    ("EnterOffer", {"offer": "x"}, {"user_id": None}, "missing_user", "neither"),
    ("EnterOffer", {"offer": "x"}, {"time": NOON + 400_000}, "clock_skew", "time"),
    ("EnterOffer", {"offer": "x"}, {"source": "nobody"}, "unknown_source", "nobody"),
])  # fmt: skip
def test_what_is_wrong_with_a_request(
    name: str, properties: dict[str, Any], more: dict[str, Any], reason: str, words: str
) -> None:
    """The reasons are those of events, in their order."""
    outcome = a_step()(request(name, properties, **more))
    assert isinstance(outcome, DeadLetter)
    assert (outcome.reason, words in outcome.detail) == (reason, True), outcome


@pytest.mark.parametrize(("source", "channel", "allowed"), [
    ("shop", "raw.backend", True), ("till", "raw.own", True), ("web", "raw.sdk", False), ("app", "raw.sdk", False),
    ("app", "raw.backend", False), ("shop", "raw.sdk", False),
])  # fmt: skip
def test_only_back_ends_may_ask(source: str, channel: str, allowed: bool) -> None:
    """A front end cannot put anybody into an offer, on its own channel or on another's."""
    outcome = a_step()(raw(envelope(event="offerflow.EnterOffer", properties={"offer": "x"}, source=source), channel))
    if allowed:
        assert isinstance(outcome, Emit)
    else:
        assert isinstance(outcome, DeadLetter)
        assert outcome.reason == "origin_forbidden"


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_no_framed_record_from_outside_passes_for_one_of_ours(number: int) -> None:
    """Reserved schema ids are unknown to whoever writes Avro to a raw topic."""
    outcome = a_step()(Raw(b"\0\0\0\0%c" % number + b"\0" * 40))
    assert isinstance(outcome, DeadLetter)
    assert outcome.reason == "unknown_schema"


def test_a_request_out_of_the_journal_is_itself_again() -> None:
    """What became a dead letter of the fold is replayed as it was, exempt from lateness."""
    first = a_step()(request("EnterOffer", {"offer": "upgrade"}))
    assert isinstance(first, Emit)
    headers = [("of-origin-topic", b"t.journal"), ("of-origin-partition", b"3"), ("of-origin-offset", b"9"),
               ("of-origin-timestamp", b"%d" % NOON), ("of-origin-received-at", b"%d" % NOON)]  # fmt: skip
    again = a_step()(Raw(first.value, "raw.replay", headers))
    found, before = read(again), read(first)
    assert found.exempt
    assert not before.exempt
    found.exempt = False
    assert found == before

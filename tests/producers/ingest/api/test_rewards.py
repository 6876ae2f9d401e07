"""The list of rewards to pull, single rewards, and asking to fulfil or reverse one."""

from __future__ import annotations

from pathlib import Path

import pytest

from offerflow.rules.ids import make_id
from offerflow.runtime.store.holds import hold, release
from tests.consumers.history.said import Kept, fulfilled, satisfied, taken_back
from tests.producers.ingest.api.conftest import ApiEdge

REWARDS = "/rewards/v1/rewards"


def test_a_reward_in_full(edge: ApiEdge) -> None:
    """Amount as exact text, times in RFC 3339, and the events that decided."""
    edge.kept.take(satisfied(attributes={"headline": "Save"}))
    expected = {
        "id": "w-1", "state": "satisfied", "userId": "anna", "reward": "voucher", "value": "7.50", "currency": "EUR",
        "offer": "shop", "variant": "plain", "side": "user", "attributes": {"headline": "Save"}, "instance": "i-w-1",
        "satisfiedAt": "1970-01-01T00:00:05.000Z", "late": False, "fulfilledAt": None, "by": None, "reversedAt": None,
        "reason": None, "onHold": False, "evidenceCount": 1,
        "evidence": [{"eventId": "e-1", "event": "Purchase Completed", "time": "1970-01-01T00:00:01.000Z"}],
    }  # fmt: skip
    assert edge.get(f"{REWARDS}/w-1").json() == expected
    assert edge.get(REWARDS).json()["rewards"] == [expected]


def test_a_payer_pulls_page_by_page_and_misses_nothing(edge: ApiEdge) -> None:
    """``next`` leads on, also from an empty page; holds take rewards out at once, and give them back after."""
    edge.kept.take(*(satisfied(f"w-{n}") for n in range(5)), satisfied("g-1", offer="gym"))
    page = edge.get(REWARDS, state="satisfied", limit=3).json()
    assert ([reward["id"] for reward in page["rewards"]], page["more"]) == (["w-0", "w-1", "w-2"], True)
    hold(edge.kept.engine, "shop", "ana")
    page = edge.get(REWARDS, state="satisfied", after=page["next"]).json()
    assert ([reward["id"] for reward in page["rewards"]], page["more"]) == (["g-1"], False)
    assert edge.get(f"{REWARDS}/w-3").json()["onHold"]
    empty = edge.get(REWARDS, state="satisfied", after=page["next"]).json()
    assert (empty["rewards"], empty["next"]) == ([], page["next"])
    edge.kept.take(fulfilled("w-4"))
    release(edge.kept.engine, "shop")
    page = edge.get(REWARDS, state="satisfied", after=empty["next"]).json()
    assert [reward["id"] for reward in page["rewards"]] == ["w-0", "w-1", "w-2", "w-3"]
    assert edge.get(REWARDS, state="fulfilled", userId="anna").json()["rewards"][0]["by"] == "payments"
    assert edge.get(REWARDS, offer="gym", userId="ben").json()["rewards"] == []


@pytest.mark.parametrize(
    ("query", "error", "words"),
    [
        ("state=satisfed", "bad_state", "did you mean 'satisfied'"),
        ("state=pending", "bad_state", "satisfied, fulfilled, reversed, expired"),
        ("limit=0", "bad_limit", "from 1 to 1000"),
        ("limit=1001", "bad_limit", "from 1 to 1000"),
        ("limit=1e3", "bad_limit", "'1e3'"),
        ("after=-1", "bad_after", "whole number"),
        ("after=99999999999999999999", "bad_after", "whole number"),
        ("after=9223372036854775808", "bad_after", "whole number"),
        ("after=%D9%A1", "bad_after", "whole number"),
        ("user_id=anna", "unknown_parameter", "userId"),
        ("state=satisfied&state=fulfilled", "bad_query", "twice"),
        ("userId=%ff", "bad_query", "UTF-8"),
        ("&".join(f"p{n}=1" for n in range(60)), "bad_query", "query"),
    ],
)
def test_a_mistyped_question_is_told(edge: ApiEdge, query: str, error: str, words: str) -> None:
    """400 that names the parameter and what was expected."""
    answer = edge.get(f"{REWARDS}?{query}")
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert words in answer.json()["message"]


def test_no_list_while_the_history_is_being_built(tmp_path: Path) -> None:
    """503: what was paid out long ago may look satisfied until all is read."""
    (tmp_path / "new").mkdir()
    kept = Kept(tmp_path / "new")
    kept.take(satisfied())
    answer = ApiEdge(kept).get(REWARDS)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    kept.engine.dispose()


def test_a_request_to_fulfil_goes_to_the_journal(edge: ApiEdge) -> None:
    """202 with the id of the request; the record is that of the user who has the reward."""
    edge.kept.take(satisfied())
    answer = edge.ask(f"{REWARDS}/w-1/fulfil", {"by": "payout 7"}, idempotency_key="pay-1")
    event_id = make_id("offerflow.FulfilReward", "w-1", "pay-1")
    assert (answer.status_code, answer.json()) == (202, {"eventId": event_id})
    (record,) = edge.publisher.records
    assert (record.topic, record.key) == ("test.raw.backend", b"anna")
    assert edge.asked == [{
        "event": "offerflow.FulfilReward", "user_id": "anna", "event_id": event_id, "source": "local-server",
        "properties": {"reward_id": "w-1", "by": "payout 7"},
    }]  # fmt: skip
    minted = edge.ask(f"{REWARDS}/w-1/fulfil").json()["eventId"]
    assert (edge.asked[1]["event_id"], edge.asked[1]["properties"]["by"]) == (minted, "local-server")


def test_one_idempotency_key_goes_with_many_calls(edge: ApiEdge) -> None:
    """The id is of what is asked for as well: a payout run has one key for all of its rewards, and a repeat has the id
    that the first had."""
    edge.kept.take(satisfied(), satisfied("w-2"))
    calls = [f"{REWARDS}/{reward}/{what}" for reward in ("w-1", "w-2") for what in ("fulfil", "reverse")]
    first, again = ([edge.ask(call, idempotency_key="k").json()["eventId"] for call in calls] for _ in range(2))
    assert first == again
    assert len(set(first)) == len(calls)
    assert [asked["event_id"] for asked in edge.asked] == first + again


def test_a_request_to_reverse_goes_to_the_journal(edge: ApiEdge) -> None:
    """Of a reward that is satisfied, or fulfilled already."""
    edge.kept.take(satisfied(), satisfied("w-2"), fulfilled("w-2"))
    for reward in ("w-1", "w-2"):
        assert edge.ask(f"{REWARDS}/{reward}/reverse", {}, idempotency_key=f"undo-{reward}").status_code == 202
    assert [(asked["event"], asked["properties"]) for asked in edge.asked] == [
        ("offerflow.ReverseReward", {"reward_id": "w-1"}), ("offerflow.ReverseReward", {"reward_id": "w-2"}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "reason", "state"),
    [("fulfil", None, "fulfilled"), ("fulfil", "refund", "reversed"), ("reverse", "manual", "reversed"),
     ("reverse", "expired", "expired")],
)  # fmt: skip
def test_what_cannot_be_is_409_with_the_state(edge: ApiEdge, what: str, reason: str | None, state: str) -> None:
    """The answer holds the reward, and nothing is published."""
    edge.kept.take(satisfied(), taken_back(reason=reason) if reason else fulfilled())
    answer = edge.ask(f"{REWARDS}/w-1/{what}")
    assert (answer.status_code, answer.json()["error"], answer.json()["state"]) == (409, "wrong_state", state)
    assert answer.json()["reward"]["id"] == "w-1"
    assert not edge.publisher.requests


@pytest.mark.parametrize("path", ["w-9", "w-9/fulfil", "w-9/reverse", "%00", "a%2Fb%2Fc/fulfil"])
def test_an_unknown_reward_is_404(edge: ApiEdge, path: str) -> None:
    """Whatever the id is made of."""
    answer = edge.ask(f"{REWARDS}/{path}") if "/" in path else edge.get(f"{REWARDS}/{path}")
    assert answer.status_code == 404
    assert not edge.publisher.requests


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b'{"by": ""}', 400, "by: expected at least 1 character"),
        (b'{"by": 7}', 400, "by: expected a string"),
        (b'{"from": "x"}', 400, "no member 'from'"),
        (b"[]", 400, "expected an object with by"),
        (b'{"by": "x"', 400, "not JSON"),
        (b'{"by": "\xff"}', 400, "not UTF-8 (byte 8)"),
        (b'{"by": "' + b"x" * 20_000 + b'"}', 413, "16384"),
        (b"[" * 10_000, 400, "another form"),
        (b'{"by": ' + b"[" * 10_000, 400, "by: expected a string"),
    ],
)
def test_bodies_that_cannot_be_read(edge: ApiEdge, body: bytes, status: int, words: str) -> None:
    """The message names the member and what was expected."""
    edge.kept.take(satisfied())
    answer = edge.ask(f"{REWARDS}/w-1/fulfil", body)
    assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.text
    assert not edge.publisher.requests


def test_an_idempotency_key_has_a_limit(edge: ApiEdge) -> None:
    """That of every event id."""
    edge.kept.take(satisfied())
    answer = edge.ask(f"{REWARDS}/w-1/fulfil", idempotency_key="k" * 513)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_idempotency_key")

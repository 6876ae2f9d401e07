"""What somebody is in and why, as the API tells what the rules know."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from msgspec import structs

from offerflow.rules.explained import NodeExplained, RefusalExplained, RewardExplained, Status
from offerflow.runtime.errors import RedisDown, TryAgain
from tests.producers.ingest.api.conftest import ApiEdge, inside, offer

OFFERS, EXPLANATIONS = "/offers/v1/offers", "/offers/v1/explanations"


def test_open_offers_with_progress_per_leaf(edge: ApiEdge) -> None:
    """The oldest first, leaves in the order in which they are written; not what ended or expired, nor the holdout,
    which is to see nothing."""
    now = int(time.time() * 1000)
    created = NodeExplained("event", True, "Account Created", "1 of 1")
    bought = NodeExplained("event", False, "Purchase Completed, 3 times", "2 of 3", missing="1 more")
    tree = NodeExplained("all", False, nodes=[created, NodeExplained("any", False, nodes=[bought])])
    edge.reader.explained = [
        offer("shop", inside("i-1", entered_at=2000, expires_at=now + 60_000, completion=tree),
              inside("i-3", expires_at=now - 1), inside("i-4", Status.COMPLETED), inside("i-5", Status.EXPIRED)),
        offer("orders", inside("i-2", key="o-1", attributes={"headline": "Save"}),
              inside("i-6", Status.HELD_OUT, holdout=True)),
    ]  # fmt: skip
    told = edge.get(OFFERS, userId="a:nna").json()
    assert edge.reader.asked == ["u:a:nna"]
    assert told == {"userId": "a:nna", "offers": [
        {"offer": "orders", "instance": "i-2", "variant": "plain", "key": "o-1", "attributes": {"headline": "Save"},
         "enteredAt": "1970-01-01T00:00:01.000Z", "expiresAt": None, "progress": []},
        {"offer": "shop", "instance": "i-1", "variant": "plain", "key": None, "attributes": {},
         "enteredAt": "1970-01-01T00:00:02.000Z", "expiresAt": told["offers"][1]["expiresAt"], "progress": [
             {"asks": "Account Created", "holds": True, "progress": "1 of 1", "missing": None},
             {"asks": "Purchase Completed, 3 times", "holds": False, "progress": "2 of 3", "missing": "1 more"}]},
    ]}  # fmt: skip


@pytest.mark.parametrize("path", [OFFERS, EXPLANATIONS])
def test_who_is_asked_about_must_be_said(edge: ApiEdge, path: str) -> None:
    """400 without anybody, with two, or with one that cannot be; visitors are asked about by their anonymous id."""
    for query in ({}, {"userId": ""}, {"userId": "u" * 513}, {"userId": "anna", "anonymousId": "v-1"}):
        assert edge.get(path, **query).json()["error"] == "bad_userId"
    assert edge.get(path, userId="nobody").json() == {"userId": "nobody", "offers": []}
    assert edge.get(path, anonymousId="v-1").json() == {"anonymousId": "v-1", "offers": []}
    assert edge.reader.asked == ["u:nobody", "a:v-1"]


def test_an_explanation_in_full(edge: ApiEdge) -> None:
    """Trees with what counted and what is missing, runs with their rewards, refusals; of every offer or of one."""
    bought = NodeExplained("event", False, "Purchase Completed", "2 of 3", Decimal(2), "1 more", ["e-1", "e-2"], 2)
    run = inside("i-1", completion=NodeExplained("all", False, missing="1 more", nodes=[bought]), rewards=[
        RewardExplained("w-1", "voucher", "pending", Decimal("7.5"), "EUR", 5000)])  # fmt: skip
    shop = structs.replace(
        offer("shop", run), entry=bought, ways=["event"], refusal="already_in", missing=["1 more"],
        refusals=[RefusalExplained("cooldown", 2000, "e-9")],
    )  # fmt: skip
    edge.reader.explained = [shop, offer("orders")]
    told = edge.get(EXPLANATIONS, userId="anna", offer="shop").json()
    leaf = {"kind": "event", "asks": "Purchase Completed", "holds": False, "progress": "2 of 3", "missing": "1 more",
            "value": "2", "evidence": ["e-1", "e-2"], "evidenceCount": 2}  # fmt: skip
    assert told == {"userId": "anna", "offers": [{
        "offer": "shop", "version": "v", "status": "in", "missing": ["1 more"], "wouldBeRefused": "already_in",
        "ways": ["event"], "entry": leaf, "audience": None,
        "instances": [{
            "instance": "i-1", "version": "v", "status": "in", "variant": "plain", "holdout": False, "attributes": {},
            "key": None, "enteredAt": "1970-01-01T00:00:01.000Z", "expiresAt": None, "endedAt": None, "exit": None,
            "completion": {"kind": "all", "holds": False, "missing": "1 more", "nodes": [leaf]},
            "rewards": [{"id": "w-1", "reward": "voucher", "state": "pending", "value": "7.50", "currency": "EUR",
                         "nextAt": "1970-01-01T00:00:05.000Z"}],
        }],
        "refusals": [{"reason": "cooldown", "at": "1970-01-01T00:00:02.000Z", "eventId": "e-9"}],
    }]}  # fmt: skip
    assert [one["offer"] for one in edge.get(EXPLANATIONS, userId="anna").json()["offers"]] == ["shop", "orders"]
    missing = edge.get(EXPLANATIONS, userId="anna", offer="shp")
    assert (missing.status_code, missing.json()["error"]) == (404, "unknown_offer")


def test_a_state_that_cannot_be_read_is_503(edge: ApiEdge) -> None:
    """While Redis is away, and while it is being rebuilt."""
    for error in (RedisDown("gone"), TryAgain("being rebuilt")):
        edge.reader.error = error
        answer = edge.get(OFFERS, userId="anna")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")

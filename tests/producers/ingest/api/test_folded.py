"""What somebody is in, as the API tells what the rules know."""

from __future__ import annotations

import time

from offerflow.rules.explained import NodeExplained, Status
from offerflow.runtime.errors import RedisDown, TryAgain
from tests.producers.ingest.api.conftest import ApiEdge, inside, offer

OFFERS = "/offers/v1/offers"


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


def test_whose_offers_must_be_said(edge: ApiEdge) -> None:
    """400 without a user, or with one that cannot be."""
    for query in ({}, {"userId": ""}, {"userId": "u" * 513}):
        assert edge.get(OFFERS, **query).json()["error"] == "bad_userId"
    assert edge.get(OFFERS, userId="nobody").json() == {"userId": "nobody", "offers": []}


def test_a_state_that_cannot_be_read_is_503(edge: ApiEdge) -> None:
    """While Redis is away, and while it is being rebuilt."""
    for error in (RedisDown("gone"), TryAgain("being rebuilt")):
        edge.reader.error = error
        answer = edge.get(OFFERS, userId="anna")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")

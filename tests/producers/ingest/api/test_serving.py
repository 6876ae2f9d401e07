"""Who may use the API, and what is said to everybody else."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import Engine

from offerflow.runtime.errors import KafkaDown, StoreDown
from offerflow.runtime.kafka.publisher import Done, QueueFull, Record
from offerflow.runtime.keys import key_hash, new_key
from offerflow.runtime.metrics import ingest_requests
from producers.ingest.api.asked import AskedStore
from producers.ingest.api.rewards import RewardsApi
from producers.ingest.api.serving import Api
from producers.ingest.keyring import Source
from tests.consumers.history.said import Kept, satisfied
from tests.producers.ingest.api.conftest import ApiEdge
from tests.producers.ingest.edge import KEY, Edge, FakePublisher, failing

REWARDS, OFFERS = "/rewards/v1/rewards", "/offers/v1/offers"
CALLS = [("GET", REWARDS), ("GET", f"{REWARDS}/w-1"), ("POST", f"{REWARDS}/w-1/fulfil"),
         ("POST", f"{REWARDS}/w-1/reverse"), ("GET", OFFERS), ("POST", OFFERS), ("GET", f"{OFFERS}/shop"),
         ("GET", "/offers/v1/explanations")]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_only_server_keys_of_back_ends_are_served(edge: ApiEdge, method: str, path: str) -> None:
    """401 without a key, 403 for a key that may live in an app or belongs to another origin; nothing is published."""
    write, app, back = new_key("wk_"), new_key("sk_"), new_key("sk_")
    keys = {write: Source("shop-app", "backend"), app: Source("ios", "sdk"), back: Source("shop-backend", "backend")}
    edge.keys.replace({key_hash(key): source for key, source in keys.items()})
    edge.kept.take(satisfied())
    for key, status, words in ((None, 401, "Bearer sk_"), ("sk_no", 401, "not a whole key"), (write, 403, "server key"),
                               (app, 403, "origin sdk")):  # fmt: skip
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        answer = edge.request(method, path, headers=headers)
        assert (answer.status_code, words in answer.json()["message"]) == (status, True), answer.text
    assert not edge.publisher.requests
    answer = edge.request(method, path, headers={"authorization": f"Bearer {back}"})
    assert answer.status_code not in (401, 403, 404, 500)


def test_other_paths_and_methods(edge: ApiEdge) -> None:
    """404 names what there is, 405 the methods; a trailing slash does no harm, and HEAD is GET without a body."""
    missing = edge.get("/rewards/v1/reward")
    assert missing.status_code == 404
    assert "POST /rewards/v1/rewards/{id}/fulfil" in missing.json()["message"]
    wrong = edge.request("DELETE", f"{REWARDS}/w-1")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")
    assert edge.get(f"{REWARDS}/").status_code == 200
    head = edge.request("HEAD", REWARDS, headers={"authorization": f"Bearer {KEY}"})
    assert (head.status_code, head.content) == (200, b"")


def test_calls_are_counted_as_a_protocol_of_their_own(edge: ApiEdge) -> None:
    """By code and source, like events."""
    before = ingest_requests.labels("offers", "200", "local-server")._value.get()
    edge.get(REWARDS)
    assert ingest_requests.labels("offers", "200", "local-server")._value.get() == before + 1


def full(_: Sequence[Record], done: Done) -> None:
    raise QueueFull("full")


@pytest.mark.parametrize(
    "publisher", [failing(KafkaDown("gone")), FakePublisher(full), None], ids=["down", "full", "new"]
)
def test_what_kafka_has_not_is_not_called_asked_for(kept: Kept, publisher: FakePublisher | None) -> None:
    """503 with Retry-After when Kafka is away, slow, or was not seen yet."""
    edge = ApiEdge(kept, publisher, ready=publisher is not None)
    answer = edge.ask(OFFERS, {"userId": "anna", "offer": "shop"})
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1


def test_a_store_that_is_away_is_503_and_is_tried_again(kept: Kept) -> None:
    """Events are taken meanwhile, and the first call after its return is answered."""
    away = [True]

    def engine() -> Engine:
        if away:
            raise StoreDown("the store does not answer")
        return kept.engine

    edge = Edge(api=Api(RewardsApi(AskedStore(engine)).table()))
    headers = {"authorization": f"Bearer {KEY}"}
    answer = edge.request("GET", REWARDS, headers=headers)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert edge.post({"event": "A", "user_id": "u"}).status_code == 202
    away.clear()
    assert edge.request("GET", REWARDS, headers=headers).json()["rewards"] == []

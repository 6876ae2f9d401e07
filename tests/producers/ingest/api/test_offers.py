"""Entering somebody, and what an offer is."""

from __future__ import annotations

import pytest

from tests.producers.ingest.api.conftest import ApiEdge

OFFERS = "/offers/v1/offers"


@pytest.mark.parametrize(
    ("body", "properties"),
    [
        ({"userId": "anna", "offer": "shop"}, {"offer": "shop"}),
        ({"userId": "anna", "code": "uPGRADE26"}, {"code": "uPGRADE26"}),
        ({"userId": "anna", "offer": "orders", "key": "o-1"}, {"offer": "orders", "key": "o-1"}),
    ],
)
def test_a_request_to_enter_goes_to_the_journal(
    edge: ApiEdge, body: dict[str, str], properties: dict[str, str]
) -> None:  # fmt: skip
    """202 with its id, which is made of the Idempotency-Key and of who enters what; a paused offer too, since that is
    for the rules to refuse and to remember."""
    answer = edge.ask(OFFERS, body, idempotency_key="e-1", traceparent="00-4bf92f3577b34da6-00f067aa0ba902b7-01")
    event_id = answer.json()["eventId"]
    assert (answer.status_code, answer.json()) == (202, {"eventId": event_id})
    again = edge.ask(OFFERS, {**body, "userId": "ben"}, idempotency_key="e-1").json()["eventId"]
    assert edge.ask(OFFERS, body, idempotency_key="e-1").json()["eventId"] == event_id != again
    record = edge.publisher.records[0]
    assert (record.topic, record.key) == ("test.raw.backend", b"anna")
    assert [name for name, _ in record.headers] == ["traceparent"]
    assert edge.asked[0] == {
        "event": "offerflow.EnterOffer", "user_id": "anna", "event_id": event_id, "source": "local-server",
        "properties": properties,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "error", "words"),
    [
        ({"userId": "anna", "offer": "shp"}, 404, "unknown_offer", "did you mean 'shop'"),
        ({"userId": "anna", "offer": "secret"}, 404, "unknown_offer", "secret"),
        ({"userId": "anna", "code": "NOPE"}, 404, "unknown_code", "NOPE"),
        ({"userId": "anna", "code": "HUSH"}, 404, "unknown_code", "HUSH"),
        ({"userId": "anna", "offer": "events-only"}, 409, "not_by_api", "api: true"),
        ({"userId": "anna", "offer": "orders"}, 400, "bad_body", "key: expected the order_id"),
        ({"userId": "anna", "offer": "shop", "key": "x"}, 400, "bad_body", "does not tell entries apart"),
        ({"userId": "anna"}, 400, "bad_body", "one of offer and code"),
        ({"userId": "anna", "offer": "shop", "code": "UPGRADE26"}, 400, "bad_body", "one of offer and code"),
        ({"offer": "shop"}, 400, "bad_body", "userId"),
        ({"userId": "", "offer": "shop"}, 400, "bad_body", "userId: expected at least 1 character"),
        ({"userId": "u" * 513, "offer": "shop"}, 400, "bad_body", "userId: expected at most 512 characters"),
        ({"userId": "anna", "offer": None, "cod": "x"}, 400, "bad_body", "did you mean 'code'"),
        ({"userId": 7, "offer": "shop"}, 400, "bad_body", "userId: expected a string"),
    ],
)
def test_a_request_that_cannot_be(edge: ApiEdge, body: object, status: int, error: str, words: str) -> None:
    """What is wrong is named, with what was expected; drafts are as if they were not there."""
    answer = edge.ask(OFFERS, body)
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert words in answer.json()["message"]
    assert not edge.publisher.requests


def test_definitions(edge: ApiEdge) -> None:
    """Name, dates and ways in; variants with attributes and what they are worth; the sole one is ``default``."""
    assert edge.get(f"{OFFERS}/shop").json() == {
        "id": "shop", "name": "Shop more", "description": None, "status": "live", "withdrawn": False,
        "entry": ["event", "code", "api"], "code": "Upgrade26", "starts": "2026-03-01", "ends": None, "timezone": None,
        "expiresAfter": "14d", "holdout": "0%",
        "variants": [{"id": "default", "weight": 1, "attributes": {}, "reward": {
            "id": "voucher", "value": "10.00", "currency": "EUR", "pending": None, "expiresAfter": None}}],
    }  # fmt: skip
    orders = edge.get(f"{OFFERS}/orders").json()
    assert (orders["status"], orders["holdout"], orders["entry"]) == ("paused", "10%", ["api"])
    assert orders["variants"] == [
        {"id": "plain", "weight": 1, "attributes": {"headline": "Save"}, "reward": None},
        {"id": "bold", "weight": 3, "attributes": {}, "reward": {
            "id": "cashback", "value": None, "currency": "EUR", "expression": "amount * 0.05", "max": "20.00",
            "pending": "14d", "expiresAfter": "90d"}},
    ]  # fmt: skip
    assert edge.get(f"{OFFERS}/secret").json()["status"] == "draft"
    assert "did you mean 'orders'" in edge.get(f"{OFFERS}/oders").json()["message"]

"""The Resonance protocol: one event a request, answered with its id."""

from __future__ import annotations

import json

import pytest

from producers.ingest.adapters.resonance import ResonanceAdapter
from producers.ingest.answers import Refusal
from producers.ingest.limits import Limits
from tests.producers.ingest.edge import KEY, Edge
from tests.producers.ingest.exchange import asked, envelopes, refused, said, taken

ADAPTER = ResonanceAdapter(Limits())
PATH = "/events/v1/events"
EVENT = {
    "userId": "u-1", "name": "Purchase Completed", "eventAt": "2024-04-12T01:18:37Z", "data": {"amount": 59.9},
}  # fmt: skip


def test_an_event() -> None:
    """All four members have their place in the envelope; the time keeps beside it what was written."""
    (event,) = taken(ADAPTER, asked(PATH, EVENT))
    assert json.loads(event.value) == {
        "source": "shop-backend", "event": "Purchase Completed", "user_id": "u-1", "event_id": event.id,
        "time": 1_712_884_717_000, "properties": {"amount": 59.9},
        "via": {"protocol": "resonance", "time": "2024-04-12T01:18:37Z"},
    }  # fmt: skip
    assert (event.key, event.name) == ("u-1", "Purchase Completed")
    answer = ADAPTER.accepted([event])
    assert (answer.status, said(answer)) == (200, {"id": event.id})


def test_bytes_of_data_stay() -> None:
    """Spelling of numbers, order and white space of `data` are what was sent."""
    (event,) = taken(ADAPTER, asked(PATH, b'{"userId":"u","name":"A","data":{"b": 1.50, "a":12345678901234567890123}}'))
    assert b'"properties":{"b": 1.50, "a":12345678901234567890123}' in event.value


def test_only_what_is_needed() -> None:
    """Without `eventAt` and `data` the envelope has no time, so it is the append time, and no properties."""
    (envelope,) = envelopes(ADAPTER, asked(PATH, {"userId": 42, "name": "A", "eventAt": None, "trace": {"x": 1}}))
    assert "time" not in envelope
    assert "properties" not in envelope
    assert envelope["user_id"] == "42"
    assert envelope["via"]["rest"] == {"trace": {"x": 1}}


@pytest.mark.parametrize(
    "event", [{"name": "A"}, {"userId": ["x"], "name": "A"}, {"userId": "u", "name": 5}, {"userId": "u", "data": 5}, {}]
)
def test_what_is_wrong_is_taken_all_the_same(event: dict[str, object]) -> None:
    """Validation makes a dead letter of it that says what is missing; what was sent is in it."""
    (envelope,) = envelopes(ADAPTER, asked(PATH, event))
    assert envelope.get("properties") == event.get("data")
    assert envelope["via"]["protocol"] == "resonance"


def test_a_key_in_the_body_is_not_kept() -> None:
    """Members nobody knows stay, unless they are a key."""
    (envelope,) = envelopes(ADAPTER, asked(PATH, {**EVENT, "apiKey": "sk_secret", "write": "wk_x", "more": "sky"}))
    assert envelope["via"]["rest"] == {"more": "sky"}


def test_several_and_their_ids() -> None:
    """An array is taken as well; Idempotency-Key makes the ids, with the index where there are several."""
    events = taken(ADAPTER, asked(PATH, [EVENT, EVENT], idempotency_key="k"))
    assert [event.id for event in events] == ["k-0", "k-1"]
    assert said(ADAPTER.accepted(events)) == {"ids": ["k-0", "k-1"]}
    assert taken(ADAPTER, asked(PATH, EVENT, idempotency_key="k"))[0].id == "k"


def test_an_item_that_is_no_object_does_not_cost_the_others() -> None:
    """Its dead letter shows what came."""
    odd, good = envelopes(ADAPTER, asked(PATH, ["x", EVENT]))
    assert (odd["via"]["rest"], good["user_id"]) == ({"item": "x"}, "u-1")


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"[5]", b"{", b'{"userId":}'])
def test_what_cannot_be_read(body: bytes) -> None:
    """400 with the form that was expected."""
    refusal = refused(ADAPTER, asked(PATH, body))
    assert (refusal.status, "userId" in refusal.message) == (400, True)


def test_the_key() -> None:
    """In `x-api-key`; 401 says so where it is missing."""
    assert ADAPTER.key(asked(PATH, x_api_key="sk_a")) == "sk_a"
    missing = ADAPTER.key(asked(PATH))
    assert isinstance(missing, Refusal)
    assert (missing.status, "x-api-key" in missing.message) == (401, True)


def test_over_http() -> None:
    """The whole way through the application, with the key where the protocol has it."""
    edge = Edge()
    answer = edge.post(EVENT, PATH, None, x_api_key=KEY)
    (record,) = edge.publisher.records
    assert (answer.status_code, answer.json()["id"]) == (200, json.loads(record.value)["event_id"])
    assert edge.post(EVENT, PATH, None, x_api_key="sk_wrong").status_code == 401

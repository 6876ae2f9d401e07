"""Publishing from Python: what is refused before anything is sent, and what is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.settings import load_settings
from producers.envelope import mint_id
from producers.publish import EventPublisher, InvalidEvent, encode, publish
from schemas.envelope import MAX_RAW_BYTES, decode
from tests.deployment import Deployment

PURCHASE = {"event": "Purchase Completed", "user_id": "u-1", "properties": {"order_id": "o-1", "amount": 59.9}}


def test_an_event_becomes_a_record_that_validation_reads() -> None:
    """The envelope as given, keyed by the user, with a minted id; times may be datetimes."""
    time = datetime(2026, 3, 5, 10, tzinfo=UTC)
    record, event_id = encode("raw", {**PURCHASE, "time": time, "mine": [1]})
    envelope = decode(record.value)
    assert (record.topic, record.key, envelope.event_id) == ("raw", b"u-1", event_id)
    assert json.loads(record.value or b"") == {
        **PURCHASE,
        "time": "2026-03-05T10:00:00Z",
        "mine": [1],
        "event_id": event_id,
    }


def test_an_id_that_is_given_is_kept() -> None:
    """Sending the same event again is safe only under the same id."""
    assert encode("raw", {**PURCHASE, "event_id": "mine"})[1] == "mine"


def test_minted_ids_differ_and_sort_by_time() -> None:
    """Ids are version 7 UUIDs: unique, and later ones never sort before those of an earlier millisecond."""
    ids = [mint_id() for _ in range(2000)]
    assert len(set(ids)) == 2000
    assert all(found[14] == "7" and found[19] in "89ab" for found in ids)
    assert [found[:13] for found in ids] == sorted(found[:13] for found in ids)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"event": "A"}, "user_id: missing"),
        ({"user_id": "u"}, "event: missing"),
        ({"event": 1, "user_id": "u"}, "event: expected a string, got int"),
        ({**PURCHASE, "properties": [1]}, "properties: expected an object"),
        ({**PURCHASE, "properties": {"x": object()}}, "unsupported"),
        ({**PURCHASE, "properties": {"x": "\ud800"}}, "surrogates"),
        ({**PURCHASE, "properties": {"x": "y" * MAX_RAW_BYTES}}, "expected at most 1048576"),
        ({**PURCHASE, "user_id": "u" * 513}, "at most 512"),
    ],
)
def test_what_is_no_envelope_is_refused_before_sending(event: dict[str, Any], words: str) -> None:
    """The error names the field and what was expected."""
    with pytest.raises(InvalidEvent, match=words):
        encode("raw", event)


@pytest.mark.broker
def test_events_are_in_kafka_when_publish_returns(deployment: Callable[..., Deployment]) -> None:
    """Every event under its returned id, in order, on the raw topic of the prefix."""
    here = deployment()
    here.create_topics()
    settings = load_settings(kafka={"bootstrap_servers": here.services.kafka}, topic_prefix=here.prefix)
    ids = publish(settings, "raw.backend", [{**PURCHASE, "n": n} for n in range(100)])
    with EventPublisher(settings, "raw.backend") as events:
        ids.append(events.send({**PURCHASE, "n": 100}))
    found = [json.loads(record.value or b"") for record in here.read("raw.backend")]
    assert [event["event_id"] for event in found] == ids
    assert [event["n"] for event in found] == list(range(101))


def test_no_broker_is_one_clear_error() -> None:
    """KafkaDown with the address, and not a hang."""
    settings = load_settings(kafka={"bootstrap_servers": "127.0.0.1:1"})
    events = EventPublisher(settings)
    events.send(PURCHASE)
    with pytest.raises(KafkaDown, match=r"127\.0\.0\.1:1"):
        events.flush(timeout=0.2)
    events.close()

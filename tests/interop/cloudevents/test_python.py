"""The Python package of CloudEvents: what it writes for HTTP, in each mode, arrives as the same event."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from tests.interop.edge import Edge, somebody
from tests.interop.front import Front

pytestmark = pytest.mark.broker

TIME = datetime(2026, 3, 5, 10, 0, 0, 250_123, tzinfo=UTC)
TIME_MS = 1_772_704_800_250
DATA = {"order_id": "o-1", "amount": 59.9, "currency": "EUR"}


def made(user: str, **more: Any) -> CloudEvent:
    attributes = {"id": f"{user}-1", "source": "/shop", "type": "Purchase Completed", "subject": user, "time": TIME,
                  "specversion": "1.0", "datacontenttype": "application/json", **more}  # fmt: skip
    return CloudEvent(attributes=attributes, data=DATA)


def post(url: str, edge: Edge, headers: dict[str, str], body: Any) -> httpx.Response:
    key = {"authorization": f"Bearer {edge.key()}"}
    return httpx.post(f"{url}/cloudevents", headers={**headers, **key}, content=body, timeout=30)


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
def test_both_modes(edge: Edge, write: Any) -> None:
    """Id, user, time and properties are those of the event; the attributes without a place are in the raw record."""
    user = somebody()
    message = write(made(user, tier="gold plated, 100% Café"))
    answer = post(edge.url, edge, message.headers, message.body)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "ids": [f"{user}-1"]})
    (event,) = edge.events(user)
    assert (event.kind, event.id, event.user, event.ms) == ("PurchaseCompleted", f"{user}-1", user, TIME_MS)
    assert {name: event.properties[name] for name in DATA} == DATA
    (raw,) = edge.raws(user)
    assert (raw.topic, raw.envelope["source"]) == ("raw.backend", "shop-server")
    assert raw.envelope["via"]["rest"]["tier"] == "gold plated, 100% Café"
    assert raw.envelope["via"]["rest"]["source"] == "/shop"


def test_a_batch_in_chunks(edge: Edge) -> None:
    """Structured events joined to a batch and sent without Content-Length."""
    users = [somebody() for _ in range(3)]
    batch = b"[" + b",".join(JSONFormat().write(made(user)) for user in users) + b"]"
    headers = {"content-type": "application/cloudevents-batch+json"}
    answer = post(edge.url, edge, headers, iter([batch[:100], batch[100:]]))
    assert answer.json() == {"accepted": 3, "ids": [f"{user}-1" for user in users]}
    for user in users:
        assert edge.events(user)[0].properties["order_id"] == "o-1"


def test_data_that_is_no_object(edge: Edge) -> None:
    """It is taken, and the dead letter says what was wrong with it."""
    user = somebody()
    message = to_binary_event(CloudEvent({**made(user).get_attributes(), "datacontenttype": "text/plain"}, "hello"))
    assert post(edge.url, edge, message.headers, message.body).status_code == 202
    letter = edge.letter(f"{user}-1")
    assert (letter["reason"], letter["field"], letter["event"]) == ("undecodable", "properties", "Purchase Completed")


@pytest.mark.parametrize("status", [400, 413, 429, 503])
def test_sent_again_it_has_the_same_id(edge: Edge, front: Front, status: int) -> None:
    """The package makes messages and leaves sending to others: after a failure the same message goes again."""
    user = somebody()
    message = to_binary_event(made(user))
    front.answer(status, retry_after="1")
    assert post(front.url, edge, message.headers, message.body).status_code == status
    assert post(front.url, edge, message.headers, message.body).status_code == 202
    assert [event.id for event in edge.events(user)] == [f"{user}-1"]
    first, second = front.posts(2)
    assert (first.headers["ce-id"], first.body) == (second.headers["ce-id"], second.body)


def test_without_a_key(edge: Edge) -> None:
    """401 that says where the key belongs; 400 that says what a CloudEvent is."""
    message = to_binary_event(made(somebody()))
    answer = httpx.post(f"{edge.url}/cloudevents", headers=message.headers, content=message.body, timeout=30)
    assert (answer.status_code, "Authorization: Bearer" in answer.json()["message"]) == (401, True)
    refused = post(edge.url, edge, {}, b'{"order_id": "o-1"}')
    assert (refused.status_code, "specversion" in refused.json()["message"]) == (400, True)

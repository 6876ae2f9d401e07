"""Segment's library for Python as people have it, pointed at the edge by its `host`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from segment.analytics.client import Client

from tests.interop.calls import AT_MS, GROUP, PAGE, PURCHASE, TRAITS, Person, Troubles, check_calls
from tests.interop.edge import Edge, somebody
from tests.interop.front import Front
from tests.waiting import until

pytestmark = pytest.mark.broker
WHEN = datetime.fromtimestamp(AT_MS / 1000, UTC)


def client(url: str, edge: Edge, **more: Any) -> Client:
    return Client(edge.key("backend"), host=url, upload_interval=0.05, **more)


@pytest.mark.parametrize("compressed", [False, True])
def test_every_call(edge: Edge, compressed: bool) -> None:
    """Each is in the journal with the id that the library gave it, plain and compressed."""
    person = Person()
    failed: list[object] = []
    analytics = client(edge.url, edge, gzip=compressed, on_error=lambda error, _: failed.append(error))
    _, purchase = analytics.track(person.user, "Purchase Completed", PURCHASE, timestamp=WHEN)
    analytics.identify(person.user, TRAITS, anonymous_id=person.anonymous)
    analytics.page(person.user, "Docs", "Intro", PAGE)
    analytics.screen(person.user, "App", "Start")
    analytics.group(person.user, person.group, GROUP)
    analytics.alias(person.old, person.user)
    analytics.flush()
    analytics.join()
    found = check_calls(edge, person)
    assert (found["PurchaseCompleted"].id, found["PurchaseCompleted"].ms) == (purchase["messageId"], AT_MS)
    assert found["Identified"].anonymous == person.anonymous
    assert failed == []


def test_troubles_on_the_way(edge: Edge, front: Front) -> None:
    """503, 429 and a lost answer are tried again with the same ids; 400 and 413 drop the batch and are reported."""
    troubles = Troubles(front)
    failed: dict[str, int] = {}
    clients = []
    for user in troubles.people:
        analytics = client(front.url, edge, on_error=lambda e, batch: failed.update({batch[0]["userId"]: e.status}))
        analytics.track(user, "Purchase Completed", PURCHASE)
        clients.append(analytics)
    for analytics in clients:
        analytics.flush()
        analytics.join()
    troubles.check(edge)
    assert failed == {troubles.bad: 400, troubles.large: 413}


def test_a_restart_of_the_edge(edge: Edge) -> None:
    """What is sent while it is away comes when it is back."""
    user = somebody()
    analytics = client(edge.url, edge)
    analytics.track(user, "Purchase Completed", {**PURCHASE, "order_id": "before"})
    analytics.flush()
    with edge.stopped():
        analytics.track(user, "Purchase Completed", {**PURCHASE, "order_id": "while"})
        until(analytics.queue.empty, "the library to try")
    analytics.flush()
    analytics.join()
    assert [event.properties["order_id"] for event in edge.events(user, 2)] == ["before", "while"]


def test_a_wrong_key_is_told(edge: Edge) -> None:
    """The library reports 401 with the edge's own words and does not try for ever."""
    failed: list[Any] = []
    analytics = Client("wk_wrong", host=edge.url, upload_interval=0.05, on_error=lambda error, _: failed.append(error))
    analytics.track("somebody", "Purchase Completed", PURCHASE)
    analytics.flush()
    analytics.join()
    assert [(error.status, error.code) for error in failed] == [(401, "unauthorized")]
    assert "offerflow keys create" in failed[0].message

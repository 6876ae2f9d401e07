"""The APIs that have no client to be installed, end to end: requests in the form of Reteno's SDKs and servers, and of
Resonance, read back from the journal."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.interop.edge import Edge, somebody
from tests.producers.ingest.exchange import fixture

pytestmark = pytest.mark.broker

MARCH = 1_772_704_800_000


def post(edge: Edge, path: str, body: Any, origin: str = "backend", **more: Any) -> httpx.Response:
    return httpx.post(edge.url + path, json=body, auth=("anybody", edge.key(origin)), timeout=30, **more)


def replayed(edge: Edge, name: str, user: str) -> httpx.Response:
    """A captured request, in chunks if it was."""
    read = fixture(name, key=edge.key("sdk"), user=user, device=f"{user}-device")
    body = json.dumps(read["body"]).encode()
    content = iter([body[:50], body[50:]]) if read["chunked"] else body
    return httpx.request(read["method"], edge.url + read["path"], headers=read["headers"], content=content, timeout=30)


def test_the_android_sdk_of_reteno(edge: Edge) -> None:
    """Its own events and custom ones are in the journal with user, device, time and properties; sent again, they have
    the same ids."""
    user = somebody()
    answer = replayed(edge, "reteno-android-events", user)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 5)
    events = edge.events(user, 5)
    kinds = ["ScreenViewed", "SessionStarted", "ApplicationOpened", "PushPermissionChanged", "LessonStarted"]
    assert [(event.kind, event.ms) for event in events] == [(kind, MARCH + 1000 * at) for at, kind in enumerate(kinds)]
    assert {(event.anonymous, event.meta["source"]) for event in events} == {(f"{user}-device", "web-app")}
    assert (events[0].properties["name"], events[-1].properties["lesson_id"]) == ("CartFragment", "l-1")
    assert [event.id for event in events] == answer.json()["ids"] == replayed(edge, "reteno-android-events",
                                                                              user).json()["ids"]  # fmt: skip
    assert all(raw.envelope["via"]["debug"] for raw in edge.raws(user, 5))


def test_the_ios_sdk_of_reteno(edge: Edge) -> None:
    """Events and the user, with traits under the plan's names and pii left out."""
    user = somebody()
    assert replayed(edge, "reteno-ios-events", user).status_code == 200
    updated, ended, _ = edge.events(user, 3)
    assert (updated.properties["previous_version"], ended.properties["duration_seconds"]) == ("1.9", 95.0)
    assert replayed(edge, "reteno-ios-user", user).status_code == 200
    identified = edge.events(user, 4)[-1]
    assert (identified.kind, identified.user, identified.anonymous) == ("Identified", user, f"{user}-device")
    assert (identified.properties["plan"], identified.properties["city"]) == ("pro", "Kyiv")
    assert identified.properties["email"] is None


def test_a_server_of_reteno(edge: Edge) -> None:
    """An event now, and past events, which are judged as if they had come when they happened."""
    user = somebody()
    about = {"externalCustomerId": user, "amount": 59.9, "currency": "EUR"}
    now = {"eventTypeKey": "Purchase Completed", "keyValue": f"{user}-1", "eventParams": {**about, "order_id": "o-1"}}
    past = {**now, "keyValue": f"{user}-0", "occurred": "2024-05-14T10:11", "eventParams": {**about, "order_id": "o-0"}}
    assert post(edge, "/api/v2/event", now).json() == {"accepted": 1, "ids": [f"{user}-1"]}
    assert post(edge, "/api/v1/events", {"events": [past]}).json() == {"accepted": 1, "ids": [f"{user}-0"]}
    first, second = edge.events(user, 2)
    assert (first.id, first.ms, first.meta["lateness"]) == (f"{user}-0", 1_715_681_460_000, "ignore")
    assert (second.id, second.meta["lateness"]) == (f"{user}-1", "normal")
    assert first.properties["order_id"] == "o-0"
    assert post(edge, "/api/v1/events", {"events": [past]}, "sdk").status_code == 403


def test_resonance(edge: Edge) -> None:
    """The event that was sent, under the id that was answered."""
    user = somebody()
    data = {"order_id": "o-1", "amount": 59.9, "currency": "EUR"}
    event = {"userId": user, "name": "Purchase Completed", "eventAt": "2026-03-05T10:00:00Z", "data": data}
    key = {"x-api-key": edge.key()}
    answer = httpx.post(f"{edge.url}/events/v1/events", json=event, headers=key, timeout=30)
    assert answer.status_code == 200
    (found,) = edge.events(user)
    assert (found.id, found.user, found.ms) == (answer.json()["id"], user, MARCH)
    assert {name: found.properties[name] for name in data} == data

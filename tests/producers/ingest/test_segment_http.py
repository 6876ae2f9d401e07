"""Segment's protocol over HTTP: every answer, whoever makes it, is one that its clients understand."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from offerflow.runtime.errors import KafkaDown
from producers.ingest.limits import Limits
from tests.producers.ingest.edge import KEY, Edge, failing

TRACK = {"type": "track", "event": "Order Completed", "userId": "u-1", "messageId": "m-1"}
BASIC = {"authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}
TEXT = {**BASIC, "content-type": "text/plain"}


def send(edge: Edge, body: Any, path: str = "/v1/batch", **more: Any) -> httpx.Response:
    return edge.request("POST", path, **{"json": body, "headers": BASIC, **more})


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/batch/", "/v1/import/", "/v1/b", "/beacon/v1/batch"])
def test_a_batch_is_in_kafka_before_it_is_a_success(path: str) -> None:
    """With the ids that came, under the user's key."""
    edge = Edge()
    answer = send(edge, {"batch": [TRACK, {**TRACK, "messageId": "m-2"}]}, path)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert [record.key for record in edge.publisher.records] == [b"u-1", b"u-1"]
    assert b'"event_id":"m-2"' in (edge.publisher.records[1].value or b"")


def test_the_key_may_come_in_the_body_or_the_query_alone() -> None:
    """As from Java, and from beacons."""
    edge = Edge()
    assert send(edge, {"batch": [TRACK], "writeKey": KEY}, headers={}).status_code == 200
    assert send(edge, {"batch": [TRACK]}, "/beacon/v1/batch", headers={}, params={"writeKey": KEY}).status_code == 200
    assert len(edge.publisher.records) == 2


@pytest.mark.parametrize(
    ("edge", "more", "status", "code"),
    [
        (Edge(), {"headers": {}}, 401, "unauthorized"),
        (Edge(), {"headers": {"authorization": "Basic bm9ib2R5Og=="}}, 401, "unauthorized"),
        (Edge(), {"content": b"{", "json": None}, 400, "malformed_json"),
        (Edge(), {"content": b"x", "json": None, "headers": {**BASIC, "content-encoding": "br"}}, 415, "bad_encoding"),
        (Edge(limits=Limits(event_bytes=20)), {}, 413, "event_too_large"),
        (Edge(limits=Limits(body_bytes=20)), {}, 413, "body_too_large"),
        (Edge(ready=False), {}, 503, "unavailable"),
        (Edge(failing(KafkaDown("gone"))), {}, 503, "unavailable"),
    ],
)
def test_refusals(edge: Edge, more: dict[str, Any], status: int, code: str) -> None:
    """Each has the status, a code and a message; what may succeed later says when."""
    answer = send(edge, {"batch": [TRACK]}, **more)
    told = answer.json()
    assert (answer.status_code, told["code"], told["success"]) == (status, code, False)
    assert told["message"]
    assert ("retry-after" in answer.headers) == (status == 503)


def test_a_page_may_send_text_with_a_key() -> None:
    """The preflight of analytics.js is answered without a key, and the answer to its request may be read."""
    edge = Edge()
    page = {"origin": "https://shop.example"}
    asked = {**page, "access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    preflight = edge.request("OPTIONS", "/v1/t", headers=asked)
    assert (preflight.status_code, preflight.headers["access-control-allow-headers"]) == (204, "authorization")
    answer = send(edge, TRACK, "/v1/t", headers={**TEXT, **page})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://shop.example")


def test_settings_need_a_key_that_is_known() -> None:
    """A mistyped one is told at the start, and not event by event."""
    edge = Edge()
    assert edge.request("GET", f"/v1/projects/{KEY}/settings/").status_code == 200
    assert edge.request("GET", "/v1/projects/wk_no/settings").json()["code"] == "unauthorized"
    answer = edge.request("GET", "/sourceConfig/", headers=BASIC, params={"p": "npm"})
    assert answer.json()["source"]["id"] == "local-server"
    assert answer.headers["cache-control"].startswith("private")


def test_an_empty_batch_asks_nothing_of_kafka() -> None:
    """And is a success even so."""
    edge = Edge()
    assert send(edge, {"batch": []}).json() == {"success": True}
    assert edge.publisher.requests == []

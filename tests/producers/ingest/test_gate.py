"""Quotas, origins and allow-lists hold for every protocol, and each tells them in the words of its clients."""

from __future__ import annotations

import base64
import json

import pytest

from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.keys import key_hash, new_key
from producers.ingest.keyring import Source, Terms
from schemas.refused import REFUSED
from tests.producers.ingest.edge import Edge, FakePublisher, failing

KEY = new_key()
PAGE = "https://evil.example"
BASIC = {"authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}
BEARER = {"authorization": f"Bearer {KEY}"}
CLOUD = {"ce-id": "1", "ce-source": "/a", "ce-type": "Bought", "ce-specversion": "1.0", "ce-subject": "u"}
REQUESTS: dict[str, tuple[str, dict[str, str], object]] = {
    "native": ("/v1/events", BEARER, {"event": "Bought", "user_id": "u"}),
    "segment": ("/v1/track", BASIC, {"event": "Bought", "userId": "u"}),
    "segment batch": ("/v1/batch", {}, {"writeKey": KEY, "batch": [{"type": "track", "event": "Bought",
                      "userId": "u"}]}),
    "amplitude": ("/2/httpapi", {}, {"api_key": KEY, "events": [{"event_type": "Bought", "user_id": "u"}]}),
    "posthog": ("/batch", {}, {"api_key": KEY, "batch": [{"event": "Bought", "distinct_id": "u"}]}),
    "cloudevents": ("/cloudevents", {**BEARER, **CLOUD}, {}),
    "resonance": ("/events/v1/events", {"x-api-key": KEY}, {"userId": "u", "name": "Bought"}),
    "reteno": ("/api/v2/event", BEARER, {"eventTypeKey": "Bought", "params": [], "externalUserId": "u",
               "keyValue": "k"}),
}  # fmt: skip
BAD_KEY = {"amplitude": 400}
"""What a key that will not do is answered where it is not 401 or 403: Amplitude's clients know 400 for it."""
every_protocol = pytest.mark.parametrize("protocol", REQUESTS)


def edge(publisher: FakePublisher | None = None, **terms: object) -> Edge:
    made = Edge(publisher or FakePublisher())
    made.keys.replace({key_hash(KEY): Source("shop", "backend", Terms("abc", **terms))})  # type: ignore[arg-type]
    return made


def send(here: Edge, protocol: str, **more: str) -> tuple[int, str, dict[str, str]]:
    path, headers, body = REQUESTS[protocol]
    answer = here.request("POST", path, content=json.dumps(body), headers={**headers, **more})
    return answer.status_code, answer.text, dict(answer.headers)


@every_protocol
def test_a_key_over_its_quota(protocol: str) -> None:
    """429 with Retry-After and nothing in Kafka; before that the same request was taken."""
    here = edge(rate=0.001, burst=1)
    assert send(here, protocol)[0] in (200, 202)
    status, text, headers = send(here, protocol)
    assert (status, headers["retry-after"]) == (429, "1000")
    assert "events a second" in text
    assert len(here.publisher.records) == 1


@every_protocol
def test_a_page_that_the_key_does_not_know(protocol: str) -> None:
    """403 that the page can read, and nothing in Kafka; without an origin, or from one it knows, it is taken."""
    here = edge(origins=frozenset({"https://shop.example"}))
    status, text, headers = send(here, protocol, origin=PAGE)
    assert (status, headers["access-control-allow-origin"]) == (BAD_KEY.get(protocol, 403), PAGE)
    assert f"--add-origin {PAGE}" in text
    assert not here.publisher.records
    assert send(here, protocol)[0] in (200, 202)
    status, _, headers = send(here, protocol, origin="https://shop.example")
    assert (status in (200, 202), headers["access-control-allow-origin"]) == (True, "https://shop.example")


@every_protocol
def test_a_name_outside_the_allow_list(protocol: str) -> None:
    """Taken with the mark by which validation makes a dead letter of it; one that is allowed has none."""
    here = edge(events=frozenset({"Sold"}))
    assert send(here, protocol)[0] in (200, 202)
    (record,) = here.publisher.records
    assert b"may not send 'Bought'" in (dict(record.headers)[REFUSED] or b"")
    here.keys.replace({key_hash(KEY): Source("shop", "backend", Terms("abc", frozenset({"Bought"})))})
    assert send(here, protocol)[0] in (200, 202)
    assert REFUSED not in dict(here.publisher.records[-1].headers)


@every_protocol
def test_a_key_that_has_ended(protocol: str) -> None:
    """401 that says since when."""
    status, text, _ = send(edge(expires_at=1), protocol)
    assert status == BAD_KEY.get(protocol, 401)
    assert "ended at 1970-01-01" in text


def test_what_kafka_does_not_take_does_not_count() -> None:
    """A client that is told 503 sends again, and is not told 429 then."""
    here = edge(failing(KafkaDown("away")), rate=0.001, burst=1)
    assert [send(here, "segment")[0] for _ in range(3)] == [503, 503, 503]

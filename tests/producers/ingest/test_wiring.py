"""What every protocol has in common, through the whole application: keys, quotas, pages, marks, past events, CORS."""

from __future__ import annotations

import asyncio
import gzip
import json

import httpx
import pytest

from offerflow.runtime.keys import key_hash, new_key
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.api.serving import Api, NotYet
from producers.ingest.keyring import Source, Terms
from tests.producers.ingest.edge import PURCHASE, Edge, FakePublisher
from tests.producers.ingest.test_app import full

ORIGIN = "https://shop.example"
PREFLIGHT = {
    "origin": ORIGIN, "access-control-request-method": "POST", "access-control-request-headers": "authorization,x-a",
}  # fmt: skip


def keyed(edge: Edge, **terms: object) -> str:
    """A write key of source ``web`` under these terms."""
    key = new_key("wk_")
    edge.keys.replace({key_hash(key): Source("web", "sdk", Terms(id="abc", **terms))})  # type: ignore[arg-type]
    return key


@pytest.mark.parametrize("path", sorted({route.split()[1] for route in Edge().app._routes.told}))
def test_every_route_of_events_answers_a_preflight(path: str) -> None:
    """Openly, for a day, with whatever headers are asked for: the origin is judged with the key."""
    answer = Edge().request("OPTIONS", path.replace("{", "").replace("}", ""), headers=PREFLIGHT)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-headers"] == "authorization,x-a"
    assert int(answer.headers["access-control-max-age"]) >= 3600
    assert "content-length" not in answer.headers


def test_options_without_a_preflight_names_the_methods() -> None:
    """405 as any other method that is not there."""
    answer = Edge().request("OPTIONS", "/v1/events")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_page_of_another_origin_is_refused_in_words_it_may_read() -> None:
    """403 names the origin and the command; the header for browsers is there all the same, so that the page sees it."""
    edge = Edge()
    key = keyed(edge, origins=frozenset({ORIGIN}))
    assert edge.post(PURCHASE, key=key, origin=ORIGIN).status_code == 202
    assert edge.post(PURCHASE, key=key).status_code == 202
    refused = edge.post(PURCHASE, key=key, origin="https://evil.example")
    assert (refused.status_code, refused.json()["error"]) == (403, "origin_not_allowed")
    assert "https://evil.example" in refused.json()["message"]
    assert refused.headers["access-control-allow-origin"] == "https://evil.example"


@pytest.mark.parametrize(("path", "status"), [("/v1/events", 401), ("/nowhere", 404), ("/", 200)])
def test_every_answer_to_a_page_can_be_read_by_it(path: str, status: int) -> None:
    """Errors too: a browser hides an answer without the header from the client that has to understand it."""
    answer = Edge().request("GET" if path == "/" else "POST", path, headers={"origin": ORIGIN})
    assert answer.status_code == status
    assert answer.headers.get_list("access-control-allow-origin") == [ORIGIN]


def test_a_key_over_its_quota_hears_429_and_what_was_not_taken_does_not_count() -> None:
    """Retry-After says when; an answer of 503 gives back what it had counted."""
    edge = Edge()
    key = keyed(edge, rate=0.001, burst=3)
    assert edge.post([PURCHASE] * 2, key=key).status_code == 202
    refused = edge.post([PURCHASE] * 2, key=key)
    assert (refused.status_code, refused.json()["error"]) == (429, "over_quota")
    assert int(refused.headers["retry-after"]) >= 1
    assert edge.post(PURCHASE, key=key).status_code == 202
    busy = Edge(FakePublisher(full))
    key = keyed(busy, rate=0.001, burst=1)
    assert [busy.post(PURCHASE, key=key).status_code for _ in range(3)] == [503] * 3


def test_an_event_that_the_key_may_not_send_is_taken_and_marked() -> None:
    """The rest of its batch is not marked; validation makes a dead letter of the one that is."""
    edge = Edge()
    key = keyed(edge, events=frozenset({"Lesson Started"}))
    answer = edge.post([PURCHASE, {"event": "Lesson Started", "user_id": "u"}], key=key, traceparent="00-a-b-01")
    assert answer.status_code == 202
    marked, free = edge.publisher.records
    names = [[name for name, _ in record.headers] for record in (marked, free)]
    assert names == [["of-refused", "traceparent"], ["traceparent"]]
    assert json.loads(dict(marked.headers)["of-refused"])["reason"] == "origin_forbidden"


def test_past_events_go_to_the_topic_of_imports_with_where_they_would_have_come_in() -> None:
    """The channel of their source is kept in a header, since the topic no longer says it."""
    edge = Edge()
    assert edge.post([PURCHASE, PURCHASE], path="/v1/events/import").status_code == 202
    for record in edge.publisher.records:
        assert record.topic == "test.raw.import"
        assert dict(record.headers)["of-origin-topic"] == b"test.raw.backend"


def test_a_wrong_key_costs_the_next_wrong_one_time_and_the_right_one_none() -> None:
    """After many wrong keys the right one is still answered; how long the wrong ones wait is in test_guesses."""
    edge = Edge()
    for _ in range(21):
        assert edge.post(PURCHASE, key=new_key()).status_code == 401
    assert edge.post(PURCHASE).status_code == 202


def test_who_used_a_key_is_noted() -> None:
    """With the key's id and the time of the request, for opened keys alone."""
    noted: list[tuple[str, int]] = []

    class Book:
        def note(self, key_id: str, at: int) -> None:
            noted.append((key_id, at))

    edge = Edge()
    edge.gate.tell(Book())
    edge.post(PURCHASE, key=keyed(edge))
    edge.post(PURCHASE, key=new_key())
    ((key_id, at),) = noted
    assert key_id == "abc"
    assert at > 1_600_000_000_000


def test_the_api_says_that_it_is_still_being_loaded() -> None:
    """503 with Retry-After for its paths and no others, if that takes longer than a caller waits."""
    edge = Edge(api=NotYet(patience_s=0.0))
    loading = edge.request("GET", "/rewards/v1/rewards", headers={"authorization": "Bearer sk_local"})
    assert (loading.status_code, loading.json()["error"]) == (503, "unavailable")
    assert edge.request("GET", "/elsewhere").status_code == 404
    assert edge.post(PURCHASE).status_code == 202


def test_a_call_waits_for_the_api_that_is_being_loaded() -> None:
    """Whoever asks right after the start gets what the API answers, not that it has just started."""
    edge = Edge(api=NotYet())

    async def ask() -> int:
        transport = httpx.ASGITransport(app=edge.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
            asked = asyncio.create_task(client.get("/rewards/v1/rewards"))
            asyncio.get_running_loop().call_soon(edge.app.serve, Api({}))
            return (await asked).status_code

    assert asyncio.run(ask()) == 404


def test_the_document_of_the_api_is_served_to_anybody() -> None:
    """It lists the routes of events."""
    answer = Edge().request("GET", "/openapi.json")
    assert answer.status_code == 200
    assert "/v1/events" in answer.json()["paths"]
    assert Edge().request("POST", "/openapi.json").status_code == 405


def test_what_kafka_would_never_take_is_413_and_not_send_it_again() -> None:
    """Whatever an adapter makes of it: an event over what a topic takes, and a request that grows out of proportion."""
    edge = Edge()
    events = [RawEvent(f"e-{n}", "u", b"x" * size) for n, size in enumerate((10, 1_000_001, 10))]
    refusal = edge.intake.too_large(events)
    assert refusal is not None
    assert (refusal.status, refusal.error) == (413, "event_too_large")
    assert [bad.index for bad in refusal.events] == [1]
    grown = edge.intake.too_large([RawEvent("e", "u", b"x" * 900_000)] * 40)
    assert grown is not None
    assert (grown.status, grown.error) == (413, "body_too_large")
    assert edge.intake.too_large([RawEvent("e", "u", b"x" * 900_000)] * 30) is None


def test_a_body_of_countless_values_is_refused_before_anything_is_made_of_them() -> None:
    """A few kilobytes of gzip would otherwise become hundreds of megabytes of objects, without a key."""
    answer = Edge().post(gzip.compress(b"[" + b"1," * 1_000_000 + b"1]"), key=None, content_encoding="gzip")
    assert (answer.status_code, answer.json()["error"]) == (413, "body_too_large")


def test_a_key_that_has_used_up_its_quota_is_told_before_anything_is_read() -> None:
    """429 even for a body that could not be read."""
    edge = Edge()
    key = keyed(edge, rate=0.001, burst=1)
    assert edge.post(PURCHASE, key=key).status_code == 202
    assert edge.post(b"no JSON", key=key).status_code == 429

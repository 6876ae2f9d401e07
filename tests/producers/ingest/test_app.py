"""The edge over HTTP: when it says that events were taken, and every other answer."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Sequence

import httpx
import pytest

from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.publisher import Done, QueueFull, Record
from offerflow.runtime.keys import key_hash, new_key
from offerflow.runtime.metrics import ingest_requests
from producers.ingest.keyring import Source
from producers.ingest.limits import Limits
from tests.producers.ingest.edge import KEY, PURCHASE, Edge, FakePublisher, failing


def test_an_event_is_taken() -> None:
    """202 with count and ids; the record goes to the channel of the key's origin under the user's id."""
    edge = Edge()
    answer = edge.post(PURCHASE)
    assert answer.status_code == 202
    (record,) = edge.publisher.records
    assert answer.json() == {"accepted": 1, "ids": [json.loads(record.value or b"")["event_id"]]}
    assert (record.topic, record.key) == ("test.raw.backend", b"u-1")
    assert json.loads(record.value or b"")["source"] == "local-server"


@pytest.mark.parametrize(
    ("origin", "topic"), [("sdk", "raw.sdk"), ("backend", "raw.backend"), ("integration", "raw.integration")]
)
@pytest.mark.parametrize("prefix", ["sk_", "wk_"])
def test_the_origin_of_the_keys_source_picks_the_channel(origin: str, topic: str, prefix: str) -> None:
    """Keys of the catalog open the channel of their source, and the event says who sent it."""
    edge, key = Edge(), new_key(prefix)
    edge.keys.replace({key_hash(key): Source("mine", origin)})
    assert edge.post(PURCHASE, key=key).status_code == 202
    (record,) = edge.publisher.records
    assert record.topic == f"test.{topic}"
    assert json.loads(record.value or b"")["source"] == "mine"


def test_a_removed_key_opens_nothing_and_the_built_in_one_stays() -> None:
    """What the catalog no longer lists is refused from the next request on."""
    edge, key = Edge(), new_key()
    edge.keys.replace({key_hash(key): Source("mine", "sdk")})
    edge.keys.replace({})
    assert edge.post(PURCHASE, key=key).status_code == 401
    assert edge.post(PURCHASE).status_code == 202


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({}, "Authorization: Bearer sk_"),
        ({"authorization": "Basic c2s6"}, "another form"),
        ({"authorization": "Bearer "}, "another form"),
        ({"authorization": KEY}, "another form"),
        ({"authorization": "Bearer sk_wrong"}, "not a whole key"),
        ({"authorization": f"Bearer {new_key()}"}, "revoked"),
        ({"authorization": b"Bearer \xff\xfe"}, "not a whole key"),
    ],
)
def test_without_a_good_key_the_answer_says_what_was_expected(headers: dict[str, str | bytes], words: str) -> None:
    """401 tells a missing key from a malformed header, a mistyped key and an unknown one."""
    edge = Edge()
    answer = edge.request("POST", "/v1/events", json=PURCHASE, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert words in answer.json()["message"]
    assert not edge.publisher.requests


def test_the_scheme_may_be_written_in_any_case() -> None:
    """HTTP schemes have no case."""
    answer = Edge().request("POST", "/v1/events", json=PURCHASE, headers={"authorization": f"bearer  {KEY}"})
    assert answer.status_code == 202


@pytest.mark.parametrize("path", ["/v1/events", "/v1/events/", "/v1/events//"])
@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/json"])
def test_trailing_slashes_and_content_types_do_not_matter(path: str, kind: str | None) -> None:
    """Real clients send any of them."""
    headers = {} if kind is None else {"content_type": kind}
    assert Edge().post(PURCHASE, path=path, **headers).status_code == 202


def test_traceparent_travels_in_the_header_of_every_record() -> None:
    """The trace of the client goes on with its events; what is far too long to be one does not."""
    edge = Edge()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    edge.post([PURCHASE, PURCHASE], traceparent=trace)
    assert [list(record.headers) for record in edge.publisher.records] == [[("traceparent", trace.encode())]] * 2
    edge.post(PURCHASE, traceparent="0" * 1000)
    assert not edge.publisher.records[-1].headers


def test_gzip_is_inflated() -> None:
    """A compressed body is the same events."""
    edge = Edge()
    assert (
        edge.post(gzip.compress(json.dumps([PURCHASE] * 3).encode()), content_encoding="gzip").json()["accepted"] == 3
    )


@pytest.mark.parametrize(
    ("body", "encoding", "status", "error"),
    [
        (gzip.compress(b"[" + b" " * 5_000_000), "gzip", 413, "body_too_large"),
        (gzip.compress(b" " * 5_000_000) * 3, "gzip", 413, "body_too_large"),
        (b" " * 5_000_000, "identity", 413, "body_too_large"),
        (gzip.compress(b"{}", mtime=0)[:-4], "gzip", 400, "bad_encoding"),
        (b"{}", "gzip", 400, "bad_encoding"),
        (gzip.compress(b"") * 200_000, "gzip", 400, "bad_encoding"),
        (b"{}", "br", 415, "bad_encoding"),
    ],
)
def test_bodies_that_cannot_be_had(body: bytes, encoding: str, status: int, error: str) -> None:
    """Bombs stop at the limit, and what is no gzip is refused by name."""
    answer = Edge().post(body, content_encoding=encoding)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_body_of_exactly_the_limit_is_read() -> None:
    """The limit itself is allowed, as sent and as inflated."""
    body = json.dumps([PURCHASE] * 10).encode()
    limits = Limits(body_bytes=len(body))
    assert Edge(limits=limits).post(body).status_code == 202
    assert Edge(limits=limits).post(gzip.compress(body), content_encoding="gzip").status_code == 202
    assert Edge(limits=Limits(body_bytes=len(body) - 1)).post(body).status_code == 413


def test_one_bad_event_refuses_the_request() -> None:
    """All or nothing: no record of a refused request reaches Kafka."""
    edge = Edge()
    answer = edge.post([PURCHASE, {"event": "A"}])
    assert answer.status_code == 400
    assert [bad["index"] for bad in answer.json()["events"]] == [1]
    assert not edge.publisher.requests


def test_other_paths_and_methods_name_what_is_there() -> None:
    """404 names the path, the routes nearest to it and where all are, 405 the methods."""
    edge = Edge()
    missing = edge.post(PURCHASE, path="/v2/event")
    assert missing.status_code == 404
    assert "/v2/event" in missing.json()["message"]
    for path, near in (("/v1/event", "POST /v1/events"), ("/2/httpap", "POST /2/httpapi"),
                       ("/x", "POST /v1/events"), ("/batsh", "POST /batch"),
                       ("/v1/projects/wk_1/setting", "GET /v1/projects/{key}/settings")):  # fmt: skip
        message = edge.request("GET", path).json()["message"]
        told = message.partition("the nearest are ")[2]
        assert told.startswith(f"{near},"), (path, told)
        assert len(set(told.split(";")[0].split(", "))) == 4
        assert "GET /openapi.json has all" in told
    for path, allowed in (("/v1/events", "POST"), ("/", "GET, HEAD")):
        wrong = edge.request("PUT", path)
        assert (wrong.status_code, wrong.headers["allow"]) == (405, allowed)


def test_a_body_of_nothing_but_values_is_refused_before_they_are_made() -> None:
    """By any protocol, whoever sends it: each would cost a hundred bytes before anybody could count events."""
    edge = Edge()
    for path in ("/v1/events", "/v1/batch", "/batch"):
        answer = edge.request("POST", path, content=b'{"batch":[1' + b",1" * 400_001 + b"]}")
        assert (answer.status_code, "400000 values" in answer.text) == (413, True), answer.text
    assert not edge.publisher.requests


def test_the_front_page_tells_how_to_send_an_event() -> None:
    """Whoever opens the address finds a command to copy."""
    answer = Edge().request("GET", "/")
    assert answer.status_code == 200
    assert "curl" in answer.text
    assert "/v1/events" in answer.text


def full(_: Sequence[Record], done: Done) -> None:
    raise QueueFull("full")


@pytest.mark.parametrize(
    "edge",
    [Edge(failing(KafkaDown("gone"))), Edge(FakePublisher(full)), Edge(ready=False)],
    ids=["down", "full", "starting"],
)
def test_kafka_down_full_or_not_there_yet_is_503_with_retry_after(edge: Edge) -> None:
    """Pressure and outage say: come again. Nothing is called taken that is not."""
    answer = edge.post(PURCHASE)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["error"] == "unavailable"


def test_the_answer_waits_for_the_acknowledgement() -> None:
    """202 comes after Kafka's acknowledgement, which arrives on another thread, and never before."""
    submitted = threading.Event()
    dones: list[Done] = []
    order: list[str] = []

    def hold(_: Sequence[Record], done: Done) -> None:
        dones.append(done)
        submitted.set()

    def acknowledge() -> None:
        submitted.wait(10)
        order.append("acknowledged")
        dones[0]([])

    edge = Edge(FakePublisher(hold))
    thread = threading.Thread(target=acknowledge)
    thread.start()
    answer = edge.post(PURCHASE)
    order.append("answered")
    thread.join()
    assert answer.status_code == 202
    assert order == ["acknowledged", "answered"]


def test_many_requests_at_once_are_each_answered_for_themselves() -> None:
    """Acknowledgements in any order reach the request they belong to."""
    held: list[tuple[Sequence[Record], Done]] = []

    def shuffle(records: Sequence[Record], done: Done) -> None:
        held.append((records, done))
        if len(held) == 50:
            for number, (_, finished) in enumerate(reversed(held)):
                finished([KafkaDown("gone")] if number % 2 else [])

    edge = Edge(FakePublisher(shuffle))

    async def burst() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=edge.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
            bodies = ({**PURCHASE, "event_id": f"id-{number}"} for number in range(50))
            headers = {"authorization": f"Bearer {KEY}"}
            return await asyncio.gather(*(client.post("/v1/events", json=body, headers=headers) for body in bodies))

    answers = asyncio.run(burst())
    assert sorted(answer.status_code for answer in answers) == [202] * 25 + [503] * 25
    for number, answer in enumerate(answers):
        assert answer.status_code == 503 or answer.json()["ids"] == [f"id-{number}"]


def test_a_fault_of_ours_is_500_and_not_a_dropped_connection() -> None:
    """An exception nobody expected is logged and answered."""

    def burst(_: Sequence[Record], done: Done) -> None:
        raise ZeroDivisionError

    answer = Edge(FakePublisher(burst)).post(PURCHASE)
    assert (answer.status_code, answer.json()["error"]) == (500, "internal")


@pytest.mark.parametrize(
    ("body", "key", "labels"),
    [
        (PURCHASE, KEY, ("native", "202", "local-server")),
        (["?"], KEY, ("native", "400", "local-server")),
        (PURCHASE, "sk_of_nobody", ("native", "401", "")),
    ],
)
def test_requests_are_counted_by_protocol_code_and_source(body: object, key: str, labels: tuple[str, ...]) -> None:
    """The counter moves by one for the code that was answered, under the source of the key if there is one."""
    before = ingest_requests.labels(*labels)._value.get()
    Edge().post(body, key=key)
    assert ingest_requests.labels(*labels)._value.get() == before + 1

"""What hostile and broken clients send: each gets a precise answer or the end of its connection, and costs little."""

from __future__ import annotations

import gzip
import json
import socket
import time
import tracemalloc
from collections.abc import Callable, Iterator

import psutil
import pytest

from producers.ingest.connections import Bounds
from producers.ingest.request import Room, inflate
from tests.producers.ingest.edge import PURCHASE, Edge, FakePublisher
from tests.producers.ingest.served import Client, Served, chunked, event, post, serving
from tests.waiting import until

MB = 1024 * 1024


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    with serving(Edge()) as served:
        yield served


@pytest.fixture
def served(shared: Served) -> Iterator[Served]:
    """One server for all, with its usual bounds and nothing taken yet."""
    usual = Bounds(look_s=0.05)
    for name in Bounds.__slots__:
        setattr(shared.bounds, name, getattr(usual, name))
    shared.edge.publisher.requests.clear()
    yield shared
    for client in shared.clients:
        client.close()
    shared.clients.clear()
    until(lambda: not shared.connections, "the connections of the test to end")


def works(served: Served) -> bool:
    """Whether somebody else is still served."""
    client = served.client()
    client.send(post(event("other")))
    return client.answer().status == 202


def drip(client: Client, *pieces: bytes) -> None:
    """Sends piece after piece until the server has had enough."""
    client.socket.settimeout(0.02)
    try:
        for piece in pieces * 2000:
            client.send(piece)
            try:
                if client.socket.recv(1, socket.MSG_PEEK):
                    return
            except TimeoutError:
                continue
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        client.socket.settimeout(30)


@pytest.mark.parametrize(
    ("start", "pieces"),
    [
        (b"POST /v1/events HTTP/1.1\r\n", (b"X-A: b\r\n",)),
        (b"POST /v1/eve", ()),
        (b"POST /v1/events HTTP/1.1\r\nX-", (b"a",)),
    ],
    ids=["header by header", "half a line and silence", "letter by letter"],
)
def test_headers_that_never_end_are_cut_off(served: Served, start: bytes, pieces: tuple[bytes, ...]) -> None:
    """However they dawdle, the time for the headers runs from the first byte, and 408 says so."""
    served.bounds.headers_s = 0.3
    client = served.client()
    client.send(start)
    drip(client, *pieces)
    answer = client.answer()
    assert (answer.status, answer.json["error"], answer.headers["connection"]) == (408, "too_slow", "close")
    assert client.ended()


def test_a_connection_that_never_says_anything_is_closed(served: Served) -> None:
    """Silence from the beginning costs a connection for as long as headers may take."""
    served.bounds.headers_s = 0.2
    client = served.client()
    assert client.answer_if_any() is None


@pytest.mark.parametrize(
    ("head", "pieces"),
    [(post(b"", length=1000), ()), (post(b"[", length=100_000), (b" ",)), (chunked(), (b"1\r\n \r\n",))],
    ids=["no byte of it", "byte by byte", "chunk by chunk"],
)
def test_a_body_that_never_ends_is_cut_off(served: Served, head: bytes, pieces: tuple[bytes, ...]) -> None:
    """The time for a body holds for the whole of it, its first byte included; nothing of it is taken."""
    served.bounds.body_s = 0.3
    client = served.client()
    client.send(head)
    drip(client, *pieces)
    answer = client.answer()
    assert (answer.status, answer.json["error"]) == (408, "too_slow")
    assert client.ended()
    assert not served.taken()


def test_an_idle_connection_between_requests_is_not_hurried(served: Served) -> None:
    """The time for headers begins with a request: clients may be silent between two, for as long as that is allowed."""
    served.bounds.headers_s = 0.1
    client = served.client()
    client.send(post(event("1")))
    assert client.answer().status == 202
    passed = time.monotonic() + 3 * served.bounds.headers_s
    until(lambda: time.monotonic() > passed, "longer than headers may take")
    client.send(post(event("2")))
    assert client.answer().status == 202
    served.bounds.idle_s = 0.1
    assert client.answer_if_any() is None


@pytest.mark.parametrize(
    "head",
    [
        post(b"{}", b"X-Large: " + b"a" * 70_000),
        post(b"{}", *(b"X-%d: 1" % n for n in range(200))),
        b"POST /v1/events HTTP/1.1\r\n" + b"X" * 500_000,
        b"POST /" + b"e" * 500_000,
        chunked() + b"1\r\n \r\n0\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(5000)),
    ],
    ids=["one large", "many", "a name without end", "a path without end", "trailers without end"],
)
def test_headers_without_measure_are_431(served: Served, head: bytes) -> None:
    """Bytes and number of headers are bounded, before and after the body."""
    client = served.client()
    client.send(head)
    answer = client.answer()
    assert (answer.status, answer.json["error"]) == (431, "headers_too_large")
    assert client.ended()
    assert not served.taken()
    assert works(served)


def test_trailers_with_an_event_do_no_harm(served: Served) -> None:
    """A few of them are allowed, and the event is taken."""
    client = served.client()
    body = event("t")
    client.send(chunked(b"Trailer: X-Sum"), b"%x;part=1\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(body), body))
    assert client.answer().status == 202
    assert served.taken() == ["t"]


def test_requests_ahead_of_their_answers_are_answered_in_turn(served: Served) -> None:
    """Pipelining works: as many answers as requests, in their order."""
    client = served.client()
    client.send(b"".join(post(event(f"p{n}")) for n in range(20)))
    assert [client.answer().json["ids"] for _ in range(20)] == [[f"p{n}"] for n in range(20)]


def test_too_many_requests_ahead_end_the_connection_after_what_was_begun(served: Served) -> None:
    """Each answer that comes is true, the last one says that the connection ends, and nothing is taken unanswered."""
    client = served.client()
    client.send(b"".join(post(event(f"p{n}")) for n in range(500)))
    answers = []
    while (answer := client.answer_if_any()) is not None:
        answers.append(answer)
    assert {answer.status for answer in answers} == {202}
    assert answers[-1].headers["connection"] == "close"
    assert 30 < len(answers) < 60
    assert served.taken() == [f"p{n}" for n in range(len(answers))]


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /v1/events HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/events HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /v1/\xffevents HTTP/1.1\r\n\r\n",
        b"CONNECT edge:80 HTTP/1.1\r\n\r\n",
        chunked() + b"zz\r\n",
        chunked() + b"5\r\nhello, this is more than five\r\n",
        chunked() + b"ffffffffffffffffff\r\n",
    ],
    ids=[
        "TLS", "HTTP/2", "no path", "a length in words", "a length below zero", "a length without end", "two lengths",
        "a length and chunks", "no header", "a path in bytes", "a tunnel", "a chunk of no size",
        "a chunk that overflows", "a chunk without end",
    ],
)  # fmt: skip
def test_what_is_no_http_is_400_and_the_end(served: Served, sent: bytes) -> None:
    """It is answered in words, and nothing is read after it."""
    client = served.client()
    client.send(sent)
    answer = client.answer()
    assert (answer.status, answer.json["error"]) == (400, "bad_http")
    assert client.ended()
    assert not served.taken()


def test_garbage_after_a_request_does_not_spoil_its_answer(served: Served) -> None:
    """The request before it is answered as it was taken, and then the connection ends."""
    client = served.client()
    client.send(post(event("good")) + b"\x00\x01garbage\r\n\r\n")
    answer = client.answer()
    assert (answer.status, answer.json["ids"]) == (202, ["good"])
    client.ended()
    assert served.taken() == ["good"]


def test_a_length_that_promises_more_than_comes_takes_nothing(served: Served) -> None:
    """A connection that ends within a body was no request, however whole its JSON looks."""
    client = served.client()
    body = event("short")
    client.send(post(body, length=len(body) + 10))
    client.socket.shutdown(socket.SHUT_WR)
    assert client.answer_if_any() is None
    assert not served.taken()


def test_a_length_that_promises_less_than_comes_takes_what_it_says(served: Served) -> None:
    """The rest would be the next request and is none."""
    client = served.client()
    body = event("long")
    client.send(post(body + b"} }", length=len(body)))
    assert client.answer().status == 202
    client.ended()
    assert served.taken() == ["long"]


def test_an_upgrade_that_is_asked_for_is_passed_over(served: Served) -> None:
    """Java's client asks for HTTP/2 with its first request, which is taken as HTTP/1.1; the connection goes on."""
    client = served.client()
    asking = (
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAEAAEAAAAIAAAAB",
    )
    client.send(post(event("one"), *asking) + post(event("two"), *asking))
    assert [client.answer().status for _ in range(2)] == [202, 202]
    client.send(post(event("three")))
    assert client.answer().status == 202
    assert served.taken() == ["one", "two", "three"]


def test_a_client_that_asks_first_is_told_before_it_sends(served: Served) -> None:
    """Expect: 100-continue gets 100 for a body that may come, and 413 at once for one that is too large."""
    client = served.client()
    client.send(post(b"", b"Expect: 100-continue", length=100 * MB))
    assert client.answer().status == 413
    polite = served.client()
    body = event("polite")
    polite.send(post(b"", b"Expect: 100-continue", length=len(body)))
    assert polite.answer().status == 100
    polite.send(body)
    assert polite.answer().status == 202


def test_a_body_that_is_too_large_is_refused_in_words(served: Served) -> None:
    """The client gets to read 413 though it is still sending, in one piece and in chunks."""
    for head, piece in ((post(b"", length=6 * MB), b" " * MB), (chunked(), b"100000\r\n" + b" " * MB + b"\r\n")):
        client = served.client()
        client.send(head, *[piece] * 6, *([b"0\r\n\r\n"] if head.endswith(b"chunked\r\n\r\n") else []))
        answer = client.answer()
        assert (answer.status, answer.json["error"]) == (413, "body_too_large")
        client.ended()


def test_who_does_not_read_its_answers_is_cut_off(served: Served) -> None:
    """Answers nobody takes are not kept for ever."""
    served.bounds.answer_s = 0.3
    client = served.client(receive_buffer=2048)
    long_path = b"GET /" + b"x" * 180 + b" HTTP/1.1\r\n\r\n"
    try:
        while True:
            client.socket.settimeout(3)
            client.send(long_path * 30)
    except (TimeoutError, ConnectionResetError, BrokenPipeError):
        pass
    until(lambda: not served.connections, "the connection to be cut off")
    assert works(served)


def test_more_connections_than_allowed_are_told_to_come_again(served: Served) -> None:
    """503 with Retry-After at once, and those that were there are served."""
    served.bounds.connections = 5
    first = [served.client() for _ in range(5)]
    until(lambda: served.connections == 5, "the first connections")
    refused = served.client()
    answer = refused.answer()
    assert (answer.status, answer.json["error"]) == (503, "too_many_connections")
    assert int(answer.headers["retry-after"]) >= 1
    for client in first:
        client.send(post(event("x")))
        assert client.answer().status == 202


def test_idle_connections_cost_little_memory(served: Served) -> None:
    """A thousand connections in the middle of their headers take less than 32 KB each, and others are served."""
    process = psutil.Process()
    warm = [served.client() for _ in range(100)]
    until(lambda: served.connections == 100, "the first hundred")
    before = process.memory_info().rss
    for client in (*warm, *(served.client() for _ in range(1000))):
        client.send(b"POST /v1/events HTTP/1.1\r\nX-A: b\r\n")
    until(lambda: served.connections == 1100, "the connections")
    assert works(served)
    assert process.memory_info().rss - before < 1000 * 32_768


def test_bodies_on_their_way_have_a_bound_together() -> None:
    """Whoever sends large bodies slowly gets 503 once they hold too much memory, and the memory is given back."""
    edge = Edge(room=Room(8 * MB))
    with serving(edge) as served:
        slow = [served.client() for _ in range(6)]
        for client in slow[:2]:
            client.send(post(b" " * 3 * MB, length=4 * MB))
        until(lambda: edge.room.left < 2 * MB + MB, "two bodies to be held")
        for client in slow[2:]:
            client.send(post(b" " * 3 * MB, length=4 * MB))
        answers = [client.answer() for client in slow[3:]]
        assert {answer.status for answer in answers} == {503}
        assert {answer.headers["retry-after"] for answer in answers} == {"1"}
        assert works(served)
        for client in slow:
            client.close()
        until(lambda: edge.room.left == 8 * MB, "the memory to be given back")


@pytest.mark.parametrize(
    "bomb",
    [
        gzip.compress(b"[" * 60 * MB, 1),
        gzip.compress(b" " * 3 * MB, 1) * 60,
        gzip.compress(gzip.compress(b" " * 60 * MB, 1), 1),
        b"".join(gzip.compress(b"") for _ in range(50)) + gzip.compress(b" " * 60 * MB, 1),
    ],
    ids=["one member", "many members", "twice", "after empty members"],
)
def test_bombs_are_inflated_to_the_limit_and_no_further(bomb: bytes) -> None:
    """Memory stays near the limit whatever the data would grow to."""
    tracemalloc.start()
    inflate(bomb, 4 * MB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 4 * MB + 2 * len(bomb)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"[" * 2 * MB, 400, "too_deep"),
        (b'{"event":"A","user_id":"u","properties":' + b'{"a":' * 30 + b"1" + b"}" * 30 + b"}", 400, "bad_events"),
        (json.dumps([PURCHASE] * 2001).encode(), 413, "too_many_events"),
        (json.dumps({**PURCHASE, "properties": {"a": "x" * 70_000}}).encode(), 413, "event_too_large"),
        (b'{"event":"\xff\xfe","user_id":"u"}', 400, "malformed_json"),
        (b"\xff\xfe{\x00}\x00", 400, "malformed_json"),
        (b'{"event":"\\ud800","user_id":"u"}', 400, "malformed_json"),
        (b"", 400, "malformed_json"),
    ],
)
def test_bodies_over_a_limit_or_of_no_text_are_named(served: Served, body: bytes, status: int, error: str) -> None:
    """Over the socket as in the adapters: one precise word each."""
    client = served.client()
    client.send(post(body))
    answer = client.answer()
    assert (answer.status, answer.json.get("error", "")) == (status, error)


def test_a_client_that_leaves_in_the_middle_is_no_fault_of_ours() -> None:
    """Its events are in Kafka or not, nobody is told a thing, and no memory stays behind."""
    held: list[Callable[[], None]] = []
    edge = Edge(FakePublisher(lambda records, done: held.append(lambda: done([]))))
    with serving(edge) as served:
        for number in range(20):
            client = served.client()
            client.send(post(event(f"left-{number}")))
        until(lambda: len(held) == 20, "the events to wait for Kafka")
        for client_socket in served.clients:
            client_socket.close()
        until(lambda: not served.connections, "the clients to be gone")
        for acknowledge in held:
            acknowledge()
        until(lambda: not served.server.server_state.tasks, "their requests to end")
        held.clear()
        staying = served.client()
        staying.send(post(event("stays")))
        until(lambda: held, "the next event")
        held.pop()()
        assert staying.answer().status == 202

"""The edge told to stop: nobody is cut off in the middle of anything."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.producers.ingest.edge import Edge, FakePublisher
from tests.producers.ingest.served import event, post, serving
from tests.waiting import until


def test_requests_under_way_finish_and_idle_connections_get_a_last_word() -> None:
    """What waits for Kafka is answered, a request on a connection that was idle is still served, each with
    Connection: close, a silent connection is closed, and nobody new is let in."""
    held: list[Callable[[], None]] = []
    edge = Edge(FakePublisher(lambda records, done: held.append(lambda: done([]))))
    with serving(edge) as served:
        waiting, idle, silent = served.client(), served.client(), served.client()
        idle.send(post(event("before")))
        until(lambda: held, "the first event")
        held.pop()()
        assert "connection" not in idle.answer().headers
        waiting.send(post(event("waiting")))
        until(lambda: held, "the event that waits")
        served.server.should_exit = True
        until(lambda: served.bounds.draining, "the server to drain")
        idle.send(post(event("last")))
        until(lambda: len(held) == 2, "the last event")
        for acknowledge in held:
            acknowledge()
        for client in (waiting, idle):
            answer = client.answer()
            assert (answer.status, answer.headers["connection"]) == (202, "close")
            assert client.ended()
        assert silent.answer_if_any() is None
        with pytest.raises(OSError), socket.create_connection(served.address, 5):
            pass
    assert served.taken() == ["before", "waiting", "last"]


def test_a_body_that_is_on_its_way_may_arrive() -> None:
    """A request that began before the order to stop is read to its end and taken."""
    with serving(Edge()) as served:
        client = served.client()
        whole = post(event("slow"))
        client.send(whole[:-10])
        until(lambda: served.server.server_state.tasks, "the request to begin")
        served.server.should_exit = True
        until(lambda: served.bounds.draining, "the server to drain")
        client.send(whole[-10:])
        answer = client.answer()
        assert (answer.status, answer.headers["connection"]) == (202, "close")
    assert served.taken() == ["slow"]

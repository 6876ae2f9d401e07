"""Any bytes in any pieces: a connection never raises, answers in turn, and takes nothing that it does not answer."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from producers.ingest.connections import Bounds
from producers.ingest.server import EdgeServer
from tests.producers.ingest.edge import Edge
from tests.producers.ingest.served import chunked, event, post

GOOD = [
    post(event("a")),
    post(event("b"), b"Connection: Upgrade", b"Upgrade: h2c"),
    chunked() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(event("c")), event("c")),
    b"GET / HTTP/1.0\r\n\r\n",
    b"HEAD / HTTP/1.1\r\n\r\n",
]
ODD = [
    b"\r\n", b"\x00", b"\xff\xfe", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n",
    b" HTTP/9.9", b"Upgrade: websocket\r\n", b"Expect: 100-continue\r\n", b"X" * 70_000,
]  # fmt: skip


class Transport:
    """What the server writes, without a network."""

    def __init__(self) -> None:
        self.written = b""
        self.closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """The client may still send."""

    def pause_reading(self) -> None:
        """Everything is there already."""

    resume_reading = pause_reading


async def exchange(pieces: list[bytes]) -> tuple[Edge, bytes]:
    """All pieces sent, one after the other, then the end of the connection."""
    edge = Edge()
    server = EdgeServer(edge.app, Bounds(header_bytes=4096, ahead=4))
    server.config.load()
    make: Any = server.config.http_protocol_class
    connection = make(config=server.config, server_state=server.server_state, app_state={}, _loop=None)
    transport: Any = Transport()
    connection.connection_made(transport)
    for piece in pieces:
        if transport.closing:
            break
        connection.data_received(piece)
        for _ in range(60):  # turns of the loop, enough for every request to come to its answer
            await asyncio.sleep(0)
    connection.look(connection.loop.time() + 1000)
    connection.connection_lost(None)
    while server.server_state.tasks:
        await asyncio.gather(*server.server_state.tasks)
    return edge, transport.written


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Good requests, spoiled here and there, cut anywhere."""
    whole = b"".join(draw(st.lists(st.sampled_from(GOOD + ODD), min_size=1, max_size=6)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(whole)))
        whole = whole[:at] + draw(st.sampled_from(ODD) | st.binary(max_size=8)) + whole[at + draw(st.integers(0, 30)) :]
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


def test_good_requests_in_one_piece_are_all_answered() -> None:
    """Whatever their form, in their order; a client of HTTP/1.0 gets its answer and the end."""
    edge, written = asyncio.run(exchange([b"".join(GOOD[:3]) + GOOD[4] + GOOD[3]]))
    assert re.findall(rb"HTTP/1\.1 (\d{3}) ", written) == [b"202", b"202", b"202", b"200", b"200"]
    assert [json.loads(record.value or b"")["event_id"] for record in edge.publisher.records] == ["a", "b", "c"]
    assert written.count(b"connection: close") == 1


@settings(max_examples=300, deadline=None)
@given(streams())
def test_whatever_comes_is_answered_in_turn_or_ends(pieces: list[bytes]) -> None:
    """Every answer is whole and of a known status, and each event that went to Kafka was answered 202, in its order."""
    edge, written = asyncio.run(exchange(pieces))
    answers = re.split(rb"(?=HTTP/1\.1 \d{3} )", written)[1:]
    statuses = [int(answer[9:12]) for answer in answers]
    assert b"".join(answers) == written
    assert set(statuses) <= {100, 200, 202, 400, 401, 404, 405, 408, 413, 415, 431, 503}
    ids = [one for a, s in zip(answers, statuses, strict=True) if s == 202 for one in told(a)]
    sent = [json.loads(record.value or b"")["event_id"] for record in edge.publisher.records]
    assert ids == sent


def told(answer: bytes) -> list[str]:
    ids: list[str] = json.loads(answer.partition(b"\r\n\r\n")[2])["ids"]
    return ids

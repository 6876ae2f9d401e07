"""What the proxy does to bytes, with a listener that writes down what arrives."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.chaos.proxy import END_TXN, TXN_OFFSET_COMMIT, Proxy
from tests.deployment import free_port

FETCH = 1


def request(api: int, client: str, body: bytes = b"") -> bytes:
    head = struct.pack(">hhih", api, 0, 7, len(client)) + client.encode() + body
    return struct.pack(">i", len(head)) + head


class Behind:
    """A server behind the proxy: ``got`` everything that arrived, ``answers`` each piece with ``answer``."""

    def __init__(self, answer: bytes = b"") -> None:
        self.got = b""
        self.gone = asyncio.Event()
        self._arrived = asyncio.Event()
        self._answer = answer

    async def arrives(self, wanted: bytes) -> None:
        while wanted not in self.got:
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), 20)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(1000):
                self.got += piece
                self._arrived.set()
                writer.write(self._answer)
        except ConnectionError:
            pass
        finally:
            writer.close()
            self.gone.set()


@asynccontextmanager
async def between(behind: Behind, *, kafka: bool) -> AsyncIterator[tuple[Proxy, Any]]:
    """The proxy before ``behind``, and how to connect to it."""
    proxy, port = Proxy(), free_port()
    server = await asyncio.start_server(behind, "127.0.0.1", 0)
    async with server:
        to = server.sockets[0].getsockname()[1]
        async with await proxy.serve({"name": "here", "port": port, "to": to, "kafka": kafka}):
            yield proxy, lambda: asyncio.open_connection("127.0.0.1", port)


def order(proxy: Proxy, what: str, client: str = "", seconds: float = 0.0, times: int = 1) -> int:
    told = proxy.do({"do": "begin", "what": what, "route": "", "client": client, "seconds": seconds, "times": times})
    return int(told["id"])


def test_bytes_pass_both_ways() -> None:
    """Without trouble everything arrives as it was sent, in both directions."""

    async def play() -> None:
        behind = Behind(b"said")
        async with between(behind, kafka=True) as (_, connect):
            reader, writer = await connect()
            sent = request(FETCH, "rules-1") + request(END_TXN, "rules-1", b"commit")
            writer.write(sent)
            await behind.arrives(sent)
            assert await reader.readexactly(4) == b"said"
            writer.close()

    asyncio.run(play())


def test_an_end_held_back_arrives_though_its_client_left() -> None:
    """A held EndTxn keeps what is behind it waiting, and reaches the broker although the client has gone."""

    async def play() -> None:
        behind = Behind()
        async with between(behind, kafka=True) as (proxy, connect):
            number = order(proxy, "hold", "rules-1", seconds=0.5)
            _, writer = await connect()
            first, end, after = (request(api, "rules-1") for api in (FETCH, END_TXN, FETCH))
            writer.write(first + end + after)
            await behind.arrives(first)
            assert behind.got == first
            writer.close()
            await behind.arrives(end)
            assert proxy.do({"do": "end", "id": number}) == {"struck": 1}

    asyncio.run(play())


def test_a_client_cut_off_at_its_end() -> None:
    """``late`` and ``late_offsets`` break the client's connection at that request, of that client only, and deliver."""

    async def play(what: str, api: int) -> None:
        behind = Behind()
        async with between(behind, kafka=True) as (proxy, connect):
            order(proxy, what, "rules-1", seconds=0.2)
            _, other = await connect()
            other.write(request(api, "rules-2", b"other"))
            await behind.arrives(b"other")
            reader, writer = await connect()
            writer.write(request(api, "rules-1", b"mine"))
            with suppress(ConnectionError):
                assert await reader.read() == b""
            assert b"mine" not in behind.got
            await behind.arrives(b"mine")
            writer.close()
            other.close()

    asyncio.run(play("late", END_TXN))
    asyncio.run(play("late_offsets", TXN_OFFSET_COMMIT))


def test_half_open_is_silence_and_then_a_cut() -> None:
    """While a link is stalled nothing passes, and when that is over the connection is broken."""

    async def play() -> None:
        behind = Behind()
        async with between(behind, kafka=False) as (proxy, connect):
            reader, writer = await connect()
            writer.write(b"before")
            await behind.arrives(b"before")
            number = order(proxy, "stall")
            writer.write(b"while")
            proxy.do({"do": "end", "id": number})
            with suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 20) == b""
            await behind.gone.wait()
            assert behind.got == b"before"
            writer.close()

    asyncio.run(play())


def test_cut_breaks_what_matches() -> None:
    """A cut meets the links of the named client alone, and tells how many."""

    async def play() -> None:
        behind = Behind()
        async with between(behind, kafka=True) as (proxy, connect):
            _, spared = await connect()
            reader, writer = await connect()
            spared.write(request(FETCH, "validation-1", b"x"))
            writer.write(request(FETCH, "rules-1", b"y"))
            await behind.arrives(b"x")
            await behind.arrives(b"y")
            assert proxy.do({"do": "cut", "route": "", "client": "rules"}) == {"struck": 1}
            with suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 20) == b""
            spared.write(request(FETCH, "validation-1", b"again"))
            await behind.arrives(b"again")
            spared.close()
            writer.close()

    asyncio.run(play())

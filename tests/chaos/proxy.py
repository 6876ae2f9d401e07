"""Stands between workers and their services, and does to the bytes what networks do:
``python -m tests.chaos.proxy PORT ROUTES``.

ROUTES is a JSON list of {name, port, to, kafka}. Orders come as JSON lines on PORT, each answered by one line:
{"do": "begin", "what": …, "route": prefix, "client": prefix, "seconds": s, "times": n} gives an id,
{"do": "end", "id": …} undoes it and tells how often it struck, {"do": "cut", "route": …, "client": …} tells how many.

delay   every piece comes late           stall   nothing goes through any more (half-open); cut when it ends
hold    an EndTxn is held back, and what comes behind it     late    the client is cut off at its EndTxn, which arrives
late_offsets   the same with a TxnOffsetCommit                       all the same, but later
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
from dataclasses import dataclass, field
from typing import Any

import uvloop

END_TXN, TXN_OFFSET_COMMIT = 26, 28
PIECE = 1 << 16
HELD_AT_MOST_S = 40.0
_STRIKES = {"hold": END_TXN, "late": END_TXN, "late_offsets": TXN_OFFSET_COMMIT}


@dataclass
class Trouble:
    """``struck`` counts requests held or connections that were met."""

    what: str
    route: str
    client: str
    seconds: float
    times: int
    struck: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def meets(self, link: Link) -> bool:
        return link.route.startswith(self.route) and link.client.startswith(self.client)


class Link:
    """One connection through the proxy. ``client`` is what it calls itself, known with its first Kafka request."""

    def __init__(self, proxy: Proxy, route: str, down: Ends, up: Ends) -> None:
        self.route = route
        self.client = ""
        self.holding = False
        self._proxy = proxy
        self._down, self._up = down, up

    def cut(self) -> None:
        for _, writer in (self._down, self._up):
            writer.transport.abort()

    async def frames(self) -> None:
        """Kafka requests on their way to the broker, one by one."""
        reader, writer = self._down[0], self._up[1]
        while True:
            head = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(head, "big"))
            self.client = _client_of(body)
            trouble = self._proxy.strikes(self, int.from_bytes(body[:2], "big"))
            await self._pass()
            self.holding = trouble is not None
            if trouble is not None:
                if trouble.what != "hold":
                    self._down[1].transport.abort()
                await asyncio.sleep(trouble.seconds)
            writer.write(head + body)
            await writer.drain()
            if trouble is not None and trouble.what != "hold":
                await asyncio.sleep(1)  # for the broker to read it
                return

    async def pieces(self, back: bool) -> None:
        """Bytes as they come."""
        reader, writer = (self._up[0], self._down[1]) if back else (self._down[0], self._up[1])
        while piece := await reader.read(PIECE):
            await self._pass()
            writer.write(piece)
            await writer.drain()

    async def _pass(self) -> None:
        for trouble in self._proxy.on(self):
            if trouble.what == "delay":
                await asyncio.sleep(trouble.seconds)
            elif trouble.what == "stall":
                await trouble.over.wait()
                self.cut()


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """All routes, the links through them, and what is wrong at the moment."""

    def __init__(self) -> None:
        self._links: set[Link] = set()
        self._troubles: dict[int, Trouble] = {}
        self._numbers = itertools.count(1)

    def on(self, link: Link) -> list[Trouble]:
        return [one for one in self._troubles.values() if one.meets(link)]

    def strikes(self, link: Link, api: int) -> Trouble | None:
        """What is to happen to this request, if anything; counted."""
        for one in self.on(link):
            if _STRIKES.get(one.what) == api and one.struck < one.times:
                one.struck += 1
                return one
        return None

    async def serve(self, route: dict[str, Any]) -> asyncio.Server:
        """Listen for the connections of a route."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                up = await asyncio.open_connection("127.0.0.1", route["to"], limit=PIECE)
            except OSError:
                writer.transport.abort()
                return
            await self._carry(Link(self, route["name"], (reader, writer), up), kafka=route["kafka"])

        return await asyncio.start_server(connected, "127.0.0.1", route["port"], limit=PIECE)

    async def _carry(self, link: Link, *, kafka: bool) -> None:
        self._links.add(link)
        there = asyncio.ensure_future(link.frames() if kafka else link.pieces(back=False))
        back = asyncio.ensure_future(link.pieces(back=True))
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            if link.holding:
                # It goes on to the broker, whatever became of the client.
                await asyncio.wait({there}, timeout=HELD_AT_MOST_S)
        finally:
            for task in (there, back):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError, RuntimeError, asyncio.IncompleteReadError):
                    await task
            link.cut()
            self._links.discard(link)

    async def ordered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(json.dumps(self.do(json.loads(line))).encode() + b"\n")
            await writer.drain()

    def do(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out an order; the answer to it."""
        if order["do"] == "begin":
            number = next(self._numbers)
            names = ("what", "route", "client", "seconds", "times")
            trouble = self._troubles[number] = Trouble(*(order[name] for name in names))
            trouble.struck = sum(trouble.meets(one) for one in self._links) if trouble.what in ("delay", "stall") else 0
            return {"id": number}
        if order["do"] == "look":
            return {"struck": self._troubles[order["id"]].struck}
        if order["do"] == "end":
            trouble = self._troubles.pop(order["id"])
            trouble.over.set()
            if trouble.what == "stall":
                for link in [one for one in self._links if trouble.meets(one)]:
                    link.cut()
            return {"struck": trouble.struck}
        met = [one for one in self._links if Trouble("cut", order["route"], order["client"], 0, 0).meets(one)]
        for one in met:
            one.cut()
        return {"struck": len(met)}


def _client_of(body: bytes) -> str:
    """The client id in the header of a Kafka request."""
    length = int.from_bytes(body[8:10], "big", signed=True)
    return body[10 : 10 + length].decode("utf-8", "replace") if length > 0 else ""


async def _main(port: int, routes: list[dict[str, Any]]) -> None:
    proxy = Proxy()
    for route in routes:
        await proxy.serve(route)
    await asyncio.start_server(proxy.ordered, "127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), json.loads(sys.argv[2])))

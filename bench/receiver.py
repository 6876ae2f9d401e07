"""Receivers that take their time: ``python -m bench.receiver COUNT SECONDS`` prints its ports, answers each request 200
after so long, and prints again and again how many it has answered."""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class _Slow(asyncio.Protocol):
    answered = 0

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().index(b"content-length:") + 15
        length = int(head[at:].partition(b"\r\n")[0])
        if len(rest) >= length:
            self._buffer = rest[length:]
            asyncio.get_running_loop().call_later(self._seconds, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            _Slow.answered += 1
            self._transport.write(_OK)


async def _serve(count: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda: _Slow(seconds), "127.0.0.1", 0, backlog=2048) for _ in range(count)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    while True:
        await asyncio.sleep(0.2)
        print(_Slow.answered, flush=True)


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), float(sys.argv[2])))

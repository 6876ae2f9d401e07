"""The HTTP server of the edge: uvicorn with bounded connections, and a way out that cuts nobody off.

A connection that is closed while a request is on its way loses that request without a word, and not every client sends
it again. So idle connections are kept a moment after the order to stop: the next request on each is still served, with
``Connection: close`` in its answer, and only those that stay silent are closed.
"""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import Any, cast

import uvicorn

from offerflow.runtime.serving import Server
from producers.ingest.connections import Bounds, Connection, Watch

_DRAIN_SECONDS = 20
_LAST_WORD_SECONDS = 2.0


class EdgeServer(Server):
    """Serves ``app`` on sockets that listen already."""

    def __init__(self, app: Any, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        protocol = cast(type[asyncio.Protocol], partial(Connection, self._bounds))
        super().__init__(uvicorn.Config(
            app, http=protocol, ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
            proxy_headers=False, timeout_graceful_shutdown=_DRAIN_SECONDS, backlog=2048,
        ))  # fmt: skip

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        watch = asyncio.create_task(Watch(self.server_state.connections, self._bounds).run())
        try:
            await super().serve(sockets)
        finally:
            watch.cancel()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, give clients the chance to hear that their connection ends, then close what is idle."""
        self._bounds.draining = True
        for server in self.servers:
            server.close()
        connections = cast("set[Connection]", self.server_state.connections)
        for connection in tuple(connections):
            connection.drain()
        loop = asyncio.get_running_loop()
        until = loop.time() + _LAST_WORD_SECONDS
        while connections and loop.time() < until:
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)

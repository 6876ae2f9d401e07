"""Names to checked addresses: looked up once, every address judged, and only those that were judged are connected to.

One bad address among good ones refuses the name, since whoever mixes them in is trying something. A name is looked up
anew about once a second, by one thread at most, so that a name server that hangs delays nobody else.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from offerflow.runtime.webhooks.networks import Network, refusal
from offerflow.runtime.webhooks.target import Target, forbidden

MEMORY_S = 1.0
THREADS = 256
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""From name and port to addresses as text; raises OSError."""


class Unresolved(Exception):
    """The name has no address now; the message says why."""


class Forbidden(Exception):
    """The name leads where a webhook must not go; the message says where and why."""


class Resolver:
    """``allowed``: networks that may be reached although they are not public."""

    def __init__(
        self, allowed: Sequence[Network], lookup: Lookup | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._allowed = allowed
        self._pool = ThreadPoolExecutor(THREADS, "resolve") if lookup is None else None
        self._lookup = lookup or self._ask
        self._clock = clock
        self._known: dict[tuple[str, int], tuple[float, asyncio.Future[Sequence[str]]]] = {}

    async def addresses(self, target: Target) -> Sequence[str]:
        """Addresses that may be connected to, in the resolver's order, at least one. Raises Unresolved, Forbidden."""
        found = [target.host] if target.literal else await self._resolved(target.host, target.port)
        if not found:
            raise Unresolved(f"the name {target.host} has no address")
        for address in found:
            why = refusal(address, self._allowed)
            if why is not None:
                raise Forbidden(forbidden(target.host, address, why))
        return found

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def _resolved(self, host: str, port: int) -> Sequence[str]:
        key, now = (host, port), self._clock()
        until, pending = self._known.get(key, (0.0, None))
        if pending is None or (pending.done() and now >= until):
            pending = asyncio.ensure_future(self._lookup(host, port))
            self._known = {k: v for k, v in self._known.items() if now < v[0] or not v[1].done()}
            self._known[key] = (now + MEMORY_S, pending)
        try:
            return await asyncio.shield(pending)
        except OSError as error:
            raise Unresolved(f"the name {host} cannot be resolved: {error.strerror or error}") from None

    async def _ask(self, host: str, port: int) -> Sequence[str]:
        def ask() -> Sequence[str]:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            return list(dict.fromkeys(str(answer[4][0]) for answer in answers))

        return await asyncio.get_running_loop().run_in_executor(self._pool, ask)

"""Who sends wrong keys, and how often: from an address that keeps at it, the answer comes a little later each time.

256 random bits are not guessed; this keeps the trying cheap for us and visible to operators (the metric
``offerflow_ingest_wrong_keys_total`` and the alert on it). A right key is never held back, whoever shares its address.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

_FREE = 20
"""Wrong keys from one address that are answered at once; they are forgotten at ``_FORGIVEN`` a second."""
_FORGIVEN = 0.2
_STEP = 0.1
_LONGEST = 2.0
_ADDRESSES = 4096
_HELD = 256
"""Answers held back at the same time; more are given at once, so that nobody can fill our memory with them."""


class Guesses:
    """Belongs to one event loop. ``now`` in seconds, of any origin; ``sleep`` takes seconds."""

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._counted: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._held = 0

    async def hold_back(self, address: str) -> None:
        """After a wrong key from ``address``, before the answer."""
        seconds = self._wait(address)
        if not seconds or self._held >= _HELD:
            return
        self._held += 1
        try:
            await self._sleep(seconds)
        finally:
            self._held -= 1

    def _wait(self, address: str) -> float:
        now = self._now()
        count, at = self._counted.pop(address, (0.0, now))
        count = max(0.0, count - (now - at) * _FORGIVEN) + 1
        self._counted[address] = count, now
        if len(self._counted) > _ADDRESSES:
            self._counted.popitem(last=False)
        return min(_LONGEST, max(0.0, count - _FREE) * _STEP)

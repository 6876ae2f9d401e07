"""Whether requests can be taken now: Kafka answered, the raw topics are there, the keys were read from the catalog.

Until then requests get 503; the looking goes on for as long as the program runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from offerflow.runtime.errors import Disturbed, OfferflowError
from offerflow.runtime.health import Health
from offerflow.runtime.logs import get_logger

Look = Callable[[], None]

_RETRY_SECONDS = (0.2, 2.0)
_FOLLOW_SECONDS = 0.5
_CHECK_SECONDS = 5.0


class Readiness:
    """``why`` is None when ready; ``was_ready`` is set from the first time on. ``check`` looks at Kafka, ``follow``
    at the catalog; both may block and raise."""

    def __init__(self, check: Look, follow: Look, health: Health) -> None:
        self.why: str | None = "starting"
        self.was_ready = asyncio.Event()
        self._check = check
        self._follow = follow
        self._health = health
        self._look_now = asyncio.Event()
        self._checked = -_CHECK_SECONDS
        self._doubted = -1.0
        self._draining = False

    def doubt(self, error: OfferflowError) -> None:
        """Something was not acknowledged: look now rather than at the next turn."""
        self._checked = -_CHECK_SECONDS
        self._look_now.set()
        if time.monotonic() - self._doubted > 1.0:  # a burst of failed requests is one line
            self._doubted = time.monotonic()
            get_logger().warning("not acknowledged", why=str(error))

    def drain(self) -> None:
        """Told to stop: probes send new clients elsewhere while requests under way are finished."""
        self._draining = True
        self._health.not_ready("draining")

    async def watch(self) -> None:
        """Keep looking until cancelled. Raises Disturbed when only a new process can help."""
        pause = _RETRY_SECONDS[0]
        while True:
            self._health.turned()
            self._look_now.clear()
            try:
                await asyncio.to_thread(self._look)
            except Disturbed:
                raise
            except OfferflowError as error:
                self._not_ready(str(error))
                await self._wait(pause)
                pause = min(2 * pause, _RETRY_SECONDS[1])
            else:
                self._ready()
                pause = _RETRY_SECONDS[0]
                await self._wait(_FOLLOW_SECONDS)

    def _look(self) -> None:
        if time.monotonic() - self._checked >= _CHECK_SECONDS:
            self._check()
            self._checked = time.monotonic()
        self._follow()

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._look_now.wait()
        except TimeoutError:
            return

    def _ready(self) -> None:
        if self.why is not None and not self._draining:
            get_logger().info("ready")
            self.why = None
            self.was_ready.set()
            self._health.ready()

    def _not_ready(self, why: str) -> None:
        if self.why is None or self.why == "starting":
            get_logger().warning("not ready", why=why)
        self.why = why
        self._health.not_ready(why)
        self._checked = -_CHECK_SECONDS

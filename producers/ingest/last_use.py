"""Tells the store when each key was last used: at most once a minute per key, beside the requests and never in them.

It is for people who wonder whether a key can go. A store that is away costs nothing but this knowledge.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import Engine

from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.logs import get_logger
from offerflow.runtime.store.key_use import write_uses
from offerflow.runtime.store.transactions import writing
from producers.ingest.api.aside import Aside

_LOOK_SECONDS = 2.0
_SPACING_SECONDS = 60.0
_LAST_SECONDS = 1.0


class LastUse:
    """Belongs to one event loop. ``open_engine`` makes the engine, and is tried again after a failure. ``now`` in
    seconds, of any origin."""

    def __init__(self, open_engine: Callable[[], Engine], now: Callable[[], float] = time.monotonic) -> None:
        self._open = open_engine
        self._now = now
        self._engine: Engine | None = None
        self._aside = Aside("store", 1)
        self._used: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._failing = False

    def note(self, key_id: str, at: int) -> None:
        """The key was used ``at`` (milliseconds since 1970). The built-in key has no id and is not noted."""
        if key_id:
            self._used[key_id] = at

    async def run(self) -> None:
        """Until cancelled. Never raises anything else."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.write()

    async def write(self, *, all_of_it: bool = False) -> None:
        """What is due now. What cannot be written waits for its next turn."""
        now = self._now()
        uses = {key: at for key, at in self._used.items() if all_of_it or self._due.get(key, now) <= now}
        if not uses:
            return
        self._due |= dict.fromkeys(uses, now + _SPACING_SECONDS)
        try:
            await self._aside.run(lambda: self._write(uses))
        except OfferflowError as error:
            if not self._failing:
                get_logger().warning("when keys were last used is not written for now", why=str(error))
            self._failing = True
        except Exception:
            if not self._failing:
                get_logger().exception("when keys were last used is not written for now")
            self._failing = True
        else:
            self._failing = False
            self._used = {key: at for key, at in self._used.items() if uses.get(key) != at}

    async def close(self) -> None:
        """What is not written yet is tried once more, for a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self.write(all_of_it=True)
        self._aside.close()
        if self._engine is not None:
            self._engine.dispose()

    def _write(self, uses: dict[str, int]) -> None:
        if self._engine is None:
            self._engine = self._open()
        with writing(self._engine) as connection:
            write_uses(connection, uses)

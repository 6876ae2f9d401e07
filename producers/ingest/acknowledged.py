"""From the publisher's thread back to the event loop: await a request until Kafka has all of it.

Acknowledgements come in bursts, so the loop is woken once per burst and not once per request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.kafka.publisher import Done, Record


class Submits(Protocol):
    """The publisher, as far as this room needs it."""

    def submit(self, records: Sequence[Record], done: Done) -> None: ...


class AcknowledgedPublisher:
    """Belongs to the one event loop that awaits ``publish``."""

    def __init__(self, publisher: Submits) -> None:
        self._publisher = publisher
        self._answered: deque[tuple[asyncio.Future[None], list[OfferflowError]]] = deque()
        self._woken = False

    async def publish(self, records: Sequence[Record]) -> None:
        """Returns once Kafka has every record. Raises QueueFull having published none, or the first error."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def done(errors: list[OfferflowError]) -> None:
            self._answered.append((future, errors))
            if not self._woken:
                self._woken = True
                loop.call_soon_threadsafe(self._resolve)

        self._publisher.submit(records, done)
        await future

    def _resolve(self) -> None:
        self._woken = False  # before looking, so that what arrives from here on wakes the loop again
        while self._answered:
            future, errors = self._answered.popleft()
            if future.done():
                continue
            if errors:
                future.set_exception(errors[0])
            else:
                future.set_result(None)

"""The other end of the webhooks: takes them, and sometimes does not."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from tests.receiver import Got, Receiver, answer, serving

MISBEHAVES_EVERY = 7


class Receiving:
    """``ids`` of the messages that were answered with 200. Every seventh request is answered with 503 first."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self._requests = 0
        self._receiver = Receiver(self._behave)
        self._closing = ExitStack()

    @property
    def url(self) -> str:
        return self._receiver.url

    def start(self) -> None:
        self._closing.enter_context(serving(self._receiver))

    def stop(self) -> None:
        self._closing.close()

    async def _behave(self, got: Got, out: asyncio.StreamWriter) -> None:
        self._receiver.got.clear()
        self._requests += 1
        if self._requests % MISBEHAVES_EVERY == 0:
            await answer(503)(got, out)
            return
        await answer(200, body="ok")(got, out)
        await out.drain()
        self.ids.add(got.id)

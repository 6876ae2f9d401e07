"""A sender with a store of its own, on a clock that a test moves, and what a test does with it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from consumers.webhooks.intake import Intake
from consumers.webhooks.messages import Message
from consumers.webhooks.sender import Sender
from offerflow.runtime.settings import Settings, WebhookSettings, load_settings
from offerflow.runtime.store.claims import Position
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.transactions import reading, writing
from offerflow.runtime.store.webhooks import attempts, deliveries
from offerflow.runtime.webhooks import endpoints
from offerflow.runtime.webhooks.endpoints import Endpoint
from offerflow.runtime.webhooks.posting import Poster
from offerflow.runtime.webhooks.resolving import Lookup, Resolver
from offerflow.runtime.webhooks.types import TYPES

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
LOCAL = {"allow_networks": "127.0.0.0/8", "allow_http": True, "connect_s": 20, "answer_s": 20, "body_s": 20}


class Clock:
    """Milliseconds since 1970, beginning now; only ``pass_`` moves it."""

    def __init__(self) -> None:
        self.now = int(time.time() * 1000)

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        return self.now / 1000

    def pass_(self, milliseconds: int) -> None:
        self.now += milliseconds


class World:
    """One store, and one worker after another upon it. ``draw`` is the jitter: 1 waits as long as it may."""

    def __init__(self, directory: Path, **given: Any) -> None:
        self.settings: Settings = load_settings(
            store={"url": f"sqlite:///{directory / 'store.db'}"}, webhooks={**LOCAL, **given}
        )
        self.clock = Clock()
        self.draw = 1.0
        self.engine: Engine = open_store(self.settings)
        self._queued = 0

    @property
    def webhooks(self) -> WebhookSettings:
        return self.settings.webhooks

    def add(self, name: str, url: str, types: Sequence[str] = TYPES) -> str:
        """The secret of a new endpoint."""
        with writing(self.engine) as connection:
            return endpoints.add(connection, name, url, types, self.clock.now)

    def queue(
        self, *ids: str, type_: str = "reward.satisfied", offer: str | None = None, reward: str | None = None
    ) -> None:
        """Messages as the intake queues them, one transaction for all."""
        place = ("offerflow.reward-satisfied", 0)
        body = json.dumps({"type": type_, "timestamp": "2026-03-05T10:00:00.000Z", "data": {}})
        before, after = Position("t", self._queued), Position("t", self._queued + 1)
        messages = [Message(one, type_, self.clock.now, offer, reward, body) for one in ids]
        known = {place: before} if self._queued else {}
        Intake(self.engine).enqueue(messages, known, {place: after}, self.clock.now)
        self._queued += 1

    def endpoint(self, name: str) -> Endpoint:
        with reading(self.engine) as connection:
            return endpoints.find(connection, name, self.clock.now)

    def change(self, what: Callable[..., Any], *arguments: Any) -> Any:
        """A command's doing: ``world.change(endpoints.pause, "crm")``."""
        with writing(self.engine) as connection:
            return what(connection, *arguments)

    def states(self, name: str) -> dict[str, str]:
        """Message id to state, as the store has them."""
        with reading(self.engine) as connection:
            rows = connection.execute(select(deliveries).where(deliveries.c.endpoint == name).order_by(deliveries.c.id))
            return {row.message_id: row.state for row in rows}

    def delivery(self, message_id: str) -> Any:
        with reading(self.engine) as connection:
            return connection.execute(select(deliveries).where(deliveries.c.message_id == message_id)).one()

    def log(self, name: str) -> list[Any]:
        """Tries, oldest first."""
        with reading(self.engine) as connection:
            return list(connection.execute(select(attempts).where(attempts.c.endpoint == name).order_by(attempts.c.id)))


class Worker:
    """One process's sender, turned by hand."""

    def __init__(self, world: World, lookup: Lookup | None = None, name: str = "webhooks") -> None:
        self._world = world
        resolver = Resolver(world.webhooks.networks(), lookup, world.clock.seconds)
        self.poster = Poster(world.webhooks, resolver, world.clock)
        self.sender = Sender(
            world.engine, self.poster.post, world.webhooks, name, world.clock, lambda: world.draw
        )  # fmt: skip

    async def __aenter__(self) -> Worker:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.sender.drain()
        await self.poster.close()

    async def turn(self, after: int = 0) -> None:
        """Let time pass, then do everything there is to do now: rounds until one begins nothing."""
        self._world.clock.pass_(after)
        self.sender.notify()
        await self.sender.round()
        while self.sender.unfinished:
            await self.sender.answered()
            await self.sender.round()

    async def die(self) -> None:
        """What kill -9 leaves: requests that were answered, and nobody who wrote that down."""
        await self.sender.answered()
        await self.poster.close()


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test's story in a loop of its own."""
    asyncio.run(story())

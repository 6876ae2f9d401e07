"""Sends what is due: an event loop with many requests in flight, in rounds.

1. follow   endpoints, secrets and what commands changed, about once a second; keep the right to send;
2. exchange write down what was tried since the last round, get what is due for every lane with room;
3. begin    a request for each; its answer settles the delivery and wakes the next round.

Only what was written down is done. A worker that dies between an answer and the next round sends again under the same
id; one that is stopped waits for its requests first.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine

from consumers.webhooks import lease, shown
from consumers.webhooks.lane import FAR, Lane
from consumers.webhooks.queue import Due, Queue, Wanted
from consumers.webhooks.settling import Delivery, Settled, settle
from consumers.webhooks.upkeep import park_disabled, prune
from offerflow.runtime.errors import StoreDown
from offerflow.runtime.logs import get_logger
from offerflow.runtime.settings import WebhookSettings
from offerflow.runtime.webhooks.answer import Answer
from offerflow.runtime.webhooks.signing import headers
from schemas.announce import rfc3339

FOLLOW_MS = 1_000
COUNT_MS = 10_000
PRUNE_MS = 60_000
GATHER_S = 0.005
"""Between the first answer of a round and the round: what comes meanwhile is written down with it."""
DRAIN_S = 20.0
DAY_MS = 24 * 3600 * 1000
Post = Callable[[str, Mapping[str, str], bytes], Awaitable[Answer]]
T = TypeVar("T")


def wall_clock() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


class Sender:
    """Lives in one event loop. ``post`` never raises for what a receiver does."""

    def __init__(
        self, engine: Engine, post: Post, settings: WebhookSettings, worker: str,
        clock: Callable[[], int] = wall_clock, draw: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        self._engine, self._post, self._settings, self._worker = engine, post, settings, worker
        self._clock, self._draw = clock, draw
        self._queue = Queue(engine)
        self._store = ThreadPoolExecutor(1, "store")
        self._lanes: dict[str, Lane] = {}
        self._tries: set[asyncio.Task[None]] = set()
        self._settled: list[Settled] = []
        self._disabled: dict[str, str] = {}
        self._sends = False
        self._due_at = {"follow": 0, "renew": 0, "count": 0, "prune": 0}
        self._wake = asyncio.Event()
        self.beat = time.monotonic()

    @property
    def unfinished(self) -> bool:
        """Whether requests are in flight, or were answered and that is not written down."""
        return bool(self._tries or self._settled)

    def notify(self) -> None:
        """Something was queued. From another thread: by ``call_soon_threadsafe``."""
        for lane in self._lanes.values():
            lane.look_at = 0
        self._wake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Rounds until asked to stop, then what is in flight. A store that is away is waited for: nothing new begins
        meanwhile, and what was tried is kept to be written down."""
        stop = asyncio.ensure_future(stopping.wait())
        while not stopping.is_set():
            self.beat = time.monotonic()
            self._wake.clear()
            try:
                await self.round()
                wait = min(FOLLOW_MS, max(0, self._next_at() - self._clock())) / 1000
            except StoreDown as error:
                get_logger().warning("waiting for the store", why=str(error))
                self._due_at["follow"] = self._due_at["renew"] = 0  # the right to send may be another's by then
                wait = 1.0
            wake = asyncio.ensure_future(self._wake.wait())
            await asyncio.wait({wake, stop}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            wake.cancel()
            await asyncio.sleep(GATHER_S)
        await self.drain()

    async def round(self) -> None:
        """One round. Raises StoreDown, having lost nothing."""
        now = self._clock()
        if self._is_due("follow", now, FOLLOW_MS):
            await self._exchange(now, begin=False)  # what we decided of an endpoint comes before what the store says
            await self._follow(now)
        await self._exchange(now)
        if self._is_due("count", now, COUNT_MS):
            shown.show(self._lanes, await self._ask(lambda: self._queue.counts(now)), now)
        if self._is_due("prune", now, PRUNE_MS):
            before = now - round(self._settings.log_days * DAY_MS)
            while await self._ask(lambda: prune(self._engine, before, self._settings.log_rows)):
                await self._exchange(self._clock())

    async def answered(self) -> None:
        """Wait until every request that is in flight has come to its end."""
        while self._tries:
            await asyncio.wait(self._tries)

    async def drain(self) -> None:
        """Let what is in flight end, for DRAIN_S at most, and write it down; give the right to send away."""
        if self._tries:
            await asyncio.wait(self._tries, timeout=DRAIN_S)
        for one in list(self._tries):
            one.cancel()
        self._sends = False
        try:
            await self._exchange(self._clock(), begin=False)
            await self._ask(lambda: lease.give_back(self._engine, self._worker))
        finally:
            self._store.shutdown(wait=False)

    # -- one round --------------------------------------------------------------------------------------------------

    async def _follow(self, now: int) -> None:
        if self._is_due("renew", now, lease.RENEW_MS) or not self._sends:
            self._sends = await self._ask(lambda: lease.take(self._engine, self._worker, now))
        endpoints = {one.name: one for one in await self._ask(lambda: self._queue.endpoints(now))}
        for name, endpoint in endpoints.items():
            if name not in self._lanes:
                self._lanes[name] = Lane(endpoint, self._settings.in_flight)
            elif name not in self._disabled:
                self._lanes[name].follow(endpoint)
        for name in self._lanes.keys() - endpoints.keys():
            del self._lanes[name]
            shown.forget(name)
        while await self._ask(lambda: park_disabled(self._engine, now)):
            await self._exchange(self._clock())

    async def _exchange(self, now: int, *, begin: bool = True) -> None:
        settled, self._settled = self._settled, []
        disabled, self._disabled = self._disabled, {}
        breakers = {name: lane.breaker for name, lane in self._lanes.items() if lane.breaker != lane.stored}
        wanted = {
            name: Wanted(room, tuple(lane.busy))
            for name, lane in self._lanes.items()
            if begin and self._sends and lane.look_at <= now and (room := lane.room(now))
        }
        if not (settled or disabled or breakers or wanted):
            return
        try:
            found = await self._ask(lambda: self._queue.exchange(settled, breakers, disabled, wanted, now))
        except StoreDown:
            self._settled[:0] = settled
            self._disabled = {**disabled, **self._disabled}
            raise
        for name, breaker in breakers.items():
            if name in self._lanes:
                self._lanes[name].stored = breaker
        for name, due in found.items():
            self._begin(self._lanes[name], due)

    def _begin(self, lane: Lane, due: Due) -> None:
        now = self._clock()
        lane.look_at = FAR if due.more_at is None else due.more_at
        for delivery in due.deliveries:
            if lane.room(now) <= 0:  # what was answered meanwhile has opened the breaker, or the window is smaller
                lane.look_at = 0
                return
            lane.begin(delivery, now)
            task = asyncio.create_task(self._try(lane, delivery))
            self._tries.add(task)
            task.add_done_callback(self._tries.discard)

    async def _try(self, lane: Lane, delivery: Delivery) -> None:
        began = self._clock()
        signed = headers(delivery.message_id, began, delivery.body, lane.signers)
        try:
            answer = await self._post(lane.endpoint.url, signed, delivery.body.encode())
        except Exception as error:  # a defect of ours must not stop the other endpoints
            get_logger().exception("a request failed in a way nobody foresaw", endpoint=delivery.endpoint)
            answer = Answer("failed", 0, None, "protocol", f"a defect of the sender: {type(error).__name__}")
        patience = round(self._settings.retry_days * DAY_MS)
        settled = settle(delivery, answer, began, self._clock(), patience, self._draw())
        lane.end(settled)
        self._settled.append(settled)
        self._judge(lane, settled)
        shown.count(settled)
        self._wake.set()

    def _judge(self, lane: Lane, settled: Settled) -> None:
        """Disable an endpoint that is gone for good, by its own word or by ours."""
        since, name = lane.breaker.failing_since, lane.endpoint.name
        if settled.answer.outcome == "gone":
            why = "the receiver answered 410 Gone"
        elif since is not None and settled.ended - since >= self._settings.disable_days * DAY_MS:
            why = f"nothing but failures since {rfc3339(since)[:19]}Z"
        else:
            return
        lane.stop(why)
        self._disabled[name] = why
        self._due_at["follow"] = 0
        get_logger().error("endpoint disabled", endpoint=name, why=why)

    def _next_at(self) -> int:
        now = self._clock()
        return min((lane.wake_at(now) for lane in self._lanes.values()), default=FAR) if self._sends else FAR

    def _is_due(self, what: str, now: int, every: int) -> bool:
        if self._due_at[what] - every <= now < self._due_at[what]:
            return False
        self._due_at[what] = now + every
        return True

    async def _ask(self, question: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._store, question)

"""What waiting timers cost: a worker's load, fold and apply in a real Redis, with and without a million of them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from bench.job import WORKSPACE, events
from bench.pure import NOW, Message, judged_by
from offerflow.rules.compiling import compile_ruleset
from offerflow.rules.definitions import OfferDefinition
from offerflow.rules.durations import DAY
from offerflow.rules.ruleset import Ruleset
from offerflow.runtime.redis.store import Apply, Reach, StateStore
from offerflow.runtime.settings import RedisSettings, Settings
from schemas.folding.partition import Partition
from schemas.journal import RULESET_ACTIVATED, EventReader
from schemas.plan import EventSchema, Plan, parse_event_schema

TIMERS = 1_000_000
BATCH = 5_000
OFFER = {
    "kind": "offer", "id": "third-purchase", "expires_after": "14d",
    "entry": {"event": "purchase_completed", "where": "amount >= 50", "count": {"at_least": 3}},
    "completion": {"event": "purchase_completed", "where": "amount >= 50", "count": {"at_least": 2}},
    "reward": {"id": "voucher", "value": "5 EUR"},
}  # fmt: skip


class _Book:
    """What a worker asks of its catalog."""

    def __init__(self) -> None:
        paths = enumerate(sorted(WORKSPACE.glob("*.avsc")))
        self.plan = Plan([parse_event_schema(json.loads(path.read_text()), 1000 + n) for n, path in paths])
        offers = {"third-purchase": OfferDefinition.model_validate(OFFER)}
        self._ruleset = compile_ruleset("bench", {}, offers, self.plan.event_types())

    def ruleset(self, name: str) -> Ruleset:
        return self._ruleset

    def schema(self, schema_id: int) -> EventSchema:
        return self.plan.by_id[schema_id]

    def reader(self, schema: EventSchema, reads: frozenset[str]) -> EventReader:
        return EventReader(schema, reads)


class _Worker:
    """One partition, folded batch by batch, timed."""

    def __init__(self, store: StateStore, number: int, book: _Book) -> None:
        self._store, self._number = store, number
        self._partition = Partition(number, 0, 0, None, {}, book)  # type: ignore[arg-type]
        self.records, self.seconds = 0, 0.0
        self.fold([Message(0, b"", RULESET_ACTIVATED.encode({"ruleset": "bench"}))])
        self.records, self.seconds = 0, 0.0

    def wait_for(self, timers: int) -> None:
        """Give the partition so many timers and open offers of other people, due in some days."""
        for start in range(0, timers, 50_000):
            names = [f"u:waiting-{n}" for n in range(start, min(timers, start + 50_000))]
            due = {name: NOW + 10 * DAY + hash(name) % DAY for name in names}
            self._apply(self._partition.next + 1, timers=due, opened=dict.fromkeys(names, True))

    def fold(self, records: list[Any]) -> None:
        began = time.perf_counter()
        partition = self._partition
        loaded = self._store.load({self._number: partition.entities(records)})[self._number]
        work = partition.fold(records, loaded, None, partition.next + len(records))
        self._apply(work.to, states=work.states, timers=work.timers, opened=work.opened)
        self.seconds += time.perf_counter() - began
        self.records += len(records)

    def _apply(self, to: int, **what: Any) -> None:
        batch = Apply(self._number, self._partition.next, to, uuid.uuid4().hex, {}, **what)
        if self._store.apply([batch]) != {self._number: "ok"}:
            raise SystemExit("Redis refused a batch of the bench")
        self._partition.next = to


def timers(count: int, redis: str) -> dict[str, Any]:
    """Events per second with and without waiting timers, batch by batch in turn; what a look at the timers takes."""
    store = StateStore(Settings(redis=RedisSettings(url=redis), topic_prefix=f"bench-{uuid.uuid4().hex[:8]}."))
    book = _Book()
    without, among = _Worker(store, 0, book), _Worker(store, 1, book)
    among.wait_for(TIMERS)
    for records in _batches(book, count):
        without.fold(records)
        among.fold(records)
    began = time.perf_counter()
    looks = 200
    for _ in range(looks):
        store.first_timers([0, 1])
    looked = (time.perf_counter() - began) / looks
    began = time.perf_counter()
    store.load({1: []}, {1: Reach(NOW + 12 * DAY, 1001)})
    due = time.perf_counter() - began
    rates = [round(one.records / one.seconds) for one in (without, among)]
    return {
        "events": count,
        "load, fold and apply per second": dict(zip(("no other timers", f"{TIMERS:,} timers"), rates, strict=True)),
        "slower by": f"{(1 - rates[1] / rates[0]) * 100:.1f} %",
        "look at the first timers, ms": round(looked * 1000, 2),
        "load of 1,000 that are due, ms": round(due * 1000, 2),
    }


def _batches(book: _Book, count: int) -> Iterator[list[Any]]:
    batch: list[Any] = []
    raws = (Message(n, key, value) for n, (key, value) in enumerate(events(count)))
    for n, one in enumerate(judged_by(book.plan, raws)):
        batch.append(Message(1 + n, one.key, one.value))
        if len(batch) == BATCH:
            yield batch
            batch = []

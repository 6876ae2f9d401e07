"""Kafka in memory for the validation stage: a raw log, commits with their outputs, and faults on demand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from consumers.validation import claims
from consumers.validation import stage as module
from consumers.validation.seen import Ledger
from consumers.validation.stage import ValidationStage
from consumers.validation.view import SchemaIds
from offerflow.catalog.view import Catalog
from offerflow.runtime.errors import Disturbed
from offerflow.runtime.kafka.admin import Place, TopicInfo
from offerflow.runtime.kafka.consumer import Batch
from offerflow.runtime.kafka.transactional import Output
from offerflow.runtime.settings import FuseSettings, Settings
from schemas.seen import Seen, Snapshot

SETTINGS = Settings(worker="validation-1", partitions=2, fuse=FuseSettings(min_events=10))
RAW = SETTINGS.topic("raw.backend")
SCHEMA = {
    "type": "record", "namespace": "events", "name": "Paid", "event": ["Paid", "Bezahlt"],
    "fields": [{"name": "meta", "type": "events.Meta"}, {"name": "amount", "type": "double"}],
}  # fmt: skip


class Crash(Exception):
    """The process died here."""


class Raw:
    """A record as the consumer hands it out."""

    def __init__(self, place: Place, offset: int, value: bytes, time: int) -> None:
        self._place, self._offset, self._value, self._time = place, offset, value, time

    def topic(self) -> str:
        return self._place[0]

    def partition(self) -> int:
        return self._place[1]

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return b"k"

    def value(self) -> bytes:
        return self._value

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 2, self._time


def event(n: int, name: str = "Paid", **more: Any) -> bytes:
    return json.dumps(
        {"event": name, "user_id": "u", "event_id": f"e{n}", "properties": {"amount": 1}, **more}
    ).encode()


SHOP = {"id": "shop", "origin": "backend", "topics": ["raw.backend"]}


def catalog(
    serial: int = 1, maximum: float | None = None, released: bool = False, sources: Iterable[dict[str, Any]] = (SHOP,)
) -> Catalog:
    """One event type and, unless told otherwise, one source; a ``maximum`` below 1 makes every event bad."""
    field = {**SCHEMA["fields"][1], **({} if maximum is None else {"maximum": maximum})}  # type: ignore[index,dict-item]
    version = 1 if maximum is None else serial
    schema = {**SCHEMA, "version": version, "fields": [SCHEMA["fields"][0], field]}  # type: ignore[index]
    key, first = f"event/Paid@{version}", "event/Paid@1"
    return Catalog(
        {
            first: {"schema": {**SCHEMA, "version": 1}, "schema_id": 1001},
            key: {"schema": schema, "schema_id": 1000 + version},
            **{f"source/{source['id']}": source for source in sources},
            "release/1": {"definitions": [first], "sources": {"shop": SHOP}},
            "head": {"serial": serial, "ruleset": "", "definitions": [key], "fuse_released": released},
        },
        serial,
    )


class World:
    """What outlives a process. ``faults``: for the coming transactions, None or (what to raise, done before it)."""

    def __init__(self, values: Mapping[int, Iterable[bytes]]) -> None:
        self.log = {
            (RAW, partition): [Raw((RAW, partition), at, value, 1000 + at) for at, value in enumerate(of)]
            for partition, of in values.items()
        }
        self.committed = dict.fromkeys(self.log, 0)
        self.starts = dict.fromkeys(self.log, 0)
        self.outputs: list[Output] = []
        self.snapshots: dict[Place, Snapshot] = {}
        self.faults: list[tuple[Exception, bool] | None] = []
        self.sizes: list[int] = []
        self.catalog = catalog()

    def commit(self, outputs: Iterable[Output], offsets: Mapping[Place, tuple[int, str]]) -> None:
        for output in outputs:
            if output.topic == SETTINGS.topic("events-seen"):
                topic, _, partition = (output.key or b"").decode().rpartition("/")
                self.snapshots[topic, int(partition)] = msgspec.json.decode(output.value or b"", type=Snapshot)
            else:
                self.outputs.append(output)
        for place, (offset, _) in offsets.items():
            assert offset > self.committed[place], "a commit at or below the committed offset"
            self.committed[place] = offset

    def written(self, topic: str) -> list[Output]:
        return [output for output in self.outputs if output.topic == SETTINGS.topic(topic)]

    def counts(self) -> Counter[tuple[str, str, str]]:
        counted: Counter[tuple[str, str, str]] = Counter()
        for snapshot in self.snapshots.values():
            for seen in (*snapshot.kept, *snapshot.slots):
                counted[seen.name, seen.source, seen.outcome] += seen.count
        return counted

    def seen(self, name: str, outcome: str) -> list[Seen]:
        every = [one for snapshot in self.snapshots.values() for one in (*snapshot.kept, *snapshot.slots)]
        return [one for one in every if (one.name, one.outcome) == (name, outcome)]


class _Admin:
    def __init__(self, world: World) -> None:
        self._world = world

    def topics(self, names: Iterable[str], timeout_s: float = 0) -> dict[str, TopicInfo]:
        mine = {RAW, *(SETTINGS.topic(name) for name in ("journal", "dead-letter", "events-seen"))}
        return {name: TopicInfo(name, f"id-{name}", 2) for name in names if name in mine}

    def starts(self, places: Iterable[Place]) -> dict[Place, int]:
        return {place: self._world.starts[place] for place in places}


class _Consumer:
    """One member with all partitions. Reads as much at a time as the world says."""

    def __init__(self, world: World, membership: ValidationStage) -> None:
        self._world, self._membership = world, membership
        self._positions: dict[Place, int] = {}
        self._paused: set[Place] = set()
        self.group_metadata = object()

    def subscribe(self, topics: Iterable[str]) -> None:
        self.rebalance()

    def rebalance(self) -> None:
        """Lose everything and get it back."""
        if self._positions:
            self._membership.revoked(sorted(self._positions))
        self._positions = dict(self._membership.assigned(sorted(self._world.log)))

    def read(self, max_records: int, wait_s: float, gather_s: float, not_before: float = 0.0) -> Batch:
        batch, left = Batch(), min(max_records, self._world.sizes.pop(0) if self._world.sizes else 1000)
        for place, position in self._positions.items():
            log = self._world.log[place]
            records = [] if place in self._paused else log[position : position + left]
            if records:
                batch.records[place] = list(records)
                self._positions[place] += len(records)
                left -= len(records)
        return batch

    def seek(self, positions: Mapping[Place, int]) -> None:
        self._positions.update(positions)
        self._paused.clear()

    def pause(self, places: Iterable[Place]) -> None:
        self._paused.update(places)

    def behind(self, positions: Mapping[Place, int]) -> dict[Place, int]:
        return dict.fromkeys(positions, 0)

    def leave(self) -> None:
        self._positions = {}


class _Producer:
    committed_at = 0.0

    def __init__(self, world: World) -> None:
        self._world = world

    def open(self) -> None: ...
    def settle(self) -> None: ...
    def tend(self) -> None: ...
    def close(self) -> None: ...

    def publish(
        self, outputs: list[Output], offsets: Mapping[Place, Any], group: object, *, careful: bool = False
    ) -> None:
        fault = self._world.faults.pop(0) if self._world.faults else None
        if fault is None or fault[1]:
            self._world.commit(outputs, offsets)
        if fault is not None:
            raise fault[0]


class Process:
    """One life of a worker in a world."""

    def __init__(
        self, world: World, patch: pytest.MonkeyPatch, every: int = 7, schema_ids: SchemaIds | None = None
    ) -> None:
        self.world = world
        self.why: str | None = "starting"
        health = SimpleNamespace(ready=self._ready, not_ready=self._not_ready)
        program = SimpleNamespace(health=health, stopping=False, turn=lambda: None)
        patch.setattr(module, "Admin", lambda settings, client: _Admin(world))
        patch.setattr(module, "GroupConsumer", lambda settings, group, client, membership: _Consumer(world, membership))
        patch.setattr(module, "TransactionalProducer", lambda settings, name, stage: _Producer(world))
        patch.setattr(claims, "committed_positions", self._positions)
        patch.setattr(claims, "load_snapshots", lambda settings, partitions: {
            place: msgspec.json.decode(msgspec.json.encode(snapshot), type=Snapshot)
            for place, snapshot in world.snapshots.items()
        })  # fmt: skip
        patch.setattr(claims, "Ledger", lambda: Ledger(busy_s=1e9, idle_s=1e9, records=every))
        follower = SimpleNamespace(catalog=world.catalog)
        self.stage = ValidationStage(SETTINGS, program, follower, schema_ids)  # type: ignore[arg-type]
        self._follower = follower

    def start(self) -> Process:
        self.stage._producer.open()
        self.stage._follow()
        return self

    def follow(self, new: Catalog) -> None:
        """What ``run`` does when the catalog changed."""
        self.world.catalog = self._follower.catalog = new
        self.stage._follow()

    def turns(self, number: int) -> None:
        for _ in range(number):
            self.stage.turn()

    def rebalance(self) -> None:
        self.stage._consumer.rebalance()  # type: ignore[attr-defined]

    def stop(self) -> None:
        """What ``run`` does when it is asked to stop."""
        self.stage._save(self.stage._ledger.dirty())
        self.stage._consumer.leave()

    def _positions(self, settings: object, admin: object, name: str, places: list[Place]) -> Any:
        topics = {RAW: TopicInfo(RAW, f"id-{RAW}", 2)}
        return {place: self.world.committed[place] for place in places}, topics

    def _ready(self, **_: object) -> None:
        self.why = None

    def _not_ready(self, why: str) -> None:
        self.why = why


def disturbed() -> Disturbed:
    return Disturbed("the broker went away")

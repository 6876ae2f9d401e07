"""The loop of a stage that reads topics into the store: what it writes and how far it read are one transaction.

1. read a batch of all its topics (rebalances are served here: what is gained is claimed from the store's positions);
2. give each record to the reader of its topic; one that is none of its kind is counted, logged and passed by;
3. write what came of them with the positions; moved by somebody else, or undone: claim again;
4. idle: keep the end positions, and show Kafka where we are, for whoever looks at the group's lag.

Kafka's commits are for looking at only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

from offerflow.runtime import metrics
from offerflow.runtime.errors import Disturbed
from offerflow.runtime.kafka.admin import Admin, Place, TopicInfo
from offerflow.runtime.kafka.consumer import Batch, GroupConsumer, Record
from offerflow.runtime.logs import get_logger
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.claims import Position, Standing, Starts

LOOK_S = 3.0
_B = TypeVar("_B")
Readers = Mapping[str, Callable[[Record, _B], None]]
"""By the full name of a topic: puts what a record says into a batch. Raises ValueError for what is no such record."""


class Sink(Protocol[_B]):
    """Where a feed writes. ``positions``: of every partition that was ever read."""

    def positions(self) -> Mapping[Place, Position]: ...
    def batch(self) -> _B: ...
    def write(self, batch: _B, before: Mapping[Place, Position], after: Mapping[Place, Position]) -> None: ...


class Feed(Generic[_B]):
    """One member of the group of ``stage``, from ``join`` to ``leave``. ``spacing_s`` lies between transactions under
    steady traffic, since each waits for the disk."""

    def __init__(
        self, settings: Settings, stage: str, readers: Readers[_B], sink: Sink[_B], spacing_s: float,
        starts: Starts | None = None,
    ) -> None:  # fmt: skip
        self._batching = settings.batch
        self._readers = readers
        self._sink = sink
        self._spacing_s = spacing_s
        self._stage = stage
        self._standing = Standing(Admin(settings, settings.worker), list(readers), sink.positions, starts)
        self._consumer = GroupConsumer(settings, settings.group(stage), settings.worker, self._standing)
        self._shown: dict[Place, int] = {}
        self._wrote_at = 0.0
        self._looked = time.monotonic()
        self._seconds = metrics.batch_seconds.labels(stage, "write")
        self._records = metrics.batch_records.labels(stage)
        self._lag = metrics.lag_seconds.labels(stage)
        self._lag_records = metrics.LagGauge(stage)
        self.disturbed = False
        """Somebody moved what we read: the next turn claims again."""

    @property
    def topics(self) -> Mapping[str, TopicInfo]:
        """What is read, by full name."""
        return self._standing.topics

    @property
    def partitions(self) -> int:
        """How many are ours and worked on."""
        return 0 if self.disturbed else len(self._standing.next)

    def owned(self) -> dict[Place, int]:
        """Where we are in each partition that is ours."""
        return self._standing.offsets()

    def join(self) -> None:
        self._consumer.subscribe(self._readers)

    def finish(self) -> None:
        """Keep how far we are, if nothing is wrong."""
        if not self.disturbed:
            self._write(self._sink.batch(), {})
            self._show()

    def leave(self) -> None:
        """Let others take over."""
        self._consumer.leave()

    def turn(self, wait_s: float) -> bool:
        """One batch, or the bookkeeping of an idle moment; whether there was anything to read. Raises what only a new
        session can mend."""
        worked = False
        batch = self._consumer.read(
            self._batching.max_records, wait_s, self._batching.gather_ms / 1000, self._wrote_at + self._spacing_s
        )
        try:
            if self.disturbed:
                self._consumer.seek(self._standing.again())
                self.disturbed = False
            elif batch.records:
                worked = True
                self._work(batch)
            else:
                self._standing.end(batch.ends)
                if not batch.ends:
                    self._write(self._sink.batch(), {})
                    self._show()
            if time.monotonic() - self._looked > LOOK_S:
                self._look()
        except Disturbed as error:
            get_logger().warning("disturbed; claiming again", stage=self._stage, why=str(error))
            self.disturbed = True
        return worked

    def _work(self, batch: Batch) -> None:
        into = self._sink.batch()
        moved: dict[Place, int] = {}
        newest = count = 0
        for place, records in batch.records.items():
            position = self._standing.next.get(place)
            if position is None:
                continue
            fresh = [record for record in records if record.offset() >= position.next]
            read = self._readers[place[0]]
            for record in fresh:
                try:
                    read(record, into)
                except ValueError as error:
                    self._pass_by(record, error)
            if fresh:
                moved[place] = fresh[-1].offset() + 1
                newest = max(newest, fresh[-1].timestamp()[1])
                count += len(fresh)
        self._records.observe(count)
        with self._seconds.time():
            self._write(into, moved)
        self._standing.end(batch.ends)
        if newest:
            self._lag.set(max(0.0, time.time() - newest / 1000))

    def _pass_by(self, record: Record, error: ValueError) -> None:
        metrics.unreadable_outputs.labels(self._stage).inc()
        get_logger().error(
            "a record is none of its topic's kind; it is passed by", topic=record.topic(),
            partition=record.partition(), offset=record.offset(), why=str(error),
        )  # fmt: skip

    def _write(self, batch: _B, moved: Mapping[Place, int]) -> None:
        """One transaction, if there is anything to write: positions that only passed markers are reason enough."""
        before, after = self._standing.to_write(moved)
        if after:
            self._sink.write(batch, before, after)
            self._standing.wrote(after)
            self._wrote_at = time.monotonic()

    def _look(self) -> None:
        self._looked = time.monotonic()
        known = self._sink.positions()
        for place, position in self._standing.stored.items():
            if known.get(place) != position:
                raise Disturbed(f"the position of {place[0]}/{place[1]} was moved; reading on from where it is")
        behind = self._consumer.behind(self._standing.offsets())
        self._lag_records.show(behind)
        if not any(behind.values()):
            self._lag.set(0)  # what was read last may be old, as after reading it all again, and nothing is late
        self._shown = {}  # once more: nobody says whether it arrived
        self._show()

    def _show(self) -> None:
        """Tell Kafka what the store has, if it has more than was told."""
        shown = self._standing.stored_offsets()
        if shown != self._shown:
            self._consumer.commit(shown)
            self._shown = shown

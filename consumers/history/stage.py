"""The history stage: batches of outputs to rows of the store, with the positions, in one SQL transaction.

1. read a batch of all its topics (rebalances are served here: what is gained is claimed from the store's positions);
2. make rows of the records; one that is no output is counted, logged and passed by;
3. write rows and positions in one transaction; moved by somebody else, or undone: claim again;
4. idle: keep the end positions, and show Kafka where we are, for whoever looks at the group's lag.

Kafka's commits are for looking at only. An emptied store is filled again from the start of the topics; until it holds
all there was when it began, it is not complete, and lists of rewards are not given from it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from sqlalchemy import Engine

from consumers.history.fold import HistoryFold
from consumers.history.rows import TOPICS, Reader, Rows
from offerflow.runtime import metrics
from offerflow.runtime.errors import Disturbed
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.kafka.consumer import Batch, GroupConsumer, Record
from offerflow.runtime.logs import get_logger
from offerflow.runtime.program import Program
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.claims import Standing

STAGE = "history"
WAIT_S = 0.1
SPACING_S = 0.05
"""Between transactions under steady traffic: each waits for the disk."""
LOOK_S = 3.0


class HistoryStage:
    """One member of the history group, from joining to leaving."""

    def __init__(self, settings: Settings, program: Program, engine: Engine) -> None:
        self._settings = settings
        self._program = program
        self._fold = HistoryFold(engine)
        self._admin = Admin(settings, settings.worker)
        self._readers = {settings.topic(name): Reader(name) for name in TOPICS}
        self._standing = Standing(self._admin, list(self._readers), self._fold.positions)
        self._consumer = GroupConsumer(settings, settings.group(STAGE), settings.worker, self._standing)
        self._target: dict[Place, int] | None = self._ends()
        self._shown: dict[Place, int] = {}
        self._disturbed = False
        self._wrote_at = 0.0
        self._looked = time.monotonic()
        self._seconds = metrics.batch_seconds.labels(STAGE, "write")
        self._records = metrics.batch_records.labels(STAGE)
        self._lag = metrics.lag_seconds.labels(STAGE)
        self._lag_records = metrics.LagGauge(STAGE)

    def run(self) -> None:
        """Work until the program is asked to stop. Raises what only a new session can mend."""
        self._consumer.subscribe(self._readers)
        try:
            while not self._program.stopping:
                self._program.turn()
                self.turn()
            self._write(Rows(), {})
            self._show()
        finally:
            self._consumer.leave()

    def turn(self) -> None:
        """One batch, or the bookkeeping of an idle moment."""
        batching = self._settings.batch
        batch = self._consumer.read(
            batching.max_records, WAIT_S, batching.gather_ms / 1000, self._wrote_at + SPACING_S
        )  # fmt: skip
        try:
            if self._disturbed:
                self._consumer.seek(self._standing.again())
                self._disturbed = False
            elif batch.records:
                self._work(batch)
            else:
                self._standing.end(batch.ends)
                if not batch.ends:
                    self._write(Rows(), {})
                    self._complete()
                    self._show()
            if time.monotonic() - self._looked > LOOK_S:
                self._look()
        except Disturbed as error:
            get_logger().warning("disturbed; claiming again", why=str(error))
            self._disturbed = True
        if self._standing.next and not self._disturbed:
            self._program.health.ready(partitions=len(self._standing.next), complete=self._target is None)

    def _work(self, batch: Batch) -> None:
        rows = Rows()
        moved: dict[Place, int] = {}
        newest = count = 0
        for place, records in batch.records.items():
            position = self._standing.next.get(place)
            if position is None:
                continue
            fresh = [record for record in records if record.offset() >= position.next]
            for record in fresh:
                self._read(record, rows)
            if fresh:
                moved[place] = fresh[-1].offset() + 1
                newest = max(newest, fresh[-1].timestamp()[1])
                count += len(fresh)
        self._records.observe(count)
        with self._seconds.time():
            self._write(rows, moved)
        self._standing.end(batch.ends)
        if newest:
            self._lag.set(max(0.0, time.time() - newest / 1000))

    def _read(self, record: Record, rows: Rows) -> None:
        try:
            self._readers[record.topic()].read(record.value(), rows)
        except ValueError as error:
            metrics.unreadable_outputs.labels(STAGE).inc()
            get_logger().error(
                "a record is no output; it is passed by", topic=record.topic(), partition=record.partition(),
                offset=record.offset(), why=str(error),
            )  # fmt: skip

    def _write(self, rows: Rows, moved: Mapping[Place, int]) -> None:
        """One transaction, if there is anything to write: positions that only passed markers are reason enough."""
        before, after = self._standing.to_write(moved)
        if after:
            self._fold.write(rows, before, after)
            self._standing.wrote(after)
            self._wrote_at = time.monotonic()

    def _ends(self) -> dict[Place, int] | None:
        """What a history that was never complete must have read to be it."""
        if self._fold.complete():
            return None
        topics = self._standing.topics.values()
        places = [(topic.name, partition) for topic in topics for partition in range(topic.partitions)]
        return self._admin.ends(places)

    def _complete(self) -> None:
        if self._target is not None and self._fold.mark_complete(self._target):
            self._target = None
            get_logger().info("the history is complete")

    def _look(self) -> None:
        self._looked = time.monotonic()
        self._complete()
        behind = self._consumer.behind(self._standing.offsets())
        self._lag_records.show(behind)
        if not any(behind.values()):
            self._lag.set(0)  # what was read last may be old, as after building it all again, and nothing is late
        self._shown = {}  # once more: nobody says whether it arrived
        self._show()

    def _show(self) -> None:
        """Tell Kafka what the store has, if it has more than was told."""
        shown = self._standing.stored_offsets()
        if shown != self._shown:
            self._consumer.commit(shown)
            self._shown = shown

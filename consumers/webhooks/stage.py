"""The webhooks stage: outputs into the queues of endpoints, while the sender works them off beside it.

1. read a batch of all its topics (rebalances are served here: what is gained is claimed from the store's positions);
2. make messages of the records; one that is no output is counted, logged and passed by;
3. queue them with the positions in one SQL transaction; moved by somebody else, or undone: claim again;
4. wake the sender.

Kafka's commits are for looking at only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from sqlalchemy import Engine

from consumers.webhooks.deliverer import Deliverer
from consumers.webhooks.intake import Intake
from consumers.webhooks.messages import TOPICS, Message, Writer
from consumers.webhooks.sender import wall_clock
from offerflow.runtime import metrics
from offerflow.runtime.errors import Disturbed
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.kafka.consumer import Batch, GroupConsumer, Record
from offerflow.runtime.logs import get_logger
from offerflow.runtime.program import Program
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.claims import Standing

STAGE = "webhooks"
WAIT_S = 0.1
SPACING_S = 0.02
"""Between transactions under steady traffic: each waits for the disk."""
LOOK_S = 3.0


class WebhooksStage:
    """One member of the webhooks group, from joining to leaving."""

    def __init__(self, settings: Settings, program: Program, engine: Engine, deliverer: Deliverer) -> None:
        self._settings = settings
        self._program = program
        self._intake = Intake(engine)
        self._deliverer = deliverer
        self._writers = {settings.topic(name): Writer(name) for name in TOPICS}
        self._standing = Standing(Admin(settings, settings.worker), list(self._writers), self._intake.positions)
        self._consumer = GroupConsumer(settings, settings.group(STAGE), settings.worker, self._standing)
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
        self._consumer.subscribe(self._writers)
        try:
            while not self._program.stopping:
                if self._deliverer.check():
                    self._program.turn()  # else the watchdog ends a process whose sender hangs
                self.turn()
            self._write([], {})
            self._show()
        finally:
            self._consumer.leave()

    def turn(self) -> None:
        """One batch, or the bookkeeping of an idle moment."""
        batching = self._settings.batch
        not_before = self._wrote_at + SPACING_S
        batch = self._consumer.read(batching.max_records, WAIT_S, batching.gather_ms / 1000, not_before)
        try:
            if self._disturbed:
                self._consumer.seek(self._standing.again())
                self._disturbed = False
            elif batch.records:
                self._work(batch)
            else:
                self._standing.end(batch.ends)
                if not batch.ends:
                    self._write([], {})
                    self._show()
            if time.monotonic() - self._looked > LOOK_S:
                self._look()
        except Disturbed as error:
            get_logger().warning("disturbed; claiming again", why=str(error))
            self._disturbed = True
        if self._standing.next and not self._disturbed:
            self._program.health.ready(partitions=len(self._standing.next))

    def _work(self, batch: Batch) -> None:
        messages: list[Message] = []
        moved: dict[Place, int] = {}
        newest = count = 0
        for place, records in batch.records.items():
            position = self._standing.next.get(place)
            fresh = [] if position is None else [record for record in records if record.offset() >= position.next]
            for record in fresh:
                self._read(record, messages)
            if fresh:
                moved[place] = fresh[-1].offset() + 1
                newest = max(newest, fresh[-1].timestamp()[1])
                count += len(fresh)
        self._records.observe(count)
        with self._seconds.time():
            self._write(messages, moved)
        self._standing.end(batch.ends)
        if newest:
            self._lag.set(max(0.0, time.time() - newest / 1000))

    def _read(self, record: Record, messages: list[Message]) -> None:
        try:
            messages.append(self._writers[record.topic()](record))
        except ValueError as error:
            metrics.unreadable_outputs.labels(STAGE).inc()
            get_logger().error(
                "a record is no output; it is passed by", topic=record.topic(), partition=record.partition(),
                offset=record.offset(), why=str(error),
            )  # fmt: skip

    def _write(self, messages: list[Message], moved: Mapping[Place, int]) -> None:
        """One transaction, if there is anything to write: positions that only passed markers are reason enough."""
        before, after = self._standing.to_write(moved)
        if not after:
            return
        queued = self._intake.enqueue(messages, before, after, wall_clock())
        self._standing.wrote(after)
        self._wrote_at = time.monotonic()
        if queued:
            self._deliverer.notify()

    def _look(self) -> None:
        self._looked = time.monotonic()
        self._lag_records.show(self._consumer.behind(self._standing.offsets()))
        self._shown = {}  # once more: nobody says whether it arrived
        self._show()

    def _show(self) -> None:
        """Tell Kafka what the store has, if it has more than was told."""
        shown = self._standing.stored_offsets()
        if shown != self._shown:
            self._consumer.commit(shown)
            self._shown = shown

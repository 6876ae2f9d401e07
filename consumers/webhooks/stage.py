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
from offerflow.runtime.store.claims import Position, claim, described

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
        self._admin = Admin(settings, settings.worker)
        self._writers = {settings.topic(name): Writer(name) for name in TOPICS}
        self._topics = described(self._admin, list(self._writers))
        self._consumer = GroupConsumer(settings, settings.group(STAGE), settings.worker, self)
        self._stored: dict[Place, Position] = {}
        """As the store has them; without what was never read."""
        self._next: dict[Place, Position] = {}
        """Of every partition that is ours: where we are, past transaction markers."""
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
            self._consumer.commit(self._shown())
        finally:
            self._consumer.leave()

    def turn(self) -> None:
        """One batch, or the bookkeeping of an idle moment."""
        batching = self._settings.batch
        not_before = self._wrote_at + SPACING_S
        batch = self._consumer.read(batching.max_records, WAIT_S, batching.gather_ms / 1000, not_before)
        try:
            if self._disturbed:
                self._claim_again()
            elif batch.records:
                self._work(batch)
            else:
                self._end(batch.ends)
                if not batch.ends:
                    self._write([], {})
            if time.monotonic() - self._looked > LOOK_S:
                self._look()
        except Disturbed as error:
            get_logger().warning("disturbed; claiming again", why=str(error))
            self._disturbed = True
        if self._next and not self._disturbed:
            self._program.health.ready(partitions=len(self._next))

    # -- membership -------------------------------------------------------------------------------------------------

    def assigned(self, places: list[Place]) -> Mapping[Place, int]:
        known = self._intake.positions()
        claimed = claim(places, known, self._topics, self._admin.starts(places))
        for place, position in claimed.items():
            self._next[place] = position
            if place in known:
                self._stored[place] = known[place]
        return {place: position.next for place, position in claimed.items()}

    def revoked(self, places: list[Place]) -> None:
        for place in places:
            self._next.pop(place, None)
            self._stored.pop(place, None)

    lost = revoked

    # -- work -------------------------------------------------------------------------------------------------------

    def _work(self, batch: Batch) -> None:
        messages: list[Message] = []
        moved: dict[Place, int] = {}
        newest = count = 0
        for place, records in batch.records.items():
            position = self._next.get(place)
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
        self._end(batch.ends)
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
        after = {
            place: position._replace(next=moved.get(place, position.next)) for place, position in self._next.items()
        }
        after = {place: position for place, position in after.items() if position != self._stored.get(place)}
        if not after:
            return
        before = {place: self._stored[place] for place in after if place in self._stored}
        queued = self._intake.enqueue(messages, before, after, wall_clock())
        self._stored |= after
        self._next |= after
        self._wrote_at = time.monotonic()
        if queued:
            self._deliverer.notify()

    def _end(self, ends: Mapping[Place, int]) -> None:
        for place, end in ends.items():
            position = self._next.get(place)
            if position is not None and end > position.next:
                self._next[place] = position._replace(next=end)

    def _look(self) -> None:
        self._looked = time.monotonic()
        shown = self._shown()
        self._lag_records.show(self._consumer.behind(shown))
        self._consumer.commit(shown)

    def _shown(self) -> dict[Place, int]:
        return {place: position.next for place, position in self._next.items()}

    def _claim_again(self) -> None:
        places = list(self._next)
        self.revoked(places)
        self._consumer.seek(self.assigned(places))
        self._disturbed = False

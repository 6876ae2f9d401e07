"""The validation stage: batches of raw records to journal and dead letters, with the offsets, in one transaction.

1. read a batch (rebalances are served here: what is gained is claimed, what is lost is dropped);
2. judge each record: journal record, dead letter, or a switched-off system event;
3. publish all of it and the new offsets in one Kafka transaction;
4. if that is disturbed, claim again from Kafka's committed offsets and read from there.

The stage has no state but its position, so Kafka's committed offset is the only truth.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from consumers.validation.counts import Counts
from consumers.validation.step import Channel, Emit, Step
from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import LOCAL_SERVER, Catalog, Source
from offerflow.runtime import metrics
from offerflow.runtime.claims import committed_positions
from offerflow.runtime.errors import Disturbed, Fenced
from offerflow.runtime.kafka.admin import Admin, Place, TopicInfo
from offerflow.runtime.kafka.consumer import Batch, GroupConsumer, Record
from offerflow.runtime.kafka.transactional import Output, TransactionalProducer
from offerflow.runtime.logs import get_logger
from offerflow.runtime.program import Program
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import CHANNELS, commit_metadata
from schemas.catalog import plan_of
from schemas.dead_letter import DeadLetter, write_dead_letter

STAGE = "validation"
WAIT_S = 0.1
LOOK_S = 3.0


class ValidationStage:
    """One member of the validation group, from joining to leaving."""

    def __init__(self, settings: Settings, program: Program, follower: CatalogFollower) -> None:
        self._settings = settings
        self._program = program
        self._follower = follower
        self._admin = Admin(settings, settings.worker)
        self._producer = TransactionalProducer(settings, settings.topic(f"{settings.worker}.producer"), STAGE)
        self._consumer = GroupConsumer(settings, settings.group(STAGE), settings.worker, self)
        self._journal = settings.topic("journal")
        self._dead_letters = settings.topic("dead-letter")
        self._next: dict[Place, int] = {}
        self._disturbed = False
        self._ends: dict[Place, int] = {}
        self._topic_ids: dict[str, str] = {}
        self._subscribed: tuple[str, ...] = ()
        self._counts = Counts()
        self._seconds = {step: metrics.batch_seconds.labels(STAGE, step) for step in ("judge", "publish")}
        self._lag = metrics.lag_seconds.labels(STAGE)
        self._lag_records = metrics.LagGauge(STAGE)
        self._records = metrics.batch_records.labels(STAGE)
        self._looked = time.monotonic()

    def run(self) -> None:
        """Work until the program is asked to stop. Raises what only a new session can mend."""
        self._producer.open()
        self._follow(self._follower.catalog)
        try:
            while not self._program.stopping:
                self._program.turn()
                if self._follower.poll():
                    self._follow(self._follower.catalog)
                self._follower.report()
                self.turn()
        finally:
            self._consumer.leave()
            self._producer.close()

    def turn(self) -> None:
        """One batch, or the bookkeeping of an idle moment."""
        batching = self._settings.batch
        not_before = self._producer.committed_at + batching.spacing_ms / 1000
        batch = self._consumer.read(batching.max_records, WAIT_S, batching.gather_ms / 1000, not_before)
        if self._disturbed:
            self._claim_again()
            return
        try:
            if batch.records:
                self._work(batch)
            elif not batch.ends:
                self._producer.tend()
                self._commit_ends()
        except Fenced:
            raise
        except Disturbed as error:
            get_logger().warning("transaction disturbed; claiming again", why=str(error))
            self._disturbed = True
        self._ends.update({place: end for place, end in batch.ends.items() if end > self._next.get(place, end)})
        if time.monotonic() - self._looked > LOOK_S:
            self._looked = time.monotonic()
            self._lag_records.show(self._consumer.behind(self._next))
        if self._next:
            self._program.health.ready(partitions=len(self._next), catalog=self._follower.catalog.head.serial)

    # -- membership -------------------------------------------------------------------------------------------------

    def assigned(self, places: list[Place]) -> Mapping[Place, int]:
        positions = self._claim(places)
        self._next.update(positions)
        return positions

    def revoked(self, places: list[Place]) -> None:
        for place in places:
            self._next.pop(place, None)
            self._ends.pop(place, None)

    lost = revoked

    # -- work -------------------------------------------------------------------------------------------------------

    def _work(self, batch: Batch) -> None:
        started = time.perf_counter()
        failed_at = int(time.time() * 1000)
        outputs: list[Output] = []
        offsets: dict[Place, tuple[int, str]] = {}
        newest = 0
        for place, records in batch.records.items():
            position = self._next.get(place)
            if position is None:
                continue
            if place[0] not in self._channels:
                # No source names the topic any more, and the group has yet to take it from us: leave it unread.
                self._disturbed = True
                continue
            fresh = [record for record in records if record.offset() >= position]
            if not fresh:
                continue
            self._judge(place, fresh, outputs, failed_at)
            to = max(fresh[-1].offset() + 1, batch.ends.pop(place, 0))
            offsets[place] = (to, commit_metadata(self._topic_ids[place[0]], to))
            newest = max(newest, fresh[-1].timestamp()[1])
        judged = time.perf_counter()
        self._records.observe(len(outputs))
        self._publish(outputs, offsets)
        self._seconds["judge"].observe(judged - started)
        self._seconds["publish"].observe(time.perf_counter() - judged)
        self._counts.commit()
        if newest:
            self._lag.set(max(0.0, time.time() - newest / 1000))

    def _judge(self, place: Place, records: list[Record], outputs: list[Output], failed_at: int) -> None:
        step, journal, counts = self._step, self._journal, self._counts
        channel = self._channels[place[0]].name
        for record in records:
            outcome = step(record)
            if isinstance(outcome, Emit):
                outputs.append(Output(journal, outcome.key, outcome.value))
                counts.valid(channel, outcome.event)
            elif isinstance(outcome, DeadLetter):
                outputs.append(write_dead_letter(self._dead_letters, record, outcome, STAGE, failed_at))
                planned = self._plan.by_name.get(outcome.event or "")
                counts.dead(channel, planned.names[0] if planned else "", outcome.reason)
            else:
                counts.dropped(channel, outcome.event)

    def _publish(self, outputs: list[Output], offsets: dict[Place, tuple[int, str]]) -> None:
        if not offsets:
            return
        try:
            self._producer.publish(outputs, offsets, self._consumer.group_metadata)
        except Disturbed:
            self._counts.discard()
            raise
        for place, (to, _) in offsets.items():
            self._next[place] = to
            self._ends.pop(place, None)

    def _commit_ends(self) -> None:
        """Idle: commit the end positions, which lie past transaction markers, so that "has passed the end" is true."""
        ends = {place: end for place, end in self._ends.items() if end > self._next.get(place, end)}
        self._ends.clear()
        self._publish([], {p: (end, commit_metadata(self._topic_ids[p[0]], end)) for p, end in ends.items()})

    # -- claims and the catalog -------------------------------------------------------------------------------------

    def _claim(self, places: list[Place]) -> Mapping[Place, int]:
        if not places:
            return {}
        positions, topics = committed_positions(self._settings, self._admin, STAGE, places)
        self._topic_ids.update({topic.name: topic.id for topic in topics.values()})
        metrics.claims.labels("claimed").inc(len(places))
        return positions

    def _claim_again(self) -> None:
        self._producer.settle()
        # Every partition, not only those disturbed: what this turn read of the others was thrown away as well.
        places = sorted(self._next)
        positions = self._claim(places)
        self._consumer.seek(positions)
        self._next.update(positions)
        self._ends.clear()
        self._disturbed = False

    def _follow(self, catalog: Catalog) -> None:
        """Put a new view of the catalog in force, from the next batch on, and report it."""
        sources = dict(catalog.sources)
        if self._settings.local.server_key is not None:
            sources.setdefault(LOCAL_SERVER.id, LOCAL_SERVER)
        self._plan = plan_of(catalog)
        self._channels = _channels(self._settings, self._admin, sources)
        self._step = Step(self._plan, sources, self._channels)
        topics = tuple(sorted(self._channels))
        if topics != self._subscribed:
            self._consumer.subscribe(topics)
            self._subscribed = topics
        get_logger().info("catalog in force", serial=catalog.head.serial, events=len(self._plan.newest), topics=topics)


def _channels(settings: Settings, admin: Admin, sources: Mapping[str, Source]) -> dict[str, Channel]:
    """The raw topics to read: the fixed ones and those that sources name, by full name. Absent ones are left out."""
    named = {name for source in sources.values() for name in source.topics}
    names = {settings.topic(name): name for name in sorted(named | set(CHANNELS))}
    there: Mapping[str, TopicInfo] = admin.topics(names)
    channels = {}
    for full, info in there.items():
        name = names[full]
        declared = sorted(source.id for source in sources.values() if name in source.topics)
        origin = CHANNELS.get(name) or sources[declared[0]].origin
        channels[full] = Channel(name, info.id, origin, declared[0] if len(declared) == 1 else None)
    return channels

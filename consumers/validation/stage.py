"""The validation stage: batches of raw records to journal and dead letters, with the offsets, in one transaction.

1. read a batch (rebalances are served here: what is gained is claimed, what is lost is dropped);
2. judge each record: journal record, dead letter, or a switched-off system event;
3. ask the fuse whether the event plan rather than the senders is to blame; if so, hold and write nothing;
4. publish all of it, now and then the counts of events seen, and the new offsets in one Kafka transaction;
5. if that is disturbed, claim again from Kafka's committed offsets and read from there.

The stage has no state but its position and its counts, and both are in Kafka.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from consumers.validation import fuse
from consumers.validation.claims import Claims
from consumers.validation.counts import Counts
from consumers.validation.hold import Gone, Hold, blame, check_topics
from consumers.validation.judging import STAGE, Judged
from consumers.validation.seen import shares_of
from consumers.validation.view import SchemaIds, View, compile_view, past
from offerflow.catalog.follower import CatalogFollower
from offerflow.runtime import metrics, outside, steps
from offerflow.runtime.errors import Disturbed, Fenced
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.kafka.consumer import Batch, GroupConsumer, Record
from offerflow.runtime.kafka.transactional import Output, TransactionalProducer, Unwritable
from offerflow.runtime.logs import get_logger
from offerflow.runtime.program import Program
from offerflow.runtime.settings import Settings
from offerflow.runtime.steps import Step
from schemas.channels import Channel

WAIT_S = 0.1
LOOK_S = 3.0


@dataclass(frozen=True, slots=True)
class _Part:
    """What was judged of one partition, up to offset ``to``. Not ``live``: written before, and only to be counted."""

    place: Place
    channel: Channel
    judged: Judged
    to: int
    live: bool

    @property
    def fused(self) -> bool:
        """Replays and imports say nothing about what senders send now."""
        return self.channel.origin is not None


class ValidationStage:
    """One member of the validation group, from joining to leaving."""

    def __init__(
        self, settings: Settings, program: Program, follower: CatalogFollower, schema_ids: SchemaIds | None = None
    ) -> None:
        self._settings = settings
        self._program = program
        self._follower = follower
        self._schema_ids = schema_ids
        self._admin = Admin(settings, settings.worker)
        self._producer = TransactionalProducer(settings, settings.topic(f"{settings.worker}.producer"), STAGE)
        self._consumer = GroupConsumer(settings, settings.group(STAGE), settings.worker, self)
        self._claims = Claims(settings, self._admin)
        self._ledger = self._claims.ledger
        self._hold = Hold(program)
        self._disturbed = False
        self._careful = False
        self._ends: dict[Place, int] = {}
        self._counts = Counts()
        self._view: View
        self._past: dict[int, View] = {}
        self._subscribed: tuple[str, ...] = ()
        self._seconds = {step: metrics.batch_seconds.labels(STAGE, step) for step in ("judge", "publish")}
        self._lag = metrics.lag_seconds.labels(STAGE)
        self._lag_records = metrics.LagGauge(STAGE)
        self._records = metrics.batch_records.labels(STAGE)
        self._looked = outside.monotonic()

    def run(self) -> None:
        """Work until the program is asked to stop. Raises what only a new session can mend."""
        self._producer.open()
        self._follow()
        try:
            while not self._program.stopping:
                self._program.turn()
                if self._follower.poll():
                    self._follow()
                self._follower.report()
                self.turn()
            self._save(self._ledger.dirty())
        except BaseException:
            # Leaving tells of partitions revoked: what was counted of a batch that failed must not be written then, nor
            # may a process that was fenced make its producer anew, which would fence the one that has its place.
            self._disturbed = True
            raise
        finally:
            self._hold.over()
            self._consumer.leave()
            self._producer.close()

    def turn(self) -> None:
        """One batch, or the bookkeeping of an idle moment."""
        batching = self._settings.batch
        not_before = self._producer.committed_at + batching.spacing_ms / 1000
        batch = self._consumer.read(batching.max_records, WAIT_S, batching.gather_ms / 1000, not_before)
        if self._hold.on:
            self._stand_still(batch)
            return
        if self._disturbed:
            self._claim_again()
            return
        try:
            if batch.records:
                self._work(batch)
            elif not batch.ends:
                self._idle()
        except Fenced:
            raise
        except Disturbed as error:
            self._disturb(error)
        self._ends.update({place: end for place, end in batch.ends.items() if end > self._claims.next.get(place, end)})
        if outside.monotonic() - self._looked > LOOK_S:
            self._looked = outside.monotonic()
            self._lag_records.show(self._consumer.behind(self._claims.next))
            self._claims.look()
        if self._claims.next and not self._disturbed and self._hold.reason is None:
            self._program.health.ready(partitions=len(self._claims.next), catalog=self._view.serial)

    # -- membership -------------------------------------------------------------------------------------------------

    def assigned(self, places: list[Place]) -> Mapping[Place, int]:
        return self._claim(places)

    def revoked(self, places: list[Place]) -> None:
        self._save(self._ledger.dirty(places))
        self.lost(places)

    def lost(self, places: list[Place]) -> None:
        self._claims.drop(places)
        for place in places:
            self._ends.pop(place, None)

    # -- work -------------------------------------------------------------------------------------------------------

    def _work(self, batch: Batch) -> None:
        steps.reached(Step.READ)
        clock = time.perf_counter()
        failed_at = int(outside.wall() * 1000)
        judged: list[_Part] = []
        offsets: dict[Place, int] = {}
        newest = 0
        for place, records in batch.records.items():
            position = self._claims.next.get(place)
            if position is None:
                continue
            channel = self._view.channels.get(place[0])
            if channel is None:
                # No source names the topic any more, and the group has yet to take it from us: leave it unread.
                self._disturbed = True
                continue
            fresh = [record for record in records if record.offset() >= position]
            if not fresh:
                continue
            offsets[place] = to = max(fresh[-1].offset() + 1, batch.ends.pop(place, 0))
            old, new = _parted(fresh, self._claims.committed[place])
            if old:
                # Written before a crash, and counted by nobody: only the counts are wanted.
                before = self._before(place)
                one = before.judge(before.channels.get(place[0], channel), old, failed_at)
                one.outputs.clear()
                judged.append(_Part(place, channel, one, new[0].offset() if new else to, live=False))
            if new:
                judged.append(_Part(place, channel, self._view.judge(channel, new, failed_at), to, live=True))
                newest = max(newest, new[-1].timestamp()[1])
        self._seconds["judge"].observe(time.perf_counter() - clock)
        steps.reached(Step.DECIDED)
        if self._blown(judged):
            return
        # Ends of quiet partitions go along: nothing that waits for us to pass them shall wait for an idle moment.
        ends = self._ends.items()
        offsets |= {
            place: end for place, end in ends if place not in offsets and end > self._claims.next.get(place, end)
        }
        outputs: list[Output] = []
        planned = self._view.judge.planned
        for part in judged:
            if part.live:
                self._counts.add(part.channel.name, part.judged, planned)
            self._ledger.add(part.place, part.judged, planned, part.to, fused=part.fused)
            outputs += part.judged.outputs
        self._records.observe(len(outputs))
        clock = time.perf_counter()
        self._publish(outputs, offsets, self._ledger.due(outside.monotonic(), idle=False, among=offsets))
        self._seconds["publish"].observe(time.perf_counter() - clock)
        if newest:
            self._lag.set(max(0.0, outside.wall() - newest / 1000))

    def _before(self, place: Place) -> View:
        """The view under which the partition was judged before we claimed it."""
        serial = self._claims.serials[place]
        if serial == self._view.serial:
            return self._view
        if serial not in self._past:
            catalog = past(self._follower.catalog, serial)
            self._past = {serial: compile_view(self._settings, self._admin, catalog, self._schema_ids)}
        return self._past[serial]

    def _blown(self, judged: list[_Part]) -> bool:
        """Hold, having written nothing of the batch, if the event plan is to blame for it."""
        watches = self._ledger.watches
        if all(watch.over for watch in watches):
            return False
        held = [(watch, shares_of(part.judged, watch.default))
                for part in judged if part.fused for watch in [self._ledger[part.place].watch]]  # fmt: skip
        why = fuse.verdict(watches, fuse.total(shares for _, shares in held), self._settings.fuse)
        if why is None:
            return False
        for watch, shares in held:
            watch.pending = shares
        self._blow(why)
        self._save(self._ledger.dirty())
        return True

    def _blow(self, why: str) -> None:
        """Kept with the counts, so that a worker that is killed now does not forget."""
        for watch in self._ledger.watches:
            watch.held = None if watch.over else why
        self._ledger.touch()
        self._stop("fuse", why)

    def _publish(self, outputs: list[Output], offsets: Mapping[Place, int], counted: list[Place]) -> None:
        """One transaction, then everything that may follow from it. Offsets that are committed already only move our
        position."""
        forward = self._claims.forward(offsets)
        for place, to in offsets.items():
            self._ledger[place].next = to
        outputs += self._claims.snapshots(counted, self._view.serial)
        if outputs or forward:
            if self._careful:
                check_topics(self._settings, self._admin)
            self._producer.publish(outputs, forward, self._consumer.group_metadata, careful=self._careful)
            self._careful = False
            self._hold.over()
        self._claims.moved(offsets)
        for place in offsets:
            self._ends.pop(place, None)
        self._counts.commit()
        if fuse.settle(self._ledger.watches, int(outside.wall() * 1000), self._settings.fuse):
            self._ledger.touch()

    def _idle(self) -> None:
        """Commit the end positions, which lie past transaction markers, so that "has passed the end" is true."""
        self._producer.tend()
        if self._hold.reason is not None and not any(self._consumer.behind(self._claims.next).values()):
            self._hold.over()
        ends = {place: end for place, end in self._ends.items() if end > self._claims.next.get(place, end)}
        self._ends.clear()
        due = self._ledger.due(outside.monotonic(), idle=True)
        if ends or due:
            self._publish([], ends, due)

    def _save(self, places: list[Place]) -> None:
        """Write counts apart from any batch. Nothing depends on it: what is not saved can be counted again."""
        if not places or self._disturbed:
            return
        try:
            self._producer.publish(self._claims.snapshots(places, self._view.serial), {}, None)
        except Fenced:
            raise
        except Disturbed as error:
            self._disturb(error)

    # -- disturbances -----------------------------------------------------------------------------------------------

    def _disturb(self, error: Disturbed) -> None:
        """Nothing of the batch happened, or nobody knows: forget it, and all that was counted with it."""
        self._counts.discard()
        self._ledger.drop(list(self._claims.next))
        self._disturbed = self._careful = True
        if isinstance(error, Unwritable):
            self._stop(*blame(self._settings, error))
        elif isinstance(error, Gone):
            self._stop(error.reason, str(error))
        else:
            get_logger().warning("transaction disturbed; claiming again", why=str(error))

    def _stop(self, reason: str, why: str) -> None:
        self._hold.begin(reason, why)
        self._consumer.pause(self._claims.next)

    def _stand_still(self, batch: Batch) -> None:
        """Stay a member and read nothing, until the fault is mended or it is time to see whether it is."""
        self._hold.show()
        if batch.records or batch.ends:  # of a partition that came meanwhile
            self._consumer.pause(self._claims.next)
        if self._hold.reason == "fuse":
            self._save(self._ledger.due(outside.monotonic(), idle=True))
            if fuse.verdict(self._ledger.watches, {}, self._settings.fuse) is None:
                self._hold.over()
        elif self._hold.worth_a_try():
            self._hold.retry()
        self._disturbed = not self._hold.on

    def _claim_again(self) -> None:
        self._producer.settle()
        # Every partition, not only those disturbed: what this turn read of the others was thrown away as well.
        self._disturbed = False
        self._ends.clear()
        self._consumer.seek(self._claim(sorted(self._claims.next)))
        steps.reached(Step.CLAIMED)

    def _claim(self, places: list[Place]) -> Mapping[Place, int]:
        """Positions to read from: where the counts of a partition stand, at most the committed offset."""
        if not places:
            return {}
        self._claims.claim(places)
        self._counts.meet(self._ledger)
        self._adopt()
        return {place: self._claims.next[place] for place in places}

    # -- the catalog ------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Put a new view of the catalog in force, from the next batch on."""
        self._save(self._ledger.dirty())  # counted under the plan that was
        self._view = compile_view(self._settings, self._admin, self._follower.catalog, self._schema_ids)
        topics = tuple(sorted(self._view.channels))
        if topics != self._subscribed:
            self._claims.expect(topics)
            self._consumer.subscribe(topics)
            self._subscribed = topics
        self._adopt()
        planned = len(self._view.judge.planned)
        get_logger().info("catalog in force", serial=self._view.serial, events=planned, topics=topics)

    def _adopt(self) -> None:
        """Have every partition at hand count under the view in force, and watch what the plan does to it."""
        view, watches = self._view, self._ledger.watches
        self._ledger.plan(view.judge.planned)
        if fuse.change(watches, view.plan_id, view.released, int(outside.wall() * 1000), self._settings.fuse):
            self._ledger.touch()
        self._ledger.belong({topic: channel.default_source for topic, channel in view.channels.items()})
        view.sources.update(*(watch.before for watch in watches))
        why = fuse.verdict(watches, {}, self._settings.fuse)
        if why is not None:
            self._blow(why)


def _parted(records: list[Record], committed: int) -> tuple[list[Record], list[Record]]:
    """Those below the committed offset and those not."""
    if records[0].offset() >= committed:
        return [], records
    at = bisect_left(records, committed, key=lambda record: record.offset())
    return records[:at], records[at:]

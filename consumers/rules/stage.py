"""The rules stage, log first: Redis may lag the log, never lead it, so one recovery serves every failure.

1. read     a batch of the journal; rebalances are served here, what is gained is claimed (consumers.rules.claim);
2. load     position and states of the entities in one atomic read per partition; a position that is not mine: claim;
3. decide   pure: states and records to new states and outputs (schemas.folding.partition);
4. publish  outputs of records at or above the committed offset, and the new offsets, in one Kafka transaction;
            never an offset at or below the committed one; disturbed in any way: claim everything again;
5. apply    compare-and-set of position and states in Redis; refused: claim again;
6. idle     commit and apply end positions; look now and then whether Redis silently went back.

Ticks, which move time, are appended in the transactions of step 4 once consumers.rules.clock says that they may.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from consumers.rules import guards
from consumers.rules.claim import STAGE, Claims
from consumers.rules.clock import Clock
from consumers.rules.counts import count, count_replayed
from consumers.rules.rulebook import Rulebook
from offerflow.catalog.follower import CatalogFollower
from offerflow.runtime import metrics, outside, steps
from offerflow.runtime.errors import Disturbed, Fenced, RedisDown
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.kafka.consumer import Batch, GroupConsumer, Record
from offerflow.runtime.kafka.transactional import Output, TransactionalProducer
from offerflow.runtime.logs import get_logger
from offerflow.runtime.program import Program
from offerflow.runtime.redis.store import Apply, Loaded, Reach, StateStore
from offerflow.runtime.settings import Settings
from offerflow.runtime.steps import Step
from offerflow.runtime.topics import RAW, commit_metadata
from schemas.folding.announced import Announced
from schemas.folding.partition import FOLD_S, Partition, Work
from schemas.journal import TICK

WAIT_S = 0.1
HEARTBEAT_S = 3.0
APPLY_PATIENCE_S = 5.0


class RulesStage:
    """One member of the rules group, from joining to leaving."""

    def __init__(self, settings: Settings, program: Program, follower: CatalogFollower, store: StateStore) -> None:
        self._settings = settings
        self._program = program
        self._store = store
        self._rulebook = Rulebook(follower, program)
        admin = Admin(settings, settings.worker)
        self._claims = Claims(settings, admin, store, self._rulebook)
        self._producer = TransactionalProducer(settings, settings.topic(f"{settings.worker}.producer"), STAGE)
        self._consumer = GroupConsumer(settings, settings.group(STAGE), settings.worker, self)
        self._announced = Announced(settings)
        self._journal = settings.topic("journal")
        self._follower = follower
        self._clock = Clock(settings, store, self._raw_topics)
        self._passable: dict[int, int] = {}
        self._partitions: dict[Place, Partition] = {}
        self._ends: dict[Place, int] = {}
        self._disturbed: set[Place] = set()
        self._looked = outside.monotonic()
        self._token = uuid.uuid4().hex
        self._batches = 0
        self._seconds = {
            step: metrics.batch_seconds.labels(STAGE, step) for step in ("load", "decide", "publish", "apply")
        }
        self._lag = metrics.lag_seconds.labels(STAGE)
        self._lag_records = metrics.LagGauge(STAGE)
        self._records = metrics.batch_records.labels(STAGE)

    def run(self) -> None:
        """Work until the program is asked to stop. Raises what only a new session can mend."""
        self._producer.open()
        self._consumer.subscribe([self._journal])
        self._clock.start()
        try:
            while not self._program.stopping:
                self._program.turn()
                self._rulebook.follow()
                self.turn()
        finally:
            self._clock.close()
            self._consumer.leave()
            self._producer.close()

    def turn(self) -> None:
        """One batch, or the bookkeeping of an idle moment."""
        batching = self._settings.batch
        not_before = self._producer.committed_at + batching.spacing_ms / 1000
        batch = self._consumer.read(batching.max_records, WAIT_S, batching.gather_ms / 1000, not_before)
        try:
            if self._disturbed:
                self._claim_again(batch)
            self._passable |= self._clock.ready()
            if batch.records:
                self._work(batch)
            elif not batch.ends:
                self._producer.tend()
                self._settle({})
            if outside.monotonic() - self._looked > HEARTBEAT_S:
                self._look()
        except Fenced:
            raise
        except Disturbed as error:
            get_logger().warning("transaction disturbed; claiming again", why=str(error))
            self._disturbed = guards.in_doubt(self._partitions)
        for place, end in batch.ends.items():
            partition = self._partitions.get(place)
            if partition is not None and place not in self._disturbed and end > partition.next:
                self._ends[place] = end
        self._clock.own(
            (partition.number for partition in self._partitions.values()),
            (partition.number for partition in self._partitions.values() if partition.sweeping),
        )
        if self._partitions and not self._disturbed:
            self._program.health.ready(partitions=len(self._partitions))

    # -- membership -------------------------------------------------------------------------------------------------

    def assigned(self, places: list[Place]) -> Mapping[Place, int]:
        claimed = self._claims.claim(places)
        self._partitions.update(claimed)
        return {place: partition.next for place, partition in claimed.items()}

    def revoked(self, places: list[Place]) -> None:
        for place in places:
            self._partitions.pop(place, None)
            self._ends.pop(place, None)
            self._disturbed.discard(place)

    lost = revoked

    # -- one batch --------------------------------------------------------------------------------------------------

    def _work(self, batch: Batch) -> None:
        steps.reached(Step.READ)
        taken, moved = self._taken(batch)
        self._records.observe(sum(len(records) for records in taken.values()))
        clock = time.perf_counter()
        reaches = {place: self._partitions[place].reach(records) for place, records in taken.items()}
        loaded = self._loaded(taken, reaches)
        clock = self._spent("load", clock)
        steps.reached(Step.LOADED)
        work: dict[Place, Work] = {}
        until = outside.monotonic() + FOLD_S
        for place, records in taken.items():
            if place in loaded:
                end = batch.ends.pop(place, 0)
                to = max(records[-1].offset() + 1, end)
                partition = self._partitions[place]
                left = max(0.0, until - outside.monotonic())
                work[place] = partition.fold(records, loaded[place], reaches[place], to, left)
                if partition.ahead is not None:
                    self._clock.ahead(*partition.ahead)
                    if partition.ahead[1] > 0:
                        self._passable.clear()
                    partition.ahead = None
                if work[place].cut:
                    moved.add(place)
        clock = self._spent("decide", clock)
        steps.reached(Step.DECIDED)
        self._settle(work, clock)
        for done in work.values():
            count_replayed(done)
        again = {place: self._partitions[place].next for place in moved if place in work and place in self._partitions}
        again = {place: position for place, position in again.items() if place not in self._disturbed}
        if again:
            self._consumer.seek(again)
        newest = max((records[-1].timestamp()[1] for records in taken.values()), default=0)
        if newest:
            self._lag.set(max(0.0, outside.wall() - newest / 1000))

    def _taken(self, batch: Batch) -> tuple[dict[Place, list[Record]], set[Place]]:
        """The records to fold now, and the places of which some are left to be read again."""
        taken: dict[Place, list[Record]] = {}
        moved = set()
        for place, records in batch.records.items():
            partition = self._partitions.get(place)
            if partition is None or place in self._disturbed:
                continue
            fresh = guards.unread(records, partition)
            now = partition.cut(fresh)
            if len(now) < len(fresh):
                moved.add(place)
                # The end will be told again after the rest was read again.
                batch.ends.pop(place, None)
            if now:
                taken[place] = now
        return taken, moved

    def _loaded(
        self, taken: Mapping[Place, list[Record]], reaches: Mapping[Place, Reach | None]
    ) -> dict[Place, Loaded]:
        """States of those partitions whose position in Redis is where I left it; the others are to be claimed."""
        asked = {place[1]: self._partitions[place].entities(records) for place, records in taken.items()}
        wide = {place[1]: reach for place, reach in reaches.items() if reach is not None}
        answers = self._store.load(asked, wide) if asked else {}
        loaded = {}
        for place in taken:
            answer = answers[place[1]]
            if guards.stands(answer, self._partitions[place]) and guards.whole(answer):
                loaded[place] = answer
            else:
                get_logger().warning("Redis is not where I left it; claiming again", partition=place[1],
                                     mine=self._partitions[place].next, found=answer.next)  # fmt: skip
                self._disturbed.add(place)
        return loaded

    def _publish(self, work: Mapping[Place, Work]) -> None:
        outputs: list[Output] = []
        offsets: dict[Place, tuple[int, str]] = {}
        failed_at = int(outside.wall() * 1000)
        for place, done in work.items():
            partition = self._partitions[place]
            outputs += self._announced(done, failed_at)
            if guards.advances(done.to, partition):
                offsets[place] = (done.to, commit_metadata(partition.identity["topic_id"], done.to))
        ticks = self._ticks(work)
        outputs += [
            Output(self._journal, None, TICK.encode({"due": due}), partition=place[1]) for place, due in ticks.items()
        ]
        if not offsets and not ticks:
            return
        self._producer.publish(outputs, offsets, self._fence())
        for place, (to, _) in offsets.items():
            self._partitions[place].committed = to
        for place, due in ticks.items():
            self._partitions[place].asked_for, self._partitions[place].owed = due, None
        for place, done in work.items():
            count(done, self._partitions[place].offers)

    def _fence(self) -> Any | None:
        """The generation of the group that a commit belongs to: the broker takes none of a member that was replaced."""
        return self._consumer.group_metadata

    def _ticks(self, work: Mapping[Place, Work]) -> dict[Place, int]:
        """The ticks to append now: one at a time for each partition, none where records are folded again."""
        passable, self._passable = self._passable, {}
        ticks = {}
        for place, partition in self._partitions.items():
            due = partition.owed or passable.get(place[1])
            at = work[place].to if place in work else partition.next
            if due is not None and guards.may_tick(partition, at, place in self._disturbed):
                ticks[place] = due
        return ticks

    def _apply(self, work: Mapping[Place, Work]) -> None:
        self._batches += 1
        batches = []
        for place, done in work.items():
            meta: dict[str, str | bytes] = dict(self._partitions[place].identity)
            if done.fold is not None:
                meta["fold"] = done.fold
            token = f"{self._token}:{self._batches}"
            batches.append(Apply(place[1], done.start, done.to, token, meta, done.states, done.timers, done.opened))
        answers = self._applied(batches)
        steps.reached(Step.APPLIED)
        for place, done in work.items():
            if guards.applied(answers[place[1]]):
                self._partitions[place].next = done.to
                self._ends.pop(place, None)
            else:
                metrics.apply_rejections.inc()
                get_logger().warning("Redis refused a batch; claiming again", partition=place[1],
                                     answer=answers[place[1]])  # fmt: skip
                self._disturbed.add(place)

    def _applied(self, batches: list[Apply]) -> Mapping[int, str]:
        """Apply, trying again for a while if Redis does not answer: the token makes that safe."""
        deadline = outside.monotonic() + APPLY_PATIENCE_S
        while True:
            try:
                return self._store.apply(batches) if batches else {}
            except RedisDown as error:
                if outside.monotonic() > deadline:
                    raise
                self._program.pause(0.2, str(error))

    # -- idle -------------------------------------------------------------------------------------------------------

    def _settle(self, work: dict[Place, Work], clock: float | None = None) -> None:
        """Publish and apply the work, and end positions beside it: they lie past transaction markers, so that idle
        looks idle, and so that time need not wait for a partition that is quiet among busy ones."""
        for place, end in self._ends.items():
            partition = self._partitions.get(place)
            if partition is not None and end > partition.next and place not in self._disturbed:
                work.setdefault(place, Work(partition.next, end))
        self._ends.clear()
        self._publish(work)
        clock = self._spent("publish", clock) if clock is not None else None
        self._apply(work)
        if clock is not None:
            self._spent("apply", clock)

    def _raw_topics(self) -> list[str]:
        """Full names of what validation reads."""
        named = {name for source in self._follower.catalog.sources.values() for name in source.topics}
        return [self._settings.topic(name) for name in {*RAW, *named}]

    def _look(self) -> None:
        """Notice a Redis that went back where there is no traffic, and show the lag."""
        self._looked = outside.monotonic()
        self._lag_records.show(self._consumer.behind({place: p.next for place, p in self._partitions.items()}))
        self._claims.look()
        found = self._store.positions(place[1] for place in self._partitions)
        for place, partition in self._partitions.items():
            if guards.went_back(found[place[1]], partition):
                get_logger().warning("Redis is not where I left it; claiming again", partition=place[1],
                                     mine=partition.next, found=found[place[1]])  # fmt: skip
                self._disturbed.add(place)

    def _claim_again(self, batch: Batch) -> None:
        """Claim what was disturbed, and forget what was read of it: it lies beyond where it will be read from."""
        # First of all: a transaction of ours that is still open would hide where the group stands.
        self._producer.settle()
        wanted = sorted(place for place in self._disturbed if place in self._partitions)
        for place in wanted:
            batch.records.pop(place, None)
            batch.ends.pop(place, None)
            self._ends.pop(place, None)
        claimed = self._claims.claim(wanted)
        self._partitions.update(claimed)
        self._consumer.seek({place: partition.next for place, partition in claimed.items()})
        self._disturbed = set()
        steps.reached(Step.CLAIMED)

    def _spent(self, step: str, since: float) -> float:
        now = time.perf_counter()
        self._seconds[step].observe(now - since)
        return now

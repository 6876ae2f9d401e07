"""The guards, switched off one at a time: each mutation is what the code would be without one.

Not here are guards that save work or time, or that stand behind another one, so that no schedule needs them:
bench/schedules.md names them. Nothing crosses partitions yet, so no tick need wait for other partitions either.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaException

from consumers.rules import clock
from consumers.rules import guards as turn
from consumers.rules.stage import RulesStage
from consumers.validation import stage as validation
from consumers.validation.claims import Claims as ValidationClaims
from offerflow.rules.fold import Fold
from offerflow.runtime import guards, outside
from offerflow.runtime.kafka import consumer
from offerflow.runtime.kafka.admin import Admin, Committed
from offerflow.runtime.kafka.client import base_config
from offerflow.runtime.kafka.consumer import GroupConsumer
from offerflow.runtime.kafka.transactional import TransactionalProducer
from offerflow.runtime.redis.store import Apply
from offerflow.runtime.topics import commit_metadata
from schemas.folding.loaded import LoadedStates
from schemas.folding.partition import Partition
from tests.doubles.store import RedisDouble
from tests.schedules.deployment import Deployment
from tests.schedules.faults import Scene
from tests.schedules.scenes import (
    BACK,
    CLOCKS,
    COMMITS,
    EVERYTHING,
    EVICTS,
    EXPELS,
    KILLS,
    LATE,
    LOADS,
    LOSSES,
    OUTAGES,
    REPLAYS,
    RESETS,
    SCRIPTS,
    SHORT,
    STRANGERS,
    TIMES,
    ZOMBIES,
)

Patch = Callable[[pytest.MonkeyPatch, Deployment], None]


def _never(*_: object, **__: object) -> bool:
    return False


def _always(*_: object, **__: object) -> bool:
    return True


# -- Redis ------------------------------------------------------------------------------------------------------------


def no_load_check(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    patch.setattr(turn, "stands", _always)


def no_compare_and_set(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    apply = RedisDouble.apply

    def anyhow(self: RedisDouble, batch: Apply) -> str:
        moved = copy.copy(batch)
        moved.start = self.next(batch.partition)
        return apply(self, moved)

    patch.setattr(RedisDouble, "apply", anyhow)


def neither(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    no_load_check(patch, world)
    no_compare_and_set(patch, world)


def torn_load(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    world.redis.torn_load = True


def no_dirty_mark(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    apply = RedisDouble.apply

    def unmarked(self: RedisDouble, batch: Apply) -> str:
        try:
            return apply(self, batch)
        finally:
            self.kept(batch.partition).meta.pop("dirty", None)

    patch.setattr(RedisDouble, "apply", unmarked)


def dirty_not_asked_at_claim(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    patch.setattr(guards, "half_written", _never)


def no_look_when_idle(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    patch.setattr(turn, "went_back", _never)


def stranger_in_redis(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    patch.setattr(guards, "stranger", lambda meta, identity: None)


def journal_short(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    """Neither the claim nor the reader minds that records are gone which Redis has not folded."""
    patch.setattr(guards, "too_old", _never)
    patch.setitem(consumer._CONFIG, "auto.offset.reset", "earliest")


# -- commits ----------------------------------------------------------------------------------------------------------


def _without_fence(name: str) -> Patch:
    def mutation(patch: pytest.MonkeyPatch, world: Deployment) -> None:
        publish = TransactionalProducer.publish

        def unfenced(
            self: TransactionalProducer, outputs: Any, offsets: Any, group_metadata: Any, **more: Any
        ) -> None:  # fmt: skip
            if offsets and self._stage == name:
                settings = self._settings
                group = {**base_config(settings, settings.worker), "group.id": settings.group(name)}
                group_metadata = outside.Consumer(group).consumer_group_metadata()
            publish(self, outputs, offsets, group_metadata, **more)

        patch.setattr(TransactionalProducer, "publish", unfenced)

    return mutation


def unstable_offsets(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    def asking(self: Admin, group: str) -> Any:
        if group not in self._consumers:
            config = {**base_config(self._settings, "offerflow-admin"), "group.id": group}
            self._consumers[group] = outside.Consumer({**config, "isolation.level": "read_uncommitted"})
        return self._consumers[group]

    patch.setattr(Admin, "_consumer", asking)


def ambiguity_taken_as_done(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    """A commit that timed out is taken for one that happened; any other failure is heeded."""
    make = outside.Producer

    def producer(config: Mapping[str, Any]) -> Any:
        made: Any = make(config)  # type: ignore[arg-type]
        commit = made.commit_transaction

        def committed(timeout: float = -1) -> None:
            try:
                commit(timeout)
            except KafkaException as error:
                if error.args[0].fatal() or error.args[0].txn_requires_abort():
                    raise

        made.commit_transaction = committed
        return made

    patch.setattr(outside, "Producer", producer)


def producer_kept(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    patch.setattr(TransactionalProducer, "tainted", _never)


def commits_that_go_back(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    patch.setattr(turn, "advances", _always)


def absent_is_zero(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    """Whatever metadata a commit has is right, and an absent offset is the beginning."""
    committed = Admin.committed

    def believed(self: Admin, group: str, places: Any) -> dict[Any, Committed]:
        wanted = list(places)
        found = committed(self, group, wanted)
        topics = self.topics(sorted({topic for topic, _ in wanted}))
        offsets = {place: found[place].offset if place in found else 0 for place in wanted}
        return {
            place: Committed(offset, commit_metadata(topics[place[0]].id, offset)) for place, offset in offsets.items()
        }

    patch.setattr(Admin, "committed", believed)


def metadata_believed(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    patch.setattr(guards, "tampered", _never)


def apply_before_publish(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    publish, apply = RulesStage._publish, RulesStage._apply
    patch.setattr(RulesStage, "_publish", apply)
    patch.setattr(RulesStage, "_apply", publish)


def no_suppression(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    fold = Partition.fold

    def unsuppressed(self: Partition, *given: Any, **more: Any) -> Any:
        kept, self.committed = self.committed, 0
        try:
            return fold(self, *given, **more)
        finally:
            self.committed = kept

    patch.setattr(Partition, "fold", unsuppressed)


# -- membership -------------------------------------------------------------------------------------------------------


def nothing_claimed_after_disturbance(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    patch.setattr(turn, "in_doubt", lambda partitions: set())


def revoked_are_kept(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    patch.setattr(RulesStage, "revoked", lambda self, places: None)
    patch.setattr(RulesStage, "lost", lambda self, places: None)


def generation_kept_when_lost(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    """What is lost is not told to the stage, and its generation goes on to be used."""

    def lost(self: GroupConsumer, consumer: Any, partitions: Any) -> None:
        self._held -= set(self._places(partitions))

    patch.setattr(GroupConsumer, "_lost", lost)


def read_on_after_claim(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    """After a claim the client goes on where it was."""
    patch.setattr(GroupConsumer, "seek", lambda self, positions: None)


# -- time -------------------------------------------------------------------------------------------------------------


def time_waits_for_nobody(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    behind = clock.Barrier._behind

    def not_validation(self: clock.Barrier, name: str, ends: dict[Any, int]) -> dict[Any, int]:
        return {} if name == "validation" else behind(self, name, ends)

    patch.setattr(clock.Barrier, "_behind", not_validation)


def time_by_events(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    event = Fold.event

    def moving(self: Fold, entity: str, one: Any, event_type: Any) -> Any:
        self.state = msgspec.structs.replace(self.state, time=max(self.state.time, one.time))
        return event(self, entity, one, event_type)

    patch.setattr(Fold, "event", moving)


def timers_as_loaded(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    """A tick fires the timers that happen to be loaded, and the batch does not end before it."""

    def due(self: LoadedStates, until: int, limit: int) -> list[tuple[int, str]]:
        known = [(at, entity) for at, entity in self._loaded.due if at <= until and entity not in self._now]
        known += [(at, entity) for entity, (at, _) in self._now.items() if at is not None and at <= until]
        return sorted(known)[:limit]

    patch.setattr(LoadedStates, "due", due)


def ends_not_committed(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    """The position of an end, past transaction markers, is committed by nobody."""
    read = GroupConsumer.read

    def endless(self: GroupConsumer, *given: Any, **more: Any) -> Any:
        batch = read(self, *given, **more)
        batch.ends.clear()
        return batch

    patch.setattr(GroupConsumer, "read", endless)


# -- validation -------------------------------------------------------------------------------------------------------


def validation_writes_again(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    """What lies below the committed offset is written once more when it is counted once more."""
    patch.setattr(validation, "_parted", lambda records, committed: ([], records))


def validation_not_disturbed(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    """A disturbed transaction is forgotten without claiming again."""
    patch.setattr(validation.ValidationStage, "_disturb", lambda self, error: self._counts.discard())


def validation_commits_back(patch: pytest.MonkeyPatch, world: Deployment) -> None:
    def forward(self: ValidationClaims, offsets: Mapping[Any, int]) -> dict[Any, tuple[int, str]]:
        return {place: (to, commit_metadata(self._topic_ids[place[0]], to)) for place, to in offsets.items()}

    patch.setattr(ValidationClaims, "forward", forward)


@dataclass(frozen=True)
class Mutation:
    """``name`` as in the table; ``scene``: the faults that are looked for."""

    name: str
    patch: Patch | None
    scene: Scene = field(default=EVERYTHING)


MUTATIONS = (
    Mutation("nothing", None),
    Mutation("nothing, unclear commits", None, COMMITS),
    Mutation("nothing, late requests", None, LATE),
    Mutation("nothing, kills", None, KILLS),
    Mutation("nothing, members expelled", None, EXPELS),
    Mutation("nothing, scripts that die", None, SCRIPTS),
    Mutation("nothing, zombies", None, ZOMBIES),
    Mutation("nothing, Redis going back", None, LOSSES),
    Mutation("nothing, replays", None, REPLAYS),
    Mutation("nothing, Redis going back at a load", None, LOADS),
    Mutation("nothing, many timers", None, TIMES),
    Mutation("nothing, offsets reset", None, RESETS),
    Mutation("nothing, offsets set back", None, BACK),
    Mutation("nothing, another's Redis", None, STRANGERS),
    Mutation("nothing, journal cut short", None, SHORT),
    Mutation("nothing, positions evicted", None, EVICTS),
    Mutation("nothing, clocks ahead", None, CLOCKS),
    Mutation("nothing, validation outages", None, OUTAGES),
    Mutation("check of next at load", no_load_check, REPLAYS),
    Mutation("compare-and-set in apply", no_compare_and_set, REPLAYS),
    Mutation("both", neither, REPLAYS),
    Mutation("generation fence, rules", _without_fence("rules"), ZOMBIES),
    Mutation("generation fence, validation", _without_fence("validation"), ZOMBIES),
    Mutation("stable read of C", unstable_offsets, ZOMBIES),
    Mutation("re-claim after an ambiguous commit", ambiguity_taken_as_done, COMMITS),
    Mutation("producer made anew after a late request", producer_kept, LATE),
    Mutation("publish before apply", apply_before_publish),
    Mutation("suppression on replay", no_suppression, LOSSES),
    Mutation("no commit below C", commits_that_go_back, LOSSES),
    Mutation("atomic load", torn_load, LOADS),
    Mutation("dirty mark", no_dirty_mark, SCRIPTS),
    Mutation("dirty asked at claim", dirty_not_asked_at_claim, SCRIPTS),
    Mutation("look at Redis when idle", no_look_when_idle, LOSSES),
    Mutation("commit metadata", metadata_believed, RESETS),
    Mutation("absent offset refused", absent_is_zero, RESETS),
    Mutation("identity in Redis", stranger_in_redis, STRANGERS),
    Mutation("journal cut short refused", journal_short, SHORT),
    Mutation("claim after a disturbance", nothing_claimed_after_disturbance, COMMITS),
    Mutation("read from where the claim stands", read_on_after_claim, LOSSES),
    Mutation("revoked partitions forgotten", revoked_are_kept, ZOMBIES),
    Mutation("no commit once partitions are lost", generation_kept_when_lost, ZOMBIES),
    Mutation("time waits for validation", time_waits_for_nobody, OUTAGES),
    Mutation("time moved by ticks alone", time_by_events),
    Mutation("timers loaded with the batch", timers_as_loaded, TIMES),
    Mutation("ends committed", ends_not_committed),
    Mutation("validation: suppression on replay", validation_writes_again),
    Mutation("validation: claim after a disturbance", validation_not_disturbed, COMMITS),
    Mutation("validation: no commit below C", validation_commits_back, KILLS),
)

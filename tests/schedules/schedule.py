"""One schedule: a deployment at work under faults, then in peace until nothing is left to do, then judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from consumers.rules import stage
from offerflow.rules import fold
from schemas.folding import partition
from tests.schedules.deployment import Deployment
from tests.schedules.faults import Faults, Scene
from tests.schedules.oracle import OUTPUTS, Found, judge
from tests.schedules.scenes import EVERYTHING
from tests.schedules.workload import RAW, change, named

PARTITIONS = 3
Patch = Callable[[pytest.MonkeyPatch, Deployment], None]
TOPICS = (*RAW, "journal", "dead-letter", "events-seen", *OUTPUTS)
SETTLE_S = 240.0
"""Simulated seconds in which everything must come to rest once there are no more faults."""
ROUNDS = 60
SMALL = {"ENTITIES_PER_TICK": 1, "SWEPT_PER_TICK": 2, "FIRINGS_PER_TICK": 3}
"""So few that a handful of users fills a tick."""


@dataclass
class Result:
    """``kind``: "ok", or what went wrong, joined by +. ``wrong`` says more of each."""

    seed: int
    kind: str
    wrong: dict[str, list[str]]
    injected: list[str]
    decisions: int
    records: int
    trace: list[str] = field(default_factory=list)

    @property
    def bad(self) -> bool:
        return self.kind != "ok"


def run(seed: int, scene: Scene = EVERYTHING, mutation: Patch | None = None, *, trace: bool = False) -> Result:
    """The schedule of ``seed``, with the code changed by ``mutation``; what it came to is judged by unchanged code."""
    world = Deployment(seed, partitions=PARTITIONS, max_records=scene.max_records, trace=trace)
    wrong: dict[str, list[str]] = {}
    with _small_ticks(), world:
        with pytest.MonkeyPatch.context() as patch:
            if mutation is not None:
                mutation(patch, world)
            if world.random.random() < 0.2:
                # Time does not move within a fold, so no batch would ever be cut by it.
                patch.setattr(stage, "FOLD_S", 0.0)
            world.create()
            world.catalog(change(1), named(1))
            world.start()
            faults = Faults(world, scene)
            world.run(decisions=scene.decisions, seconds=600)
            faults.over = True
            stuck = _settle(world, faults)
        if stuck is not None:
            wrong["STUCK"] = [stuck]
        unexcused = [one for one in world.refusals if one[1] not in faults.excused]
        if unexcused:
            wrong["REFUSED"] = [repr(one) for one in unexcused]
        if world.crashes:
            wrong["CRASHED"] = [f"{name}: {error!r}" for name, error in world.crashes]
        if stuck is None:
            wrong |= judge(_found(world, faults))
        records = len(world.records("journal"))
    kind = "+".join(sorted(wrong)) or "ok"
    return Result(seed, kind, wrong, faults.injected, world.scheduler.decisions, records, list(world.trace))


def _settle(world: Deployment, faults: Faults) -> str | None:
    """Peace, and time enough for all timers; what is not done by then."""
    if not world.cluster.up:
        world.cluster.start()
    faults.mend()
    world.quiet()
    for process in world.zombies:
        world.ask_to_stop(process)
    lossy = faults.scene.losses_at_rest
    for _ in range(ROUNDS):
        if not world.run(world.idle, seconds=SETTLE_S, decisions=60_000):
            return f"not idle: {_state(world)}"
        first = world.redis.first_timer()
        # Longer than the stages take to look whether Redis went back.
        world.run(seconds=5.0)
        if first is None and world.idle() and world.redis.first_timer() is None:
            if not lossy:
                return None
            lossy = False
            world.redis.empty(world.random.randrange(PARTITIONS))
        if first is not None:
            world.jump(max(0.0, first / 1000 - world.wall() + world.random.choice((0.5, 40.0))))
            world.run(lambda first=first: world.redis.first_timer() != first, seconds=SETTLE_S)  # type: ignore[misc]
    return f"timers are left: {world.redis.first_timer()}"


def _state(world: Deployment) -> str:
    ends = {topic: world.cluster.ends(topic) for topic in ("of.journal", *(f"of.{name}" for name in RAW))}
    committed = {place: offset for stage in ("validation", "rules")
                 for place, (offset, _) in world.committed(stage).items() if place[0] in ends}  # fmt: skip
    redis = [world.redis.next(partition) for partition in range(world.partitions)]
    return (
        f"ends {ends}, committed {committed}, Redis {redis}, workers {world.processes}, refusals {world.refusals[-3:]}"
    )


class _Kept:
    def __init__(self, world: Deployment) -> None:
        self.next, self.states = world.redis.next, world.redis.states
        self.timers, self.opened = world.redis.timers, world.redis.opened
        self._kept = world.redis.kept

    def rules(self, partition: int) -> bytes | None:
        found = self._kept(partition).meta.get("fold")
        return found.encode() if isinstance(found, str) else found


def _found(world: Deployment, faults: Faults) -> Found:
    topics = {name: world.records(name) for name in TOPICS}
    for number, before in faults.gone.items():
        there = {(one.partition(), one.offset()) for one in topics["journal"]}
        topics["journal"] += [one for one in before if (number, one.offset()) not in there]
    topics["journal"].sort(key=lambda one: (one.partition(), one.offset()))
    ends = dict(enumerate(world.cluster.ends("of.journal")))
    return Found(world.settings(), topics, _Kept(world), faults.ahead, ends)


@contextmanager
def _small_ticks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL.items():
            patch.setattr(fold, name, value)
        patch.setattr(partition, "ENTITIES_PER_TICK", SMALL["ENTITIES_PER_TICK"])
        patch.setattr(partition, "SWEPT_PER_TICK", SMALL["SWEPT_PER_TICK"])
        patch.setattr(partition, "TICKS_AT_ONCE", 1)
        yield

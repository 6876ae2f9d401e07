"""What Redis holds of a partition, beside what the oracle knows of its users: who waits for what, who is in which offer
and what became of the rewards. Byte by byte, states are compared by ``offerflow verify --state``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from offerflow.rules.state import EntityState, unpack_entity
from offerflow.runtime.redis.store import StateStore
from tests.chaos.judging.case import Case
from tests.chaos.result import Anomaly
from tests.oracle.rules.entity import Entity
from tests.oracle.rules.partition import Partition

_STATUS = {"completed": 1, "expired": 2, "exited": 3, "withdrawn": 4}
_REWARDS = {"pending": 0, "satisfied": 1, "fulfilled": 2, "reversed": 3, "expired": 4}


def wrong_states(case: Case, partition: Partition, last: Mapping[str, int]) -> Iterator[Anomaly]:
    """``last``: when each user's last journal record was appended."""
    store = StateStore(case.settings)
    number = partition.number
    try:
        meta, states = store.meta(number), store.states(number)
        timers, opened = store.timers(number), store.opened(number)
    finally:
        store.close()
    if meta.next != case.committed[number]:
        text = f"Redis is at {meta.next} of partition {number}, {case.committed[number]} is committed"
        yield Anomaly("wrong states", text)
    if meta.dirty is not None:
        yield Anomaly("wrong states", f"partition {number} is half-written")
    known = partition.entities
    for name in sorted({*known, *timers, *opened, *states}):
        told = list(_differences(known.get(name), states.get(name), timers.get(name), name in opened))
        if told:
            yield Anomaly("wrong states", f"{number} {name}: {'; '.join(told)}", last.get(name))


def _differences(one: Entity | None, packed: bytes | None, timer: int | None, opened: bool) -> Iterator[str]:
    if one is None:
        yield "nobody knows of this user"
        return
    state = unpack_entity(packed)
    at = one.first_fire_at()
    if at != (math.inf if timer is None else timer):
        yield f"the first timer fires at {timer}, expected {at}"
    if one.inside != opened:
        yield f"is {'' if opened else 'not '}among those inside an offer"
    yield from _instances(one, state)


def _instances(one: Entity, state: EntityState) -> Iterator[str]:
    """Redis may have forgotten what is over, nothing else."""
    found = {each.id.hex(): each for each in (*state.instances, *state.closed)}
    for due in one.instances:
        there = found.pop(due.id, None)
        if there is None:
            if due.open:
                yield f"is not in {due.offer.id}"
            continue
        if (there.status == 0) != due.open:
            yield f"{due.offer.id}: {there.status.name}, expected {due.exited or 'open'}"
        reward = None if there.reward is None else there.reward.status
        expected = None if due.reward is None else _REWARDS.get(due.reward.state, 5)
        if reward != expected:
            yield f"reward of {due.offer.id}: {reward!r}, expected {due.reward and due.reward.state}"
    for there in found.values():
        yield f"is in {there.offer} as {there.id.hex()}"

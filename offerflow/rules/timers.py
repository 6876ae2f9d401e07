"""Timers of an entity, derived from its state: absences, expiries, and rewards that become satisfied or expire.

A timer is due at an event time and fires from its ``fire_at`` on, a T that is fixed when it is set.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from offerflow.rules.ids import output_id
from offerflow.rules.state import EntityState, Instance, Watch

UNBOUNDED = 1 << 62
ABSENCE, EXPIRY, REWARD = range(3)


class Timer(NamedTuple):
    fire_at: int
    due: int
    kind: int
    owner: Watch | Instance


def timers(state: EntityState) -> Iterator[Timer]:
    """All timers, in no order."""
    for watch in state.watches:
        yield Timer(watch.fire_at, watch.due, ABSENCE, watch)
    for instance in (*state.instances, *state.closed):
        if instance.fire_at is not None and instance.expires_at is not None:
            yield Timer(instance.fire_at, instance.expires_at, EXPIRY, instance)
        reward = instance.reward
        if reward is not None and reward.fire_at is not None and reward.due is not None:
            yield Timer(reward.fire_at, reward.due, REWARD, instance)


def first_fire_at(state: EntityState) -> int | None:
    found = [one.fire_at for one in state.watches]
    for instance in (*state.instances, *state.closed):
        if instance.fire_at is not None:
            found.append(instance.fire_at)
        reward = instance.reward
        if reward is not None and reward.fire_at is not None:
            found.append(reward.fire_at)
    return min(found, default=None)


def first_due(state: EntityState, now: int) -> Timer | None:
    """The timer that fires next at ``now``: in order of due time, kind and id."""
    if state.timer is None or state.timer > now:
        return None
    first, found = (UNBOUNDED, 0), list[Timer]()
    for timer in timers(state):
        if timer.fire_at <= now and (key := (timer.due, timer.kind)) <= first:
            if key < first:
                first, found = key, []
            found.append(timer)
    return found[0] if len(found) == 1 else min(found, key=_identity)


def _identity(timer: Timer) -> tuple[int, str]:
    owner = timer.owner
    if isinstance(owner, Watch):
        return owner.turn, ""
    if timer.kind == REWARD and owner.reward is not None:
        return 0, output_id("RewardSatisfied", owner.id.hex(), owner.reward.id, "user")
    return 0, owner.id.hex()

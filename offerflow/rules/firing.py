"""What happens when a timer fires: an absence is a hit, an instance expires, a reward is announced or expires.

Every firing is folded like a record of its own, at the time it was due.
"""

from __future__ import annotations

from offerflow.rules.consequences import finish, follow
from offerflow.rules.entries import Asked
from offerflow.rules.hits import insert
from offerflow.rules.ids import long_id
from offerflow.rules.instances import close
from offerflow.rules.live import LiveRules
from offerflow.rules.outcomes import Evidence
from offerflow.rules.record import Record
from offerflow.rules.rewards import expired, pending_over
from offerflow.rules.state import EntityState, Instance, RewardStatus, RichHit, Status, Watch
from offerflow.rules.timers import EXPIRY, Timer

MAX_FIRED = 1000
"""Absences that one leaf keeps."""


def fire_timer(rules: LiveRules, entity: str, state: EntityState, timer: Timer, partition: int) -> Record:
    """Fire one timer, and the absences of the same event that are due at the same time."""
    owner = timer.owner
    state.turn += 1
    if isinstance(owner, Watch):
        return _absence(rules, entity, state, owner, partition)
    cause = f"{owner.id.hex()}@{timer.due}"
    record = Record(rules, entity, state, timer.due, timer.due, partition, cause, None, timer.due < state.clock)
    if timer.kind == EXPIRY:
        close(record, owner, Status.EXPIRED, timer.due)
        follow(record, {})
    elif owner.reward is not None and owner.reward.status == RewardStatus.PENDING:
        pending_over(record, owner)
    else:
        expired(record, owner)
    finish(record)
    return record


def withdraw(rules: LiveRules, entity: str, state: EntityState, instance: Instance, at: int, partition: int) -> Record:
    """End an instance whose offer was withdrawn."""
    state.turn += 1
    record = Record(rules, entity, state, at, at, partition, f"{instance.id.hex()}@{at}", None, at < state.clock)
    close(record, instance, Status.WITHDRAWN, at)
    follow(record, {})
    finish(record)
    return record


def consume(state: EntityState, timer: Timer) -> str:
    """Take a timer away without any effect; says which it was."""
    owner = timer.owner
    if isinstance(owner, Watch):
        together = _together(state, owner)
        state.watches = [one for one in state.watches if one not in together]
        return f"absence after event {long_id(owner.event_id)}"
    if timer.kind == EXPIRY:
        owner.fire_at = None
        return f"expiry of offer {owner.offer}"
    if owner.reward is not None:
        owner.reward.fire_at = None
        return f"reward {owner.reward.id} of offer {owner.offer}"
    raise AssertionError("a timer is of a watch, an instance or its reward")


def _together(state: EntityState, watch: Watch) -> list[Watch]:
    return [one for one in state.watches if (one.due, one.turn, one.fire_at) == (watch.due, watch.turn, watch.fire_at)]


def _absence(rules: LiveRules, entity: str, state: EntityState, watch: Watch, partition: int) -> Record:
    together = _together(state, watch)
    state.watches = [one for one in state.watches if one not in together]
    cause = f"{long_id(watch.event_id)}@{watch.due}"
    absents = [absent for one in together if (absent := rules.usage.absent(one.key)) is not None]
    name = watch.event or (absents[0].after.event_name if absents else "")
    proof = Evidence(long_id(watch.event_id), name, watch.time, partition, watch.offset)
    late = watch.due < state.clock
    record = Record(rules, entity, state, watch.due, watch.received_at, partition, cause, proof, late)
    record.timed = True
    record.kept = {name: value for one in together for name, value in (one.kept or {}).items()}
    asked: Asked = {}
    for one in together:
        if rules.usage.absent(one.key) is None:
            continue
        hits = state.leaves.setdefault(one.key, [])
        insert(hits, RichHit(one.due, state.turn, one.offset, one.event_id, (one.time, one.turn), one.event, one.kept))
        if len(hits) > MAX_FIRED:
            record.replaced.setdefault(one.key, [hit for hit in hits if hit.turn != state.turn])
            del hits[0]
        record.touched.append(one.key)
        asked.update(dict.fromkeys(rules.usage.entries(one.key)))
    follow(record, asked)
    finish(record)
    return record

"""Runs of an entity through an offer: how one begins, completes, exits and expires."""

from __future__ import annotations

from heapq import nsmallest
from operator import attrgetter

from offerflow.rules.asking import Condition
from offerflow.rules.hits import may_be_reversed, may_complete_late
from offerflow.rules.ids import instance_id, output_id
from offerflow.rules.outcomes import OfferEntered, OfferExited
from offerflow.rules.record import Record, prepared_of
from offerflow.rules.rewards import earn
from offerflow.rules.ruleset import Prepared
from offerflow.rules.state import MAX_CLOSED, MAX_KEYS, EntityState, Instance, RewardStatus, Status
from offerflow.rules.views import OfInstance, View

_TURN = attrgetter("turn")
_REASONS = {
    Status.COMPLETED: "completed", Status.EXPIRED: "expired", Status.EXITED: "exit_condition",
    Status.WITHDRAWN: "withdrawn",
}  # fmt: skip


def begin(record: Record, prepared: Prepared, moment: int, via: str, key: str | None, entry: View | None) -> Instance:
    """Enter the offer at ``moment``. ``entry`` is the view that its condition held of, None for a request."""
    offer, state = prepared.offer, record.state
    known = record.offer(offer.id)
    variant = prepared.variant(offer.variant_of(record.entity))
    made = instance_id(offer.id, record.entity, record.cause)
    expires_at = None if offer.expires_after is None else moment + offer.expires_after
    instance = Instance(
        bytes.fromhex(made), offer.id, offer.version, variant.id, moment, record.turn,
        record.horizon if record.late or record.event is None else None,
        expires_at=expires_at, key=key, by_request=entry is None,
        used=known.used if key is None else abs(known.keys.get(key, 0)),
    )  # fmt: skip
    if entry is not None and prepared.entry is not None and prepared.completion(variant.id) == "immediate":
        instance.truths = prepared.entry.truths(entry)
    if expires_at is not None:
        instance.fire_at = max(expires_at, record.received_at) + record.rules.settings.grace
        record.timed = True
    known.entries += 1
    known.open += 1
    state.instances.append(instance)
    record.entered.add(offer.id)
    record.changed(offer.id)
    found = [] if entry is None or prepared.entry is None else prepared.entry.proof(entry, moment)
    evidence, count = record.evidence(found)
    record.announce(
        instance,
        OfferEntered(
            id=output_id("OfferEntered", made), user_id=record.user_id, anonymous_id=record.anonymous_id,
            offer=offer.id, offer_version=offer.version, instance=made, variant=variant.id,
            holdout=variant.id == "holdout", attributes=dict(variant.attributes), entered_at=moment,
            expires_at=expires_at, via=via, ruleset=record.rules.ruleset.hash, evidence=evidence,
        ),
    )  # fmt: skip
    if prepared.completion(variant.id) == "immediate" and _priced(record, prepared, variant.id, prepared.entry):
        earn(record, instance, variant, moment, evidence, count)
        close(record, instance, Status.COMPLETED, moment)
    return instance


def use_up(record: Record, prepared: Prepared, key: str | None, entered: bool) -> None:
    """After a firing: what led to it counts for the next entry no more."""
    if prepared.fresh:
        return
    known = record.offer(prepared.offer.id)
    if prepared.offer.reentry != "per_key":
        known.used = record.turn
    elif key is not None:
        was_in = entered or known.keys.get(key, 0) < 0
        known.keys[key] = -record.turn if was_in else record.turn
        if len(known.keys) > MAX_KEYS:
            _forget_keys(record, prepared, key)


def _forget_keys(record: Record, prepared: Prepared, key: str) -> None:
    """Forget the first of more keys than may be kept, but none whose instance is open or may still pay."""
    state, offer = record.state, prepared.offer.id
    held = {one.key for one in (*state.instances, *state.closed) if one.offer == offer and one.held}
    keys = record.offer(offer).keys
    for one in [one for one in keys if one != key and one not in held][: len(keys) - MAX_KEYS]:
        del keys[one]


def view_of(record: Record, instance: Instance, prepared: Prepared) -> OfInstance:
    state = record.state
    own = prepared.offer.count_entry_event
    return OfInstance(state.leaves, state.traits, state.offers, record.horizon, instance, own)


def ask_completion(record: Record, instance: Instance) -> bool:
    """Complete the instance if its completion holds at one of the record's moments."""
    prepared = prepared_of(record.rules, instance)
    completion = prepared.completion(instance.variant)
    if not isinstance(completion, Condition) or not _priced(record, prepared, instance.variant, completion):
        return False
    view = view_of(record, instance, prepared)
    moment = _first_moment(record, instance, completion, view)
    if moment is None:
        return False
    evidence, count = record.evidence(completion.proof(view, moment))
    instance.truths = completion.truths(view)
    earn(record, instance, prepared.variant(instance.variant), moment, evidence, count)
    close(record, instance, Status.COMPLETED, moment)
    return True


def _priced(record: Record, prepared: Prepared, variant: str, condition: Condition | None) -> bool:
    """Whether the record can say what a completion is worth: a value that is computed wants an event that counts."""
    if variant not in prepared.prices:
        return True
    return record.event is not None and condition is not None and not condition.keys.isdisjoint(record.touched)


def ask_exit(record: Record, instance: Instance) -> bool:
    """End the instance without reward if its exit holds at one of the record's moments."""
    prepared = prepared_of(record.rules, instance)
    if prepared.exit is None:
        return False
    moment = _first_moment(record, instance, prepared.exit, view_of(record, instance, prepared))
    if moment is None:
        return False
    close(record, instance, Status.EXITED, moment)
    return True


def ask_begun(record: Record, instance: Instance) -> None:
    """An entry that came late finds what happened after it, and the entering record itself may count."""
    completion, exit_ = completion_of(record, instance), prepared_of(record.rules, instance).exit
    if instance.status == Status.OPEN and completion is not None and (record.late or touches(record, completion)):
        ask_completion(record, instance)
    if instance.status == Status.OPEN and exit_ is not None and (record.late or touches(record, exit_)):
        ask_exit(record, instance)


def completion_of(record: Record, instance: Instance) -> Condition | None:
    """The condition that completes the instance, if one does."""
    completion = prepared_of(record.rules, instance).completion(instance.variant)
    return completion if isinstance(completion, Condition) else None


def touches(record: Record, condition: Condition | None) -> bool:
    """Whether a condition names something that the record changed."""
    if condition is None:
        return False
    return (
        not condition.keys.isdisjoint(record.touched)
        or not condition.traits.isdisjoint(record.traits)
        or not condition.offers.isdisjoint(record.offers)
    )


def _first_moment(record: Record, instance: Instance, condition: Condition, view: View) -> int | None:
    time, until = record.time, instance.expires_at
    moments = condition.moments(view, time) if record.late else (time,)
    since = instance.entered_at
    return condition.first(view, [one for one in moments if one >= since and (until is None or one <= until)])


def close(record: Record, instance: Instance, status: Status, at: int) -> None:
    """End the instance at ``at``, or complete one that expired before."""
    prepared = prepared_of(record.rules, instance)
    known = record.offer(instance.offer)
    if status == Status.COMPLETED:
        known.completed = True
        instance.completed_at = at
    was_open = instance.status == Status.OPEN
    record.changed(instance.offer)
    instance.fire_at = None
    record.timed = True
    if not was_open:
        return
    instance.status = status
    instance.ended_at = at
    known.open -= 1
    known.ended_at = at if known.ended_at is None else max(known.ended_at, at)
    if instance.key is None:
        known.used = record.turn
    elif instance.key in known.keys:
        known.keys[instance.key] = -record.turn
    record.announce(
        instance,
        OfferExited(
            id=output_id("OfferExited", instance.id.hex()), user_id=record.user_id, anonymous_id=record.anonymous_id,
            offer=prepared.offer.id, instance=instance.id.hex(), variant=instance.variant, reason=_REASONS[status],
            exited_at=at,
        ),
    )  # fmt: skip


def tidy(record: Record) -> None:
    """Keep of closed instances the last of every offer, those whose reward is not over, and no more than may be."""
    state, lateness = record.state, record.rules.lateness
    alive: list[Instance] = []
    over: list[Instance] = []
    for one in state.instances:
        lives = one.status == Status.OPEN or may_complete_late(one, state.clock, lateness)
        (alive if lives else over).append(one)
    if over:
        state.instances = alive
        state.closed = sorted([*state.closed, *over], key=_TURN)
        last = {one.offer: one.turn for one in state.runs()}
        state.closed = [
            one for one in state.closed
            if last[one.offer] == one.turn or (one.reward is not None and one.reward.alive)
        ]  # fmt: skip
    if len(state.closed) + len(state.instances) > MAX_CLOSED:
        _forget_closed(record)


def _forget_closed(record: Record) -> None:
    """Forget the first of more closed instances than may be kept: those that nothing can happen to any more, then those
    that may complete late, then those whose reward is paid, then the others."""
    state, lateness = record.state, record.rules.lateness
    closed = [one for one in (*state.closed, *state.instances) if not one.held]
    if len(closed) <= MAX_CLOSED:
        return
    last = {one.offer: one.turn for one in state.runs()}
    closed = [one for one in closed if last[one.offer] != one.turn]

    def worth(one: Instance) -> tuple[int, int]:
        status = None if one.reward is None else one.reward.status
        if status == RewardStatus.SATISFIED:
            return 3, one.turn
        if status == RewardStatus.FULFILLED and may_be_reversed(one, state.clock, lateness):
            return 2, one.turn
        return (1 if may_complete_late(one, state.clock, lateness) else 0), one.turn

    gone = {id(one) for one in nsmallest(len(closed) - MAX_CLOSED, closed, key=worth)}
    if gone:
        state.closed = [one for one in state.closed if id(one) not in gone]
        state.instances = [one for one in state.instances if id(one) not in gone]


def last_of(state: EntityState, offer: str) -> Instance | None:
    """The instance of the offer that was entered last."""
    found = (
        next((one for one in reversed(some) if one.offer == offer), None) for some in (state.closed, state.instances)
    )
    return max((one for one in found if one is not None), key=lambda one: one.turn, default=None)

"""Rewards from the moment they are earned: pending, satisfied, fulfilled, reversed, expired."""

from __future__ import annotations

from decimal import Decimal

from offerflow.rules.ids import long_id, output_id, short_id
from offerflow.rules.offers import Reward, Variant
from offerflow.rules.outcomes import Evidence, RewardFulfilled, RewardReversed, RewardSatisfied
from offerflow.rules.record import Record, prepared_of
from offerflow.rules.state import Instance, Proof, RewardState, RewardStatus, Status


def reward_id(instance: Instance) -> str:
    """The id under which the reward of an instance is announced."""
    assert instance.reward is not None  # noqa: S101 - the caller looked
    return output_id("RewardSatisfied", instance.id.hex(), instance.reward.id, "user")


def earn(
    record: Record, instance: Instance, variant: Variant, moment: int, evidence: list[Evidence], count: int
) -> None:  # fmt: skip
    """The instance completed at ``moment``."""
    reward = variant.reward
    if reward is None or record.user_id is None:
        return
    state = instance.reward = RewardState(
        reward.id, RewardStatus.PENDING, _value(record, reward),
        None if reward.value is None else reward.value.currency, moment, record.received_at,
        late=instance.status == Status.EXPIRED, evidence_count=count,
    )  # fmt: skip
    if reward.pending is None:
        _satisfy(record, instance, variant, moment, evidence)
        return
    record.rewards.append((reward.id, "pending"))
    state.proofs = [Proof(short_id(one.event_id), one.event, one.time, one.journal_offset) for one in evidence]
    _wait(record, state, moment + reward.pending)


def pending_over(record: Record, instance: Instance) -> None:
    state = instance.reward
    assert state is not None  # noqa: S101 - its timer fired
    assert state.due is not None  # noqa: S101 - its timer fired
    evidence = [
        Evidence(long_id(one.event_id), one.event, one.time, record.partition, one.offset) for one in state.proofs
    ]
    variant = prepared_of(record.rules, instance).variant(instance.variant)
    _satisfy(record, instance, variant, state.due, evidence)


def expired(record: Record, instance: Instance) -> None:
    """Nobody fulfilled it in time."""
    state = instance.reward
    assert state is not None  # noqa: S101 - its timer fired
    assert state.due is not None  # noqa: S101 - its timer fired
    at = state.due
    _end(record, instance, RewardStatus.EXPIRED, "expired", at, [])


def fulfil(record: Record, instance: Instance, by: str) -> None:
    state = instance.reward
    assert state is not None  # noqa: S101 - the caller found it
    assert record.user_id is not None  # noqa: S101 - the caller found it
    state.status, state.due, state.fire_at = RewardStatus.FULFILLED, None, None
    record.timed = True
    record.rewards.append((state.id, "fulfilled"))
    output = RewardFulfilled(
        id=output_id("RewardFulfilled", instance.id.hex(), state.id, "user"), user_id=record.user_id,
        reward_id=reward_id(instance), fulfilled_at=record.time, by=by,
    )  # fmt: skip
    record.announce(instance, output)


def take_back(record: Record, instance: Instance, reason: str) -> None:
    """By refund or by hand. A pending one is gone without a word."""
    evidence = [] if record.proof is None else [record.proof]
    _end(record, instance, RewardStatus.REVERSED, reason, record.time, evidence)


def _end(
    record: Record, instance: Instance, status: RewardStatus, reason: str, at: int, evidence: list[Evidence]
) -> None:  # fmt: skip
    state = instance.reward
    assert state is not None  # noqa: S101 - the caller found it
    assert record.user_id is not None  # noqa: S101 - the caller found it
    pending = state.status == RewardStatus.PENDING
    state.status = RewardStatus.VOID if pending else status
    state.due = state.fire_at = None
    state.proofs = []
    record.timed = True
    record.rewards.append((state.id, state.status.name.lower()))
    if not pending:
        output = RewardReversed(
            id=output_id("RewardReversed", instance.id.hex(), state.id, "user"), user_id=record.user_id,
            reward_id=reward_id(instance), reason=reason, reversed_at=at, evidence=evidence,
        )  # fmt: skip
        record.announce(instance, output)


def _satisfy(record: Record, instance: Instance, variant: Variant, at: int, evidence: list[Evidence]) -> None:
    state, reward = instance.reward, variant.reward
    assert state is not None  # noqa: S101 - earned
    assert reward is not None  # noqa: S101 - earned
    assert record.user_id is not None  # noqa: S101 - earned
    state.status, state.satisfied_at = RewardStatus.SATISFIED, at
    state.due = state.fire_at = None
    state.proofs = []
    record.timed = True
    record.rewards.append((reward.id, "satisfied"))
    if reward.expires_after is not None:
        _wait(record, state, at + reward.expires_after)
    record.announce(
        instance,
        RewardSatisfied(
            id=reward_id(instance), user_id=record.user_id, reward=reward.id, value=state.value,
            currency=state.currency, offer=instance.offer, variant=variant.id, attributes=dict(variant.attributes),
            instance=instance.id.hex(), satisfied_at=at, late=state.late, ruleset=record.rules.ruleset.hash,
            evidence=evidence, evidence_count=state.evidence_count,
        ),
    )  # fmt: skip


def _wait(record: Record, state: RewardState, due: int) -> None:
    state.due = due
    state.fire_at = max(due, state.received_at) + record.rules.settings.grace
    record.timed = True


def _value(record: Record, reward: Reward) -> Decimal | None:
    value = reward.value
    if value is None or value.compute is None:
        return None if value is None else value.amount
    assert record.event is not None  # noqa: S101 - nothing else completes an arm whose value is computed
    return value.compute(record.event)

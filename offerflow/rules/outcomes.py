"""What a decision can say. The fields are those of schemas/outputs, in order; times are milliseconds since 1970."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One event that decided, with its journal coordinates."""

    event_id: str
    event: str
    time: int
    journal_partition: int
    journal_offset: int


class OfferEntered(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    user_id: str | None
    anonymous_id: str | None
    offer: str
    offer_version: str
    instance: str
    variant: str
    holdout: bool = False
    attributes: dict[str, str]
    entered_at: int
    expires_at: int | None = None
    via: str = "event"
    ruleset: str
    evidence: list[Evidence]


class RewardSatisfied(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    user_id: str
    reward: str
    value: Decimal | None
    currency: str | None
    offer: str | None
    referral: str | None = None
    side: str = "user"
    variant: str | None
    attributes: dict[str, str]
    instance: str
    satisfied_at: int
    late: bool = False
    ruleset: str
    evidence: list[Evidence]
    evidence_count: int


class OfferExited(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    user_id: str | None
    anonymous_id: str | None
    offer: str
    instance: str
    variant: str
    reason: str = "completed"
    exited_at: int


class RewardReversed(msgspec.Struct, frozen=True, kw_only=True):
    """``reward_id`` is the id of the RewardSatisfied that it takes back."""

    id: str
    user_id: str
    reward_id: str
    reason: str
    reversed_at: int
    evidence: list[Evidence]


class RewardFulfilled(msgspec.Struct, frozen=True, kw_only=True):
    """``reward_id`` is the id of the RewardSatisfied that was paid out; ``by`` says by whom."""

    id: str
    user_id: str
    reward_id: str
    fulfilled_at: int
    by: str


Output = OfferEntered | RewardSatisfied | RewardFulfilled | RewardReversed | OfferExited


class Refusal(msgspec.Struct, frozen=True):
    """An entry that did not happen, and why; counted, never announced."""

    offer: str
    reason: str


class Verdict(StrEnum):
    """What became of a record. ``FOLDED`` changed the state; ``UNREAD`` left no trace, since no rule reads it;
    ``DUPLICATE``: the same event or fact again, not counted but perhaps remembered; ``CONFLICT``: an id seen before,
    with other content, so the record is a dead letter; ``TOO_LATE``: too far behind its entity's clock."""

    FOLDED = "folded"
    UNREAD = "unread"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    TOO_LATE = "too_late"


class Decision(msgspec.Struct, frozen=True):
    """What folding one record came to. ``outputs`` are in order of announcement; timers of the entity that were due
    may have fired before, so any verdict but ``UNREAD`` may come with outputs. ``changed``: whether the state is
    another than before. ``late``: the event counted although its entity's clock, or a timer, was past it. ``rewards``:
    (id of the reward, state it reached), ``void`` for a pending one that a refund took."""

    verdict: Verdict
    outputs: tuple[Output, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    detail: str = ""
    changed: bool = True
    late: bool = False
    rewards: tuple[tuple[str, str], ...] = ()

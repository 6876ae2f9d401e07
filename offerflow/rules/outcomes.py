"""What a decision can say. The fields are those of schemas/outputs, in order; times are milliseconds since 1970."""

from __future__ import annotations

from decimal import Decimal

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


class Folded(msgspec.Struct, frozen=True):
    """The event changed the state. ``outputs`` are in order of announcement."""

    outputs: tuple[Output, ...] = ()
    refusals: tuple[Refusal, ...] = ()


class Unread(msgspec.Struct, frozen=True):
    """No live rule reads the event; the state is as before."""


class Duplicate(msgspec.Struct, frozen=True):
    """The same event or the same fact again: not counted. A new id of a known fact is remembered all the same."""


class Conflict(msgspec.Struct, frozen=True):
    """An event id seen before, with other content; the state is as before and the record is a dead letter."""

    detail: str


Verdict = Folded | Unread | Duplicate | Conflict
"""What ``decide`` makes of one event: exactly one of these."""

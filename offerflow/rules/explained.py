"""What an explanation says of an offer: its conditions as trees, rewards, refusals. Times are milliseconds."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec


class Status(StrEnum):
    """Where a user stands with an offer. ``HELD_OUT``: in, measured and never rewarded; ``REFUSED``: never in, and an
    entry was refused."""

    NOT_IN = "not in"
    IN = "in"
    HELD_OUT = "held out"
    COMPLETED = "completed"
    EXPIRED = "expired"
    EXITED = "exited"
    REFUSED = "refused"


class NodeExplained(msgspec.Struct, frozen=True):
    """A node of a condition. ``text``: what it asks. ``progress``: how far it is, such as ``2 of 3`` or ``step 1 of
    3``; ``value`` is the measured number. ``missing``: what would make it true, in words, where it is not.
    ``evidence``: ids of the events that count, newest last, at most 100 of ``evidence_count``."""

    kind: str
    holds: bool
    text: str = ""
    progress: str | None = None
    value: Decimal | int | None = None
    missing: str | None = None
    evidence: list[str] = []
    evidence_count: int = 0
    nodes: list[NodeExplained] = []


class RefusalExplained(msgspec.Struct, frozen=True):
    """An entry that did not happen: why, when, and on which event."""

    reason: str
    at: int
    event_id: str


class RewardExplained(msgspec.Struct, frozen=True):
    """``id`` is that of RewardSatisfied, also while it is pending. ``next_at``: when a pending reward is announced or
    a satisfied one expires, None if time changes nothing."""

    id: str
    reward: str
    state: str
    value: Decimal | None
    currency: str | None
    next_at: int | None


class InstanceExplained(msgspec.Struct, frozen=True, kw_only=True):
    """One run through the offer, under the definition ``version``. ``completion`` and ``exit`` are the trees as this
    run counts them, None where nothing completes or ends it."""

    id: str
    version: str
    status: Status
    variant: str
    holdout: bool
    attributes: dict[str, str]
    entered_at: int
    expires_at: int | None
    ended_at: int | None
    key: str | None = None
    completion: NodeExplained | None = None
    exit: NodeExplained | None = None
    rewards: list[RewardExplained] = []


class OfferExplained(msgspec.Struct, frozen=True, kw_only=True):
    """One offer and one user. ``instances``: newest last. ``entry`` and ``audience``: the trees as they are now.
    ``ways``: ``event``, ``code``, ``api``. ``refusal``: why an entry at this moment would be refused, None if it would
    not; of an offer per key, why one with a new key would be. ``missing``: what is between the user and the next thing
    they could get, in words. ``forgotten``: how many runs are over of which nothing is kept any more."""

    offer: str
    version: str
    status: Status
    ways: list[str]
    entry: NodeExplained | None
    audience: NodeExplained | None
    refusal: str | None
    missing: list[str]
    instances: list[InstanceExplained]
    refusals: list[RefusalExplained]
    forgotten: int = 0

"""Offers ready to run: what the compiler makes of their definitions. Times and durations are milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from offerflow.rules.conditions import Node
from offerflow.rules.events import Event
from offerflow.rules.ids import fraction

HOLDOUT = "holdout"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Value:
    """What a reward is worth: ``amount``, or what ``compute`` makes of the earning event (already held at the bounds
    and rounded to the minor unit of ``currency``; raises ValueError where it has no result)."""

    currency: str
    amount: Decimal | None = None
    compute: Callable[[Event], Decimal] | None = None
    reads: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reward:
    id: str
    value: Value | None
    pending: int | None = None
    expires_after: int | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """``completion`` is the variant's own or the offer's; None where nothing completes, ``"immediate"`` at entry."""

    id: str
    weight: int
    attributes: Mapping[str, str]
    reward: Reward | None
    completion: Node | Literal["immediate"] | None


@dataclass(frozen=True, slots=True)
class Entry:
    """The ways in; at least one is there. ``code`` is in upper case."""

    condition: Node | None
    code: str | None
    api: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """``version`` names its content, conditions included. ``rank``: how many offers deep it depends on others by
    ``in_offer`` and ``completed_offer``, so that those are entered first. ``holdout`` is a share in 1/10,000.
    ``holdout_completion``: the offer's own completion, which the holdout is measured by."""

    id: str
    version: str
    entry: Entry
    audience: Node | None
    exit: Node | None
    variants: tuple[Variant, ...]
    completion: Node | Literal["immediate"] | None
    paused: bool = False
    withdrawn: bool = False
    count_entry_event: bool = False
    expires_after: int | None = None
    reentry: Literal["never", "after_expiry", "after_completion", "per_key"] = "never"
    key: str | None = None
    """The property of the entering event by which ``per_key`` tells entries apart."""
    cooldown: int | None = None
    per_user: int | None = None
    group: str | None = None
    priority: int = 0
    starts: int | None = None
    ends: int | None = None
    holdout: int = 0
    rank: int = 0

    def variant_of(self, entity: str) -> str:
        """Id of the arm, ``holdout`` included. Sticky: the same entity always gets the same one while shares and
        weights stay."""
        if self.holdout and fraction(HOLDOUT, self.id, entity) * 10_000 >> 64 < self.holdout:
            return HOLDOUT
        point = fraction("variant", self.id, entity) * sum(v.weight for v in self.variants) >> 64
        for variant in self.variants:
            point -= variant.weight
            if point < 0:
                return variant.id
        raise AssertionError("the point lies below the sum of the weights")

    def variant(self, variant_id: str) -> Variant:
        """The arm of that id; for ``holdout`` one without reward and with the offer's completion."""
        if variant_id == HOLDOUT:
            return Variant(HOLDOUT, 0, {}, None, self.completion)
        return next(variant for variant in self.variants if variant.id == variant_id)

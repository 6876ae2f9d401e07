"""Runs of a user through offers, and what they earned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from tests.oracle.expression import amount
from tests.oracle.model import Placed
from tests.oracle.rules.ask import View
from tests.oracle.rules.force import Completion, Offer
from tests.oracle.rules.tree import Node
from tests.oracle.rules.written import MINOR_UNITS, duration, money, number


class RuleError(Exception):
    """A rule has no result for this record."""


@dataclass
class Reward:
    """``state``: pending, satisfied, fulfilled, reversed, expired, or gone before it was announced."""

    raw: Mapping[str, Any]
    id: str
    value: Decimal | None
    currency: str | None
    state: str
    at: int
    received_at: int
    late: bool
    proof: Mapping[str, Any] = field(default_factory=dict)
    fire_at: int = 0

    @property
    def due(self) -> int | None:
        """When its next timer is due."""
        if self.state == "pending":
            return self.at
        if self.state == "satisfied" and "expires_after" in self.raw:
            return self.at + duration(self.raw["expires_after"])
        return None

    @property
    def standing(self) -> bool:
        """Whether it may still be taken back by a refund."""
        return self.state in ("pending", "satisfied", "fulfilled")


@dataclass
class Instance:
    """``seq`` and ``offset`` are the entering record's; ``floor`` is how old a hit from before it may be; ``seen`` are
    the entry's hits with which it began; ``then`` is what else there was to ask when it was completed."""

    offer: Offer
    id: str
    key: Any
    variant: Mapping[str, Any]
    entered_at: int
    offset: int
    seq: int
    floor: int
    expires_at: int | None
    expires_fire: int
    seen: View
    exited: str = ""
    exited_at: int = 0
    completed_at: int | None = None
    reward: Reward | None = None
    then: View | None = None

    @property
    def open(self) -> bool:
        return not self.exited

    @property
    def completion(self) -> Completion:
        return self.offer.completions[self.variant["id"]]

    @property
    def by_expression(self) -> bool:
        """Whether the reward's value depends on the event that completes."""
        return isinstance((self.variant.get("reward") or {}).get("value"), Mapping)

    @property
    def asked(self) -> Node | None:
        """The completion where it is a condition."""
        return None if self.completion == "immediate" else self.completion  # type: ignore[return-value]


def value_of(reward: Mapping[str, Any], placed: Placed | None) -> tuple[Decimal | None, str | None]:
    """What a reward is worth, and in what. Raises RuleError without a result."""
    said = reward.get("value")
    if said is None:
        return None, None
    if isinstance(said, str):
        return money(said)
    found = amount(said["expr"], placed.event.properties if placed else {})
    if found is None:
        raise RuleError(f"{said['expr']} has no result")
    found = max(found, number(said.get("min", 0)))
    if "max" in said:
        found = min(found, number(said["max"]))
    places = MINOR_UNITS[said["currency"]]
    return found.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN), said["currency"]

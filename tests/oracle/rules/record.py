"""Something that happens to an entity, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.oracle.model import Output, Placed
from tests.oracle.rules.ask import Slot, View

ANNOUNCED = ("OfferEntered", "RewardSatisfied", "RewardFulfilled", "RewardReversed", "OfferExited")


@dataclass
class Outcome:
    """What became of a record. ``refusals``: (offer, reason); ``rewards``: (reward id, state reached)."""

    verdict: str
    outputs: list[Output] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Record:
    """Something that happens: an event, a request, or the firing of a timer. ``moved`` are offers that were entered,
    ended or completed by it, in order."""

    time: int
    offset: int
    seq: int
    cause: str
    before: View
    placed: Placed | None = None
    received_at: int = 0
    added: set[Slot] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    moved: list[str] = field(default_factory=list)
    outputs: list[tuple[Any, Output]] = field(default_factory=list)
    refusals: list[tuple[str, str]] = field(default_factory=list)
    entered: set[str] = field(default_factory=set)
    asked: dict[tuple[str, str], int] = field(default_factory=dict)

"""Conditions ready to be asked: trees of leaves and groups, compiled once from their definitions.

What each of them means is in docs/rules.md. Times and durations are milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from offerflow.rules.events import Event
from offerflow.rules.expressions import Test

Getter = Callable[[Event], Any]
"""The value of a property, None if it is missing or of another type than the measure wants."""

ANY_EVENT = "*"
MeasureKind = Literal["count", "sum", "min", "max", "average", "distinct", "days", "streak", "gap"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a measure compares with; all that are given must hold. For ``gap`` they are milliseconds."""

    at_least: Decimal | int | None = None
    more_than: Decimal | int | None = None
    at_most: Decimal | int | None = None
    less_than: Decimal | int | None = None
    exactly: Decimal | int | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """``zone`` for days and streaks."""

    kind: MeasureKind
    bounds: Bounds
    zone: ZoneInfo | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Which hits count. ``since_entry``: only those after the instance began (completion and exit); ``within``:
    rolling; ``start`` and ``end``: fixed, inclusive."""

    since_entry: bool = False
    within: int | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """Events of one type (or any, ``*``) that pass ``test``, measured. ``key`` is a hash of everything the leaf says.
    ``value`` gives what is measured, or correlated by ``same``; None where events alone count. ``reads``: properties
    that ``test`` and ``value`` look at. ``text`` is the leaf for people; ``reversible``: a refund may take hits out."""

    key: int
    event_type: str
    event_name: str
    test: Test | None
    value: Getter | None
    measure: Measure
    window: Window
    reads: frozenset[str]
    max_hits: int
    text: str
    reversible: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """Hits of ``steps`` in order. Each step's ``value`` is that of ``same``, or None."""

    key: int
    steps: tuple[Leaf, ...]
    within: int | None
    since_entry: bool
    text: str


@dataclass(frozen=True, slots=True)
class Absent:
    """No hit of ``event`` within ``within`` after one of ``after``; ``value`` of both is that of ``same``, or None.
    ``key`` is also that of the hits its timers make."""

    key: int
    event: Leaf
    after: Leaf
    within: int
    since_entry: bool
    text: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A test of the traits ``reads``."""

    test: Callable[[Mapping[str, Any]], bool]
    reads: frozenset[str]
    text: str


@dataclass(frozen=True, slots=True)
class InOffer:
    offer: str
    text: str


@dataclass(frozen=True, slots=True)
class CompletedOffer:
    offer: str
    text: str


@dataclass(frozen=True, slots=True)
class Group:
    """``all``, ``any`` or ``none`` of ``nodes``. ``name``: the named condition this stands for, if it is one."""

    kind: Literal["all", "any", "none"]
    nodes: tuple[Node, ...]


Node = Leaf | Sequence | Absent | Profile | InOffer | CompletedOffer | Group

"""Conditions with everything spelled out: references followed, defaults filled in, times in milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from tests.oracle.expression import names
from tests.oracle.rules.written import duration, moment, number
from tests.oracle.workspace import Workspace

MEASURES = ("count", "sum", "min", "max", "average", "distinct", "days", "streak", "gap")
COMPARISONS = ("at_least", "more_than", "at_most", "less_than", "exactly")
MAX_HITS = 1000


@dataclass(frozen=True)
class Asked:
    """Events of a type (its record name, or ``*``) that pass ``where``."""

    event: str
    where: str | None


@dataclass(frozen=True)
class Leaf:
    asked: Asked
    measure: str
    of: str | None
    bounds: tuple[tuple[str, Decimal], ...]
    within: int | None
    start: int | None
    end: int | None
    since_entry: bool
    zone: str | None
    max_hits: int
    by: str | None

    @cached_property
    def key(self) -> str:
        return repr(self)


@dataclass(frozen=True)
class Sequence:
    steps: tuple[Asked, ...]
    within: int | None
    same: str | None
    since_entry: bool
    by: str | None

    @cached_property
    def key(self) -> str:
        return repr(self)


@dataclass(frozen=True)
class Absent:
    event: Asked
    after: Asked
    within: int
    same: str | None
    since_entry: bool
    by: str | None

    @cached_property
    def key(self) -> str:
        return repr(self)


@dataclass(frozen=True)
class Profile:
    text: str

    @property
    def reads(self) -> frozenset[str]:
        return names(self.text)


@dataclass(frozen=True)
class InOffer:
    offer: str


@dataclass(frozen=True)
class Completed:
    offer: str


@dataclass(frozen=True)
class Group:
    kind: str
    nodes: tuple[Node, ...]


Node = Leaf | Sequence | Absent | Profile | InOffer | Completed | Group
Counting = Leaf | Sequence | Absent


def resolve(condition: Any, plan: Workspace, zone: str, since_entry: bool, by: str | None = None) -> Node:
    """``zone`` is the offer's timezone; ``since_entry``: the condition stands in a completion or an exit; ``by``: it is
    an entry that may fire again, for each value of that property if it is not empty."""
    if "condition" in condition:
        return resolve(plan.conditions[condition["condition"]], plan, zone, since_entry, by)
    for kind in ("all", "any", "none"):
        if kind in condition:
            return Group(kind, tuple(resolve(one, plan, zone, since_entry, by) for one in condition[kind]))
    if "profile" in condition:
        return Profile(condition["profile"])
    if "in_offer" in condition:
        return InOffer(condition["in_offer"])
    if "completed_offer" in condition:
        return Completed(condition["completed_offer"])
    since_entry = condition.get("since", "entry" if since_entry else "ever") == "entry"
    within = duration(condition["within"]) if "within" in condition else None
    if "sequence" in condition:
        steps = tuple(_asked(one, plan) for one in condition["sequence"])
        return Sequence(steps, within, condition.get("same"), since_entry, by)
    if "absent" in condition:
        assert within is not None
        event, after = _asked(condition["absent"], plan), _asked(condition["after"], plan)
        return Absent(event, after, within, condition.get("same"), since_entry, by)
    return _leaf(condition, plan, zone, within, since_entry, by)


def _asked(condition: Any, plan: Workspace) -> Asked:
    given = {"event": condition} if isinstance(condition, str) else condition
    return Asked("*" if given["event"] == "*" else plan.types[given["event"]].name, given.get("where"))


def _leaf(condition: Any, plan: Workspace, zone: str, within: int | None, since_entry: bool, by: str | None) -> Leaf:
    measure = next((one for one in MEASURES if one in condition), "count")
    said = condition.get(measure) or {"at_least": 1}
    read = duration if measure == "gap" else number
    bounds = tuple((word, Decimal(read(said[word]))) for word in COMPARISONS if word in said)
    return Leaf(
        _asked(condition, plan), measure, said.get("of"), bounds, within,
        moment(condition["from"], zone) if "from" in condition else None,
        moment(condition["to"], zone, end=True) if "to" in condition else None,
        since_entry, zone if measure in ("days", "streak") else None, condition.get("max_hits", MAX_HITS), by,
    )  # fmt: skip


def every(node: Node | None, negated: bool = True) -> Iterator[Node]:
    """All ends of the tree; without those below ``none`` unless ``negated``."""
    if isinstance(node, Group):
        for one in node.nodes if negated or node.kind != "none" else ():
            yield from every(one, negated)
    elif node is not None:
        yield node


def counting(node: Node | None, negated: bool = True) -> list[Counting]:
    """Those ends that have hits."""
    return [one for one in every(node, negated) if isinstance(one, Leaf | Sequence | Absent)]


def traits(node: Node | None) -> set[str]:
    return {name for one in every(node) if isinstance(one, Profile) for name in one.reads}


def offers_named(node: Node | None) -> set[str]:
    return {one.offer for one in every(node) if isinstance(one, InOffer | Completed)}

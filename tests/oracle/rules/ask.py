"""Whether a condition holds at a moment of the hits that are there: nothing is kept, everything is counted again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.oracle.expression import holds
from tests.oracle.model import Placed
from tests.oracle.rules.tree import Completed, Counting, Group, InOffer, Leaf, Node, Profile, Sequence, counting
from tests.oracle.rules.written import day_of

Slot = tuple[str, Any]
"""Where hits are: the key of a leaf, and which of its parts (step of a sequence; ``fired`` of an absence)."""


@dataclass(frozen=True)
class Hit:
    """``placed`` is the event, A for an absence. ``offset`` is that of the record that was folded, ``seq`` counts
    what was folded of the entity; ``start`` and ``start_seq`` are order and ``seq`` of A."""

    placed: Placed
    time: int
    offset: int
    seq: int
    start: tuple[int, int]
    start_seq: int

    @property
    def order(self) -> tuple[int, int]:
        return self.time, self.offset

    def get(self, name: str) -> Any:
        return self.placed.event.properties.get(name)


@dataclass(frozen=True)
class View:
    """What there is to ask."""

    hits: Mapping[Slot, tuple[Hit, ...]]
    traits: Mapping[str, Any] = field(default_factory=dict)
    inside: frozenset[str] = frozenset()
    completed: frozenset[str] = frozenset()


Counts = Callable[[Counting, Hit], bool]
"""Whether a hit of a leaf counts for who asks."""


def slots(leaf: Counting) -> list[Slot]:
    if isinstance(leaf, Sequence):
        return [(leaf.key, at) for at in range(len(leaf.steps))]
    return [(leaf.key, "" if isinstance(leaf, Leaf) else "fired")]


def true(node: Node, at: int, view: View, counts: Counts) -> bool:
    """Whether the condition holds at the moment ``at``."""
    if isinstance(node, Group):
        found = [true(one, at, view, counts) for one in node.nodes]
        return all(found) if node.kind == "all" else any(found) == (node.kind == "any")
    if isinstance(node, Profile):
        return holds(node.text, view.traits)
    if isinstance(node, InOffer):
        return node.offer in view.inside
    if isinstance(node, Completed):
        return node.offer in view.completed
    there = [[hit for hit in view.hits.get(slot, ()) if hit.time <= at and counts(node, hit)] for slot in slots(node)]
    if isinstance(node, Leaf):
        return _measured(node, at, [hit for hit in there[0] if _in_window(node, at, hit)])
    if isinstance(node, Sequence):
        return next(_runs(node, there), None) is not None
    return bool(there[0])


def _in_window(leaf: Leaf, at: int, hit: Hit) -> bool:
    return (
        (leaf.within is None or hit.time >= at - leaf.within)
        and (leaf.start is None or hit.time >= leaf.start)
        and (leaf.end is None or hit.time <= leaf.end)
    )


def _runs(leaf: Sequence, there: list[list[Hit]], begun: tuple[Hit, ...] = ()) -> Iterator[tuple[Hit, ...]]:
    """Every way to go through the steps."""
    if len(begun) == len(there):
        yield begun
        return
    for hit in there[len(begun)]:
        if begun and hit.order <= begun[-1].order:
            continue
        if begun and leaf.within is not None and hit.time - begun[0].time > leaf.within:
            continue
        if leaf.same is not None and hit.get(leaf.same) is None:
            continue
        if begun and leaf.same is not None and not same(hit.get(leaf.same), begun[0].get(leaf.same)):
            continue
        yield from _runs(leaf, there, (*begun, hit))


def same(left: Any, right: Any) -> bool:
    """Whether two property values are one: a truth is no number."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _measured(leaf: Leaf, at: int, hits: list[Hit]) -> bool:
    if leaf.measure == "gap":
        return bool(hits)
    value = _value(leaf, at, hits)
    return value is not None and all(compares(word, value, bound) for word, bound in leaf.bounds)


def compares(word: str, value: Fraction | int, bound: Decimal) -> bool:
    limit = Fraction(bound)
    return {"at_least": value >= limit, "more_than": value > limit, "at_most": value <= limit,
            "less_than": value < limit, "exactly": value == limit}[word]  # fmt: skip


def _value(leaf: Leaf, at: int, hits: list[Hit]) -> Fraction | int | None:
    if leaf.measure == "count":
        return len(hits)
    if leaf.measure in ("days", "streak"):
        assert leaf.zone is not None
        days = {day_of(hit.time, leaf.zone) for hit in hits}
        return len(days) if leaf.measure == "days" else _streak(days, day_of(at, leaf.zone))
    assert leaf.of is not None
    found = [hit.get(leaf.of) for hit in hits]
    if leaf.measure == "distinct":
        return len({(isinstance(one, bool), one) for one in found})
    numbers = [Fraction(Decimal(repr(one)) if isinstance(one, float) else one) for one in found]
    if leaf.measure == "sum":
        return sum(numbers, Fraction(0))
    if not numbers:
        return None
    return {"min": min(numbers), "max": max(numbers), "average": sum(numbers, Fraction(0)) / len(numbers)}[leaf.measure]


def _streak(days: set[int], today: int) -> int:
    last = max(days, default=None)
    if last is None or last < today - 1:
        return 0
    return next(n for n in range(1, len(days) + 2) if last - n not in days)


def moments(node: Node, time: int, clock: int | None, view: View, counts: Counts) -> list[int]:
    """When a condition is asked for a record at ``time``: then, and if that is behind the clock, at later hits."""
    later = {hit.time for leaf, hit in hits_of(node, view, counts) if hit.time > time}
    return sorted({time} | (later if clock is not None and time < clock else set()))


def hits_of(node: Node, view: View, counts: Counts, negated: bool = True) -> Iterator[tuple[Counting, Hit]]:
    """The hits of the condition's leaves that count."""
    for leaf in counting(node, negated):
        for slot in slots(leaf):
            yield from ((leaf, hit) for hit in view.hits.get(slot, ()) if counts(leaf, hit))


def evidence(node: Node, at: int, view: View, counts: Counts) -> Iterator[Hit]:
    """What may prove the condition at a moment: hits in the windows of leaves that hold, none below ``none``."""
    if isinstance(node, Group):
        for one in node.nodes if node.kind != "none" else ():
            yield from evidence(one, at, view, counts)
    elif not isinstance(node, Profile | InOffer | Completed) and true(node, at, view, counts):
        for _, hit in hits_of(node, view, counts):
            if hit.time <= at and (not isinstance(node, Leaf) or _in_window(node, at, hit)):
                yield hit


def provable(node: Node, negated: bool = False) -> bool:
    """Whether evidence can show it: below ``none`` there is nothing that fewer hits could make true."""
    if isinstance(node, Group):
        negates = node.kind == "none"
        return not (negates and negated) and all(provable(one, negated or negates) for one in node.nodes)
    if not negated or not isinstance(node, Leaf):
        return True
    upwards = {word for word, _ in node.bounds} <= {"at_least", "more_than"}
    return upwards and node.measure not in ("min", "max", "average")


def only(view: View, ids: Iterable[str]) -> View:
    """The same with no other hits than those of some events."""
    kept = set(ids)
    left = {slot: tuple(hit for hit in hits if hit.placed.event.event_id in kept) for slot, hits in view.hits.items()}
    return View(left, view.traits, view.inside, view.completed)

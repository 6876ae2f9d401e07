"""Conditions made ready to be asked: whether one holds of a view at a moment, and what proves it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress, count

from offerflow.rules.conditions import (
    Absent,
    CompletedOffer,
    Group,
    InOffer,
    Leaf,
    Node,
    Profile,
)
from offerflow.rules.conditions import Sequence as Steps
from offerflow.rules.measures import holds_of
from offerflow.rules.running import Answers, running
from offerflow.rules.sequences import chain
from offerflow.rules.state import Hit
from offerflow.rules.views import TIME, Sight

Holds = Callable[[Sight, int], bool]
Found = tuple[Hit, str]
"""A hit and the display name of its event."""


class Condition:
    """A node ready to be asked. ``holds(view, at)`` asks it at a moment. ``keys``: its own leaves, whose hits are its
    moments: event leaves, steps of sequences, absences. ``traits`` and ``offers``: what else it names."""

    __slots__ = ("_answers", "_besides", "_owned", "holds", "keys", "node", "offers", "recorded", "traits")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.holds: Holds = _holds(node, count())
        self._answers: Answers = _answering(node, count())
        nodes = list(walk(node))
        self._besides = [_holds(one, count()) for one in nodes if isinstance(one, Profile | InOffer | CompletedOffer)]
        self._owned = _owned(nodes)
        self.keys = frozenset(self._owned)
        self.recorded = self.keys | {leaf.key for leaf in leaves_of([node])}
        self.traits = frozenset[str]().union(*(one.reads for one in nodes if isinstance(one, Profile)))
        self.offers = frozenset(one.offer for one in nodes if isinstance(one, InOffer | CompletedOffer))

    def hits(self, view: Sight) -> Iterator[Hit]:
        """The hits of its own leaves that count in ``view``, whatever windows say."""
        for key, (since_entry, within, absent) in self._owned.items():
            found = view.absences(key, since_entry) if absent else view.hits(key, since_entry)
            if within is None:
                yield from found
            else:
                yield from (hit for hit in found if hit.time >= view.horizon - within)

    def moments(self, view: Sight, time: int) -> list[int]:
        """``time``, and the times of later hits, in order."""
        return [time, *sorted({hit.time for hit in self.hits(view) if hit.time > time})]

    def first(self, view: Sight, moments: Sequence[int]) -> int | None:
        """The first of ``moments``, which are in order, at which it holds; None if it holds at none."""
        if len(moments) == 1:
            return moments[0] if self.holds(view, moments[0]) else None
        if not moments:
            return None
        return next(compress(moments, self._answers(view, moments)), None)

    def truths(self, view: Sight) -> int:
        """What is true besides hits, as the bits of a number: profile and offers, in the order of the tree. A view that
        has it asks the condition as if that still were so."""
        return sum(1 << number for number, holds in enumerate(self._besides) if holds(view, 0))

    def proof(self, view: Sight, at: int) -> list[Found]:
        """The hits that make it hold; absence proves without evidence."""
        return list(_proof(self.node, view, at))


def walk(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Group):
        for one in node.nodes:
            yield from walk(one)


def needed(node: Node) -> Iterator[Leaf]:
    """Leaves without which the condition cannot hold."""
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, Group) and (node.kind == "all" or (node.kind == "any" and len(node.nodes) == 1)):
        for one in node.nodes:
            yield from needed(one)


def leaves_of(nodes: Iterable[Node]) -> Iterator[Leaf]:
    """Every leaf that is recorded for these conditions: those of sequences and the events to be absent too."""
    for root in nodes:
        for node in walk(root):
            if isinstance(node, Leaf):
                yield node
            elif isinstance(node, Steps):
                yield from node.steps
            elif isinstance(node, Absent):
                yield node.event


def selected(view: Sight, leaf: Leaf, at: int) -> Sequence[Hit]:
    """The hits that ``leaf`` looks at, at the moment ``at``: those of its window, in order."""
    window = leaf.window
    hits = view.hits(leaf.key, window.since_entry)
    if not hits:
        return hits
    end = len(hits)
    last = at if window.end is None or at < window.end else window.end
    if hits[-1].time > last:
        end = bisect_right(hits, last, key=TIME)
    first = window.start
    if window.within is not None:
        rolling = (at if window.since_entry else max(at, view.horizon)) - window.within
        first = rolling if first is None or rolling > first else first
    start = 0
    if first is not None and hits[0].time < first:
        start = bisect_left(hits, first, hi=end, key=TIME)
    return hits if not start and end == len(hits) else hits[start:end]


def _owned(nodes: Iterable[Node]) -> dict[int, tuple[bool, int | None, bool]]:
    """By key: whether it counts since the entry, the rolling window after which hits are forgotten, and whether it is
    an absence."""
    owned: dict[int, tuple[bool, int | None, bool]] = {}
    for node in nodes:
        if isinstance(node, Leaf):
            window = node.window
            owned[node.key] = (window.since_entry, None if window.since_entry else window.within, False)
        elif isinstance(node, Steps):
            owned |= {step.key: (node.since_entry, None, False) for step in node.steps}
        elif isinstance(node, Absent):
            owned[node.key] = (node.since_entry, None, True)
    return owned


def _holds(node: Node, numbers: Iterator[int]) -> Holds:
    """``numbers``: of what is no hit, in the order of the tree."""
    match node:
        case Leaf():
            return _leaf(node)
        case Steps():
            return lambda view, at: chain(node, view, at) is not None
        case Absent(key=key, since_entry=since_entry):
            return lambda view, at: any(hit.time <= at for hit in view.absences(key, since_entry))
        case Profile(test=test):
            return _besides(lambda view: test(view.traits), next(numbers))
        case InOffer(offer=offer):
            return _besides(lambda view: view.inside(offer), next(numbers))
        case CompletedOffer(offer=offer):
            return _besides(lambda view: view.completed(offer), next(numbers))
        case Group():
            return _group(node, numbers)


def _besides(now: Callable[[Sight], bool], number: int) -> Holds:
    def holds(view: Sight, at: int) -> bool:
        truths = view.truths
        return now(view) if truths is None else bool(truths >> number & 1)

    return holds


def _group(group: Group, numbers: Iterator[int]) -> Holds:
    parts = tuple(_holds(node, numbers) for node in group.nodes)
    if len(parts) == 1 and group.kind != "none":
        return parts[0]
    stop = group.kind != "all"
    found = group.kind == "any"

    def holds(view: Sight, at: int) -> bool:
        for part in parts:
            if part(view, at) is stop:
                return found
        return not found

    return holds


def _answering(node: Node, numbers: Iterator[int]) -> Answers:
    """The same as ``_holds`` for many moments in order."""
    match node:
        case Leaf():
            return running(node)
        case Steps():
            return lambda view, moments: _from(_complete(node, view, moments[-1]), moments)
        case Absent(key=key, since_entry=since_entry):
            return lambda view, moments: _from(
                min((hit.time for hit in view.absences(key, since_entry)), default=None), moments
            )
        case Group():
            return _answering_group(node, numbers)
    holds = _holds(node, numbers)
    return lambda view, moments: [holds(view, moments[0])] * len(moments)


def _answering_group(group: Group, numbers: Iterator[int]) -> Answers:
    parts = tuple(_answering(node, numbers) for node in group.nodes)
    every, wanted = (all if group.kind == "all" else any), group.kind != "none"

    def answers(view: Sight, moments: Sequence[int]) -> list[bool]:
        said = [part(view, moments) for part in parts]
        return [every(one) is wanted for one in zip(*said, strict=True)]

    return answers


def _complete(steps: Steps, view: Sight, at: int) -> int | None:
    """When the first chain is complete: from then on there is one."""
    found = chain(steps, view, at)
    return None if found is None else found[-1][0].time


def _from(first: int | None, moments: Sequence[int]) -> list[bool]:
    return [first is not None and at >= first for at in moments]


def _leaf(leaf: Leaf) -> Holds:
    measure = holds_of(leaf)
    least = count_alone(leaf)
    if least is None:
        return lambda view, at: measure(selected(view, leaf, at), at)
    key, within = leaf.key, leaf.window.within

    def holds(view: Sight, at: int) -> bool:
        # All hits lie before the moment unless something came late, so the newest few say enough.
        hits = view.leaves.get(key)
        if hits is None or len(hits) < least:
            return False
        if hits[-1].time > at or not view.plain:
            return len(selected(view, leaf, at)) >= least
        return within is None or hits[-least].time >= max(at, view.horizon) - within

    return holds


def count_alone(leaf: Leaf) -> int | None:
    """The number of a leaf that only asks for at least so many, in no fixed window."""
    bounds, window = leaf.measure.bounds, leaf.window
    alone = bounds.more_than is bounds.at_most is bounds.less_than is bounds.exactly is None
    if leaf.measure.kind != "count" or not alone or window.start is not None or window.end is not None:
        return None
    least = bounds.at_least
    return least if isinstance(least, int) and least > 0 else None


def _proof(node: Node, view: Sight, at: int) -> Iterator[Found]:
    match node:
        case Leaf():
            yield from ((hit, hit.event or node.event_name) for hit in selected(view, node, at))
        case Steps():
            yield from chain(node, view, at) or ()
        case Absent():
            name = node.after.event_name
            found = view.absences(node.key, node.since_entry)
            yield from ((hit, hit.event or name) for hit in found if hit.time <= at)
        case Group(kind="all"):
            for one in node.nodes:
                yield from _proof(one, view, at)
        case Group(kind="any"):
            for one in node.nodes:
                if _holds(one, count())(view, at):
                    yield from _proof(one, view, at)

"""What can be said of a compiled condition without any events: whether nobody's doing makes it true, what is in it."""

from __future__ import annotations

from collections.abc import Iterator

from offerflow.rules.compiling.measures import satisfied
from offerflow.rules.conditions import Absent, CompletedOffer, Group, InOffer, Leaf, Node, Profile, Sequence


def holds_of_nothing(node: Node) -> bool:
    """Whether it is true of a user who never did anything."""
    match node:
        case Leaf(measure=measure):
            return measure.kind in ("count", "sum", "distinct", "days", "streak") and satisfied(measure.bounds, 0)
        case Profile(test=test):
            return test({})
        case Group(kind=kind, nodes=nodes):
            held = [holds_of_nothing(one) for one in nodes]
            return {"all": all(held), "any": any(held), "none": not any(held)}[kind]
    return False


def needs_event(node: Node) -> bool:
    """Whether it holds only of somebody with a hit of one of its leaves."""
    match node:
        case Leaf():
            return not holds_of_nothing(node)
        case Sequence():
            return True
        case Group(kind="all", nodes=nodes):
            return any(needs_event(one) for one in nodes)
        case Group(kind="any", nodes=nodes):
            return all(needs_event(one) for one in nodes)
    return False


def parts(node: Node | None) -> Iterator[Node]:
    """A condition and everything in it."""
    todo = [node] if node is not None else []
    while todo:
        one = todo.pop()
        yield one
        if isinstance(one, Group):
            todo += one.nodes


def leaves(node: Node | None) -> Iterator[Leaf]:
    """Whatever in it is about events, the steps of sequences and absences too."""
    for one in parts(node):
        if isinstance(one, Leaf):
            yield one
        elif isinstance(one, Sequence):
            yield from one.steps
        elif isinstance(one, Absent):
            yield from (one.event, one.after)


def offers_named(node: Node | None) -> set[str]:
    """Offers that ``in_offer`` and ``completed_offer`` name."""
    return {one.offer for one in parts(node) if isinstance(one, InOffer | CompletedOffer)}

"""Conditions as trees of nodes that ask the hits of their leaves. Compiled once, asked per event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from offerflow.rules.expressions import Test
from offerflow.rules.state import LeafState

Hits = Mapping[int, LeafState]
"""The hits a condition is asked of: leaf key to its state. Leaves without hits are absent."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """``at_least`` events of one type that pass ``test``. ``key`` is a hash of what is counted, so that two
    conditions that count the same share one state. ``reads`` are the properties that ``test`` looks at."""

    key: int
    event_type: str
    event_name: str
    at_least: int
    test: Test | None
    reads: frozenset[str] = frozenset()

    def holds(self, hits: Hits) -> bool:
        state = hits.get(self.key)
        return state is not None and len(state.hits) >= self.at_least

    def leaves(self) -> Iterator[Leaf]:
        yield self

    def proof(self, hits: Hits) -> Iterator[Leaf]:
        if self.holds(hits):
            yield self


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions joined; the kinds of joining are below."""

    nodes: tuple[Node, ...]

    def leaves(self) -> Iterator[Leaf]:
        for node in self.nodes:
            yield from node.leaves()


class All(Group):
    """True when every node holds."""

    __slots__ = ()

    def holds(self, hits: Hits) -> bool:
        return all(node.holds(hits) for node in self.nodes)

    def proof(self, hits: Hits) -> Iterator[Leaf]:
        if self.holds(hits):
            for node in self.nodes:
                yield from node.proof(hits)


class AnyOf(Group):
    """True when at least one node holds; all that hold are its proof."""

    __slots__ = ()

    def holds(self, hits: Hits) -> bool:
        return any(node.holds(hits) for node in self.nodes)

    def proof(self, hits: Hits) -> Iterator[Leaf]:
        for node in self.nodes:
            yield from node.proof(hits)


class NoneOf(Group):
    """True when no node holds; it proves by absence, so no hit is its evidence."""

    __slots__ = ()

    def holds(self, hits: Hits) -> bool:
        return not any(node.holds(hits) for node in self.nodes)

    def proof(self, hits: Hits) -> Iterator[Leaf]:
        return iter(())


Node = Leaf | All | AnyOf | NoneOf


def holds_of_nothing(node: Node) -> bool:
    """Whether the condition is true of an entity that never did anything: useless as entry or completion."""
    return node.holds({})

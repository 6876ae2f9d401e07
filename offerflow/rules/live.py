"""The rules in force in one journal partition: the active ruleset and older offers that may still have instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from offerflow.rules.conditions import Leaf
from offerflow.rules.ruleset import Offer, Ruleset
from offerflow.rules.state import PartitionState


class LiveRules:
    """A view of a partition's state through compiled rulesets; made anew at every activation, never changed.

    ``compiled`` gives the ruleset of a hash; it is asked once per ruleset that has offers alive here.
    """

    def __init__(self, state: PartitionState, compiled: Callable[[str], Ruleset]) -> None:
        self.ruleset = compiled(state.ruleset) if state.ruleset else Ruleset("", {}, {}, {})
        self.generations = state.leaves
        self.versions: Mapping[str, Offer] = {
            offer.version: offer
            for name in sorted(set(state.versions.values()))
            for offer in compiled(name).offers.values()
            if offer.version in state.versions
        }
        self.reads: Mapping[str, frozenset[str]] = _reads(
            [self.ruleset.leaves, *(offer.completion_leaves for offer in self.versions.values())]
        )
        """Event types that any rule in force reads, with the properties it looks at: all other events leave no trace
        in the state."""


def _reads(indexes: Iterable[Mapping[str, tuple[Leaf, ...]]]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for index in indexes:
        for event_type, leaves in index.items():
            found[event_type] = found.get(event_type, frozenset()).union(*(leaf.reads for leaf in leaves))
    return found


def activate(state: PartitionState, ruleset: Ruleset) -> PartitionState:
    """The partition's state after the activation of ``ruleset``. Leaves that stay keep counting, new ones start now."""
    generation = state.generation + 1
    keys = sorted({leaf.key for leaves in ruleset.leaves.values() for leaf in leaves})
    versions = {offer.version: ruleset.hash for offer in ruleset.offers.values()}
    return PartitionState(
        ruleset=ruleset.hash,
        generation=generation,
        leaves={key: state.leaves.get(key, generation) for key in keys},
        versions=versions | state.versions,
    )

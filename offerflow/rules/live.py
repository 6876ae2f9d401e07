"""The rules in force in one journal partition: the active ruleset and older offers that may still have instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from offerflow.rules.asking import Condition, leaves_of, walk
from offerflow.rules.conditions import Absent
from offerflow.rules.events import EventType
from offerflow.rules.reading import Reading, Usage
from offerflow.rules.ruleset import Prepared, Ruleset
from offerflow.rules.state import PartitionState

_NONE = Ruleset("")


class LiveRules:
    """A view of a partition's state through compiled rulesets; made anew at every activation.

    ``compiled`` gives the ruleset of a hash; it is asked once per ruleset that has offers alive here.
    """

    def __init__(self, state: PartitionState, compiled: Callable[[str], Ruleset]) -> None:
        self.ruleset = compiled(state.ruleset) if state.ruleset else _NONE
        self.settings = self.ruleset.settings
        self.lateness = self.settings.allowed_lateness
        self.generation = state.generation
        self.generations = state.leaves
        self.trait_generations = state.traits
        self.active = {one.offer.id: one for one in self.ruleset.by_version.values()}
        rulesets = [compiled(name) for name in sorted(set(state.versions.values()))]
        self.versions: Mapping[str, Prepared] = {
            version: prepared
            for ruleset in rulesets
            for version, prepared in ruleset.by_version.items()
            if version in state.versions
        }
        self.withdrawn = frozenset(one.id for one in self.ruleset.offers.values() if one.withdrawn)
        self.usage = Usage(self.active.values(), self.versions.values())
        self.entries_by_trait = _entries(self.active.values(), lambda entry: entry.traits)
        self.entries_by_offer = _entries(self.active.values(), lambda entry: entry.offers)
        types = {name: one for ruleset in (*rulesets, self.ruleset) for name, one in ruleset.event_types.items()}
        self.types: Mapping[str, EventType] = types
        """Planned events by record name, as the rulesets in force know them."""
        self._readings: dict[str, Reading | None] = {}
        for event_type in types.values():
            self.reading(event_type)
        self.reads: Mapping[str, frozenset[str]] = {
            name: reading.reads for name, reading in self._readings.items() if reading is not None
        }
        """Event types that any rule in force reads, with the properties it looks at: all other events leave no trace
        in the state."""

    def reading(self, event_type: EventType) -> Reading | None:
        """What the rules do with events of a type, None if they do not read it."""
        if event_type.name not in self._readings:
            self._readings[event_type.name] = self.usage.reading(event_type)
        return self._readings[event_type.name]


def activate(state: PartitionState, ruleset: Ruleset) -> PartitionState:
    """The partition's state after the activation of ``ruleset``. Leaves that stay keep counting, new ones start now.
    Leaves that an instance may be asked stay for good."""
    generation = state.generation + 1
    keys, lasting = set[int](), set(state.lasting)
    traits, lasting_traits = set[str](), set(state.lasting_traits)
    for prepared in ruleset.by_version.values():
        for _, condition in prepared.conditions():
            keys |= counted_keys(condition)
            traits |= condition.traits
        for condition in prepared.lasting():
            lasting |= counted_keys(condition)
            lasting_traits |= condition.traits
    return PartitionState(
        ruleset=ruleset.hash,
        generation=generation,
        leaves={key: state.leaves.get(key, generation) for key in sorted(keys | lasting)},
        versions={offer.version: ruleset.hash for offer in ruleset.offers.values()} | state.versions,
        lasting=sorted(lasting),
        traits={name: state.traits.get(name, generation) for name in sorted(traits | lasting_traits)},
        lasting_traits=sorted(lasting_traits),
        time=state.time,
        sweep="" if any(offer.withdrawn for offer in ruleset.offers.values()) else None,
    )


def counted_keys(condition: Condition) -> set[int]:
    """The keys under which anything is kept for a condition."""
    absent = {node.key for node in walk(condition.node) if isinstance(node, Absent)}
    return {leaf.key for leaf in leaves_of([condition.node])} | absent


def _entries(
    offers: Iterable[Prepared], names: Callable[[Condition], frozenset[str]]
) -> dict[str, tuple[Prepared, ...]]:  # fmt: skip
    """By what it names: the offers whose entry does, in the order they are entered."""
    found: dict[str, list[Prepared]] = {}
    for prepared in offers:
        for name in () if prepared.entry is None else names(prepared.entry):
            found.setdefault(name, []).append(prepared)
    return {name: tuple(sorted(some, key=lambda one: one.order)) for name, some in found.items()}

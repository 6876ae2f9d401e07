"""Compiles definitions into a ruleset: offers with their conditions resolved, indexed by event type.

A ruleset is immutable and named by the hash of its content. Nothing here runs per event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from offerflow.rules.conditions import All, AnyOf, Leaf, Node, NoneOf, holds_of_nothing
from offerflow.rules.definitions import ConditionDefinition, ConditionNode, OfferDefinition, VariantDefinition, plain
from offerflow.rules.events import EventType
from offerflow.rules.expressions import ExpressionError, Test, check, compile_test, parse, properties, render
from offerflow.rules.ids import digest, fraction
from offerflow.rules.nearest import did_you_mean

ENGINE = 1
"""The meaning of rules in this code. Every change of meaning gets a new number and starts with an activation."""

MAX_NESTING = 32
MAX_NODES = 10_000
"""Leaves and groups of one condition once its references are followed."""

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a definition: which one (``offer/upgrade``), where in it, and what was expected."""

    definition: str
    path: Path
    message: str


class RulesetProblems(ValueError):
    """The definitions do not make a ruleset. ``problems`` lists everything that is wrong, not only the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{p.definition}: {p.message}" for p in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Reward:
    id: str
    value: Decimal | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Variant:
    id: str
    weight: int
    attributes: Mapping[str, str]
    reward: Reward | None


@dataclass(frozen=True, slots=True)
class Offer:
    """One offer ready to run. ``version`` names its content, conditions included. Leaves of the completion are
    indexed by event type, since they count per instance."""

    id: str
    version: str
    entry: Node
    audience: Node | None
    completion: Node | None
    variants: tuple[Variant, ...]
    completion_leaves: Mapping[str, tuple[Leaf, ...]]

    def variant_of(self, entity: str) -> Variant:
        """Sticky: the same entity always gets the same variant as long as the weights stay."""
        point = fraction("variant", self.id, entity) * sum(v.weight for v in self.variants) >> 64
        for variant in self.variants:
            point -= variant.weight
            if point < 0:
                return variant
        raise AssertionError("the point lies below the sum of the weights")

    def variant(self, variant_id: str) -> Variant:
        return next(variant for variant in self.variants if variant.id == variant_id)


@dataclass(frozen=True, slots=True)
class Ruleset:
    """``leaves``: leaves counted for ever, by event type; ``entries``: leaf key to the offers whose entry asks it."""

    hash: str
    offers: Mapping[str, Offer]
    leaves: Mapping[str, tuple[Leaf, ...]]
    entries: Mapping[int, tuple[Offer, ...]]
    names: Mapping[str, str] = field(default_factory=dict)


def content_hash(content: object) -> str:
    """16 hex digits naming a JSON value: SHA-256 over its canonical text (sorted keys, no spaces)."""
    return digest(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False))[:8].hex()


def compile_ruleset(
    name: str,
    conditions: Mapping[str, ConditionDefinition],
    offers: Mapping[str, OfferDefinition],
    event_types: Iterable[EventType],
) -> Ruleset:
    """The ruleset ``name`` of these definitions. Raises RulesetProblems with everything that is wrong."""
    compiler = _Compiler(conditions, event_types)
    for condition_id, condition in conditions.items():
        compiler.condition(condition.node(), f"condition/{condition_id}", ())
    compiled = {offer_id: compiler.offer(offers[offer_id]) for offer_id in sorted(offers)}
    if compiler.problems:
        raise RulesetProblems(compiler.problems)
    ready = {offer_id: offer for offer_id, offer in compiled.items() if offer is not None}
    leaves: dict[str, dict[int, Leaf]] = {}
    entries: dict[int, list[Offer]] = {}
    for offer in ready.values():
        for leaf in {leaf.key: leaf for leaf in offer.entry.leaves()}.values():
            entries.setdefault(leaf.key, []).append(offer)
        for node in (offer.entry, offer.audience):
            for leaf in node.leaves() if node is not None else ():
                leaves.setdefault(leaf.event_type, {})[leaf.key] = leaf
    return Ruleset(
        hash=name,
        offers=ready,
        leaves={event_type: tuple(found.values()) for event_type, found in leaves.items()},
        entries={key: tuple(found) for key, found in entries.items()},
        names={event_type.name: event_type.names[0] for event_type in compiler.types.values()},
    )


class _TooMuchError(Exception):
    pass


class _Compiler:
    def __init__(self, conditions: Mapping[str, ConditionDefinition], event_types: Iterable[EventType]) -> None:
        self.conditions = conditions
        self.types = {name: event_type for event_type in event_types for name in event_type.names}
        self.problems: list[Problem] = []
        self._resolving: list[str] = []
        self._nodes = 0
        self._asked: Path = ()

    def offer(self, definition: OfferDefinition) -> Offer | None:
        where = f"offer/{definition.id}"
        entry = self.condition(definition.entry, where, ("entry",))
        audience = self.condition(definition.audience, where, ("audience",)) if definition.audience else None
        completion = self.condition(definition.completion, where, ("completion",)) if definition.completion else None
        for slot, node in (("entry", entry), ("completion", completion)):
            if node is not None and holds_of_nothing(node):
                message = f"is true of a user who never did anything, so nothing could ever trigger the {slot}"
                self.problems.append(Problem(where, (slot,), f"{message}; add a leaf that counts an event"))
        if (
            entry is None
            or (definition.audience and audience is None)
            or (definition.completion and completion is None)
        ):
            return None
        by_type: dict[str, dict[int, Leaf]] = {}
        for leaf in completion.leaves() if completion is not None else ():
            by_type.setdefault(leaf.event_type, {})[leaf.key] = leaf
        return Offer(
            id=definition.id,
            version=content_hash([plain(definition), self._referenced(definition)]),
            entry=entry,
            audience=audience,
            completion=completion,
            variants=_variants(definition),
            completion_leaves={event_type: tuple(found.values()) for event_type, found in by_type.items()},
        )

    def _referenced(self, definition: OfferDefinition) -> dict[str, Any]:
        """The conditions an offer names, directly or not: they are part of its version."""
        found: dict[str, Any] = {}
        todo = [node for node in (definition.entry, definition.audience, definition.completion) if node]
        while todo:
            node = todo.pop()
            todo += [*(node.all or ()), *(node.any or ()), *(node.none or ())]
            if node.condition and node.condition in self.conditions and node.condition not in found:
                found[node.condition] = plain(self.conditions[node.condition])
                todo.append(self.conditions[node.condition].node())
        return found

    def condition(self, node: ConditionNode, where: str, path: Path) -> Node | None:
        """The whole condition that stands at ``path`` of a definition, None if anything in it is wrong."""
        self._nodes = 0
        try:
            return self.node(node, where, path)
        except _TooMuchError as error:
            self.problems.append(Problem(where, path, str(error)))
            return None

    def node(self, node: ConditionNode, where: str, path: Path) -> Node | None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise _TooMuchError(f"unfolds to more than {MAX_NODES} conditions; expected fewer references to references")
        if node.event is not None:
            return self._leaf(node, where, path)
        if node.condition is not None:
            return self._reference(node.condition, where, path)
        for group, make in (("all", All), ("any", AnyOf), ("none", NoneOf)):
            children = getattr(node, group)
            if children is not None:
                if len(path) > 2 * MAX_NESTING:
                    self.problems.append(Problem(where, path, f"nested deeper than {MAX_NESTING} levels"))
                    return None
                nodes = [self.node(child, where, (*path, group, at)) for at, child in enumerate(children)]
                return None if None in nodes else make(tuple(n for n in nodes if n is not None))
        raise AssertionError("a condition node is a leaf, a reference or a group")

    def _reference(self, name: str, where: str, path: Path) -> Node | None:
        if name not in self.conditions:
            message = f"there is no condition {name!r}{did_you_mean(name, self.conditions)}"
            self.problems.append(Problem(where, (*path, "condition"), message))
            return None
        if not self._resolving:
            self._asked = path
        if name in self._resolving or where == f"condition/{name}":
            message = f"condition {name!r} refers to itself: {' -> '.join([*self._resolving, name])}"
            # ``path`` may lead on into another condition; the definition itself asks for the circle here.
            self.problems.append(Problem(where, (*self._asked, "condition"), message))
            return None
        if len(self._resolving) == MAX_NESTING:
            raise _TooMuchError(f"refers to conditions deeper than {MAX_NESTING} levels")
        self._resolving.append(name)
        known = len(self.problems)
        try:
            return self.node(self.conditions[name].node(), where, path)
        finally:
            # What is wrong inside the condition is reported once, at the condition itself.
            if f"condition/{name}" != where and not any("refers to itself" in p.message for p in self.problems[known:]):
                del self.problems[known:]
            self._resolving.pop()

    def _leaf(self, node: ConditionNode, where: str, path: Path) -> Leaf | None:
        assert node.event is not None  # noqa: S101 - the caller looked
        event_type = self.types.get(node.event)
        if event_type is None:
            known = ", ".join(sorted(self.types)[:5]) or "no event at all"
            hint = did_you_mean(node.event, self.types) or f"; it has {known}"
            self.problems.append(Problem(where, (*path, "event"), f"the event plan has no event {node.event!r}{hint}"))
            return None
        test, text, reads = self._test(node.where, event_type, where, path)
        at_least = node.count.at_least if node.count else 1
        key = int.from_bytes(digest("leaf", event_type.name, text, "count", str(at_least))[:8], "big")
        return Leaf(key, event_type.name, event_type.names[0], at_least, test, reads)

    def _test(
        self, where_text: str | None, event: EventType, where: str, path: Path
    ) -> tuple[Test | None, str, frozenset[str]]:
        if where_text is None:
            return None, "", frozenset()
        try:
            tree = parse(where_text)
            check(tree, event)
        except ExpressionError as error:
            message = f"column {error.column} of the expression: {error}"
            self.problems.append(Problem(where, (*path, "where"), message))
            return None, "", frozenset()
        return compile_test(tree), render(tree), properties(tree)


def _variants(definition: OfferDefinition) -> tuple[Variant, ...]:
    written = definition.variants or [VariantDefinition(id="default", reward=definition.reward)]
    return tuple(
        Variant(
            id=variant.id,
            weight=variant.weight,
            attributes=dict(sorted(variant.attributes.items())),
            reward=Reward(variant.reward.id, *(variant.reward.value or (None, None))) if variant.reward else None,
        )
        for variant in written
    )

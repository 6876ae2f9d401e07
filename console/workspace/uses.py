"""Which conditions and offers use which events and properties: whom a change of the event plan touches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from console.workspace.state import Content, State, names_of, newest_events
from offerflow.rules.definitions import (
    ConditionDefinition,
    Expression,
    Node,
    OfferDefinition,
    RewardDefinition,
    walk,
)
from offerflow.rules.definitions.offers import PerKey
from offerflow.rules.expressions import ExpressionError, parse, properties
from schemas.event_types import TRAITS

_ANY = "*"


@dataclass(frozen=True, slots=True)
class Use:
    """``definition`` (``condition/c`` or ``offer/o``) has a leaf on the event type ``event``, or computes something of
    it; that reads ``reads``."""

    definition: str
    event: str
    reads: frozenset[str]


class Uses:
    """Every use in a state of definitions."""

    def __init__(self, state: State, also: State | None = None) -> None:
        """``also``: a state whose event names count too, such as the one before a name was taken away."""
        self._types: dict[str, str] = {}
        self._countable: set[str] = set()
        for one in (also or {}, state):
            for schema in newest_events(one).values():
                self._types |= dict.fromkeys(names_of(schema), str(schema["name"]))
                if not schema.get("system", False):
                    self._countable.add(schema["name"])
        self._references: dict[str, set[str]] = {}
        self.all: list[Use] = []
        read = {name: _read(name, content) for name, content in state.items()}
        self._conditions: dict[str, Node] = {
            one.id: one for one in read.values() if isinstance(one, ConditionDefinition)
        }
        for definition, content in read.items():
            for node in _nodes(content):
                if node.condition is not None:
                    self._references.setdefault(definition, set()).add(f"condition/{node.condition}")
                for event, reads in _leaf_reads(node):
                    self._add(definition, event, reads)
            if isinstance(content, OfferDefinition):
                for node, reads in _computed(content):
                    for event in self._events(node):
                        self._add(definition, event, reads)

    def of_event(self, event: str, reading: str | None = None) -> list[str]:
        """Definitions with a leaf on ``event``, that read the property ``reading`` if it is given; sorted."""
        return sorted({use.definition for use in self.all
                       if use.event == event and (reading is None or reading in use.reads)})  # fmt: skip

    def offers_of(self, definitions: Iterable[str]) -> list[str]:
        """Ids of the offers among ``definitions`` and of those that refer to them, directly or not; sorted."""
        found, grown = set(definitions), True
        while grown:
            using = {name for name, named in self._references.items() if named & found}
            grown = not using <= found
            found |= using
        return sorted(name.partition("/")[2] for name in found if name.startswith("offer/"))

    def conditions_among(self, definitions: Iterable[str]) -> list[str]:
        return sorted(name.partition("/")[2] for name in definitions if name.startswith("condition/"))

    def _add(self, definition: str, event: str, reads: frozenset[str]) -> None:
        types = sorted(self._countable) if event == _ANY else [self._types.get(event, event)]
        self.all += [Use(definition, one, reads) for one in types]

    def _events(self, node: Node) -> set[str]:
        """The events of a condition, its references followed."""
        found: set[str] = set()
        todo, seen = [node], set()
        while todo:
            for one in walk(todo.pop()):
                found |= {event for event, _ in _leaf_reads(one)}
                named = one.condition
                if named is not None and named in self._conditions and named not in seen:
                    seen.add(named)
                    todo.append(self._conditions[named])
        return found


def _read(name: str, content: Content) -> ConditionDefinition | OfferDefinition | None:
    try:
        if name.startswith("condition/"):
            return ConditionDefinition.model_validate(content)
        if name.startswith("offer/"):
            return OfferDefinition.model_validate(content)
    except ValidationError:  # a newer version wrote it; there must be a way back from that
        pass
    return None


def _nodes(one: ConditionDefinition | OfferDefinition | None) -> Iterator[Node]:
    if isinstance(one, ConditionDefinition):
        yield from walk(one)
    elif one is not None:
        slots = [one.entry, one.audience, one.exit, one.completion, *(each.completion for each in one.variants or ())]
        for slot in slots:
            if isinstance(slot, Node):
                yield from walk(slot)


def _leaf_reads(node: Node) -> Iterator[tuple[str, frozenset[str]]]:
    """The events of a leaf, each with what is read of it."""
    if node.event is not None:
        measured = getattr(node, node.measure) if node.measure is not None else None
        yield node.event, _reads(node.where) | _reads(getattr(measured, "of", None))
    for _, step in node.steps():
        yield step.event, _reads(step.where) | _reads(node.same)
    for event in TRAITS if node.profile is not None else ():
        yield event, _reads(node.profile)


def _computed(offer: OfferDefinition) -> Iterator[tuple[Node, frozenset[str]]]:
    """What an offer reads beside its conditions: the key of its entries, and what values are computed from."""
    if isinstance(offer.reentry, PerKey):
        yield offer.entry, _reads(offer.reentry.per_key)
    earned: list[tuple[RewardDefinition | None, object]] = [(offer.reward, offer.completion)]
    earned += [(one.reward, one.completion or offer.completion) for one in offer.variants or ()]
    for reward, completion in earned:
        by = offer.entry if completion == "immediate" else completion
        if reward is not None and isinstance(reward.value, Expression) and isinstance(by, Node):
            yield by, _reads(reward.value.expr)


def _reads(expression: str | None) -> frozenset[str]:
    try:
        return properties(parse(expression)) if expression is not None else frozenset()
    except ExpressionError:  # the compiler tells it
        return frozenset()


def sources_sending(state: State, schema: Mapping[str, object]) -> list[str]:
    """Ids of the sources whose origin may send this event; sorted."""
    origins = schema.get("origins", ("sdk", "backend", "integration"))
    assert isinstance(origins, list | tuple)  # noqa: S101 - checked when it was applied
    return sorted(content["id"] for name, content in state.items()
                  if name.startswith("source/") and content["origin"] in origins)  # fmt: skip

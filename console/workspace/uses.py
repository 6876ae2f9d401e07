"""Which conditions and offers use which events and properties: whom a change of the event plan touches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from console.workspace.state import Content, State, names_of, newest_events
from offerflow.rules.definitions import ConditionDefinition, ConditionNode, OfferDefinition
from offerflow.rules.expressions import ExpressionError, parse, properties


@dataclass(frozen=True, slots=True)
class Use:
    """``definition`` (``condition/c`` or ``offer/o``) has a leaf on the event type ``event``; its expression reads
    ``reads``."""

    definition: str
    event: str
    reads: frozenset[str]


class Uses:
    """Every use in a state of definitions."""

    def __init__(self, state: State, also: State | None = None) -> None:
        """``also``: a state whose event names count too, such as the one before a name was taken away."""
        types = {name: schema["name"] for one in (also or {}, state) for schema in newest_events(one).values()
                 for name in names_of(schema)}  # fmt: skip
        self._references: dict[str, set[str]] = {}
        self.all: list[Use] = []
        for definition, content in state.items():
            for node in _nodes(definition, content):
                if node.condition is not None:
                    self._references.setdefault(definition, set()).add(f"condition/{node.condition}")
                elif node.event is not None:
                    self.all.append(Use(definition, types.get(node.event, node.event), _reads(node)))

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


def _nodes(definition: str, content: Content) -> Iterator[ConditionNode]:
    todo: list[ConditionNode | None] = []
    try:
        if definition.startswith("condition/"):
            todo = [ConditionDefinition.model_validate(content).node()]
        elif definition.startswith("offer/"):
            offer = OfferDefinition.model_validate(content)
            todo = [offer.entry, offer.audience, offer.completion]
    except ValidationError:  # a newer version wrote it; there must be a way back from that
        return
    while todo:
        node = todo.pop()
        if node is not None:
            yield node
            todo += [*(node.all or ()), *(node.any or ()), *(node.none or ())]


def _reads(node: ConditionNode) -> frozenset[str]:
    try:
        return properties(parse(node.where)) if node.where is not None else frozenset()
    except ExpressionError:  # the compiler tells it
        return frozenset()


def sources_sending(state: State, schema: Mapping[str, object]) -> list[str]:
    """Ids of the sources whose origin may send this event; sorted."""
    origins = schema.get("origins", ("sdk", "backend", "integration"))
    assert isinstance(origins, list | tuple)  # noqa: S101 - checked when it was applied
    return sorted(content["id"] for name, content in state.items()
                  if name.startswith("source/") and content["origin"] in origins)  # fmt: skip

"""A small event plan, and ways to write events, offers and whole entities by hand."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from offerflow.rules.decide import decide
from offerflow.rules.definitions import ConditionDefinition, OfferDefinition
from offerflow.rules.events import Event, EventType, Kind, PropertyType
from offerflow.rules.live import LiveRules, activate
from offerflow.rules.outcomes import Conflict, Folded, OfferEntered, Output, Verdict
from offerflow.rules.ruleset import Ruleset, compile_ruleset
from offerflow.rules.state import EntityState, PartitionState, pack, unpack_entity, unpack_partition

NOON = 1_790_000_000_000
DAY = 24 * 3600 * 1000
Definition = dict[str, Any]

PROPERTIES = {
    "x": PropertyType(Kind.NUMBER),
    "n": PropertyType(Kind.NUMBER),
    "s": PropertyType(Kind.STRING),
    "b": PropertyType(Kind.BOOLEAN),
    "any": PropertyType(Kind.ANY),
    "key": PropertyType(Kind.STRING),
    "plan": PropertyType(Kind.ENUM, ("free", "plus", "pro")),
    "at": PropertyType(Kind.TIME),
    "tags": PropertyType(Kind.LIST),
    "phone": PropertyType(Kind.STRING, pii=True),
    "secret": PropertyType(Kind.RECORD, fields={"city": PropertyType(Kind.STRING)}, pii=True),
    "loose": PropertyType(Kind.ANY, pii=True),
    "home": PropertyType(
        Kind.RECORD,
        fields={
            "city": PropertyType(Kind.STRING),
            "geo": PropertyType(Kind.RECORD, fields={"zip": PropertyType(Kind.NUMBER)}),
        },
    ),
}


def event_type(name: str, *names: str, unique: tuple[str, ...] = ()) -> EventType:
    return EventType(name, names or (name,), PROPERTIES, unique)


TYPES = {
    one.name: one
    for one in (
        event_type("A", "A", "A again"), event_type("B"), event_type("C"), event_type("D"),
        event_type("U", unique=("key",)), event_type("Pair", unique=("key", "n")),
    )
}  # fmt: skip


def an_event(name: str = "A", offset: int = 7, **given: Any) -> Event:
    """An event of ``u:ann`` with the id ``e<offset>``. What is no field of an event is a property of it."""
    fields = {
        "event_id": f"e{offset}", "user_id": "ann", "anonymous_id": None, "time": NOON + offset,
        "received_at": NOON + offset, "source": "shop", "origin": "backend", "partition": 3,
    }  # fmt: skip
    properties = {key: value for key, value in given.items() if key not in Event.__struct_fields__}
    content = zlib.crc32(repr((name, sorted(properties.items()))).encode())
    fields |= {"content_hash": content, **{key: value for key, value in given.items() if key not in properties}}
    return Event(type=name, properties=properties, offset=offset, **fields)


def offer(name: str, entry: Definition, completion: Definition | None = None, **more: Any) -> Definition:
    made = {"kind": "offer", "id": name, "entry": entry, **more}
    return made if completion is None else {**made, "completion": completion}


def condition(name: str, **node: Any) -> Definition:
    return {"kind": "condition", "id": name, **node}


def ruleset(*definitions: Definition, name: str = "r1", types: Mapping[str, EventType] = TYPES) -> Ruleset:
    """The compiled ruleset of these definitions, as ``apply`` would make it."""
    conditions = [ConditionDefinition.model_validate(one) for one in definitions if one["kind"] == "condition"]
    offers = [OfferDefinition.model_validate(one) for one in definitions if one["kind"] == "offer"]
    return compile_ruleset(name, {c.id: c for c in conditions}, {o.id: o for o in offers}, types.values())


class Entity:
    """One entity in a partition of its own. Every event gets the next offset; states travel packed, as in Redis."""

    def __init__(self, *definitions: Definition, name: str = "u:ann") -> None:
        self.name = name
        self.packed: bytes | None = None
        self.fold: bytes | None = None
        self.verdicts: list[Verdict] = []
        self._rulesets: dict[str, Ruleset] = {}
        self._offset = 0
        self.activate(*definitions)

    @property
    def state(self) -> EntityState:
        return unpack_entity(self.packed)

    @property
    def partition(self) -> PartitionState:
        return unpack_partition(self.fold)

    def activate(self, *definitions: Definition) -> None:
        """Put a ruleset of exactly these definitions in force."""
        made = ruleset(*definitions, name=f"r{len(self._rulesets) + 1}")
        self._rulesets[made.hash] = made
        self.fold = pack(activate(self.partition, made))
        self._rules = LiveRules(self.partition, self._rulesets.__getitem__)

    def take(self, name: str, **given: Any) -> Verdict:
        """Fold the next event and keep its verdict."""
        if self.name.startswith("a:"):
            given = {"user_id": None, "anonymous_id": self.name[2:], **given}
        event = an_event(name, given.pop("offset", self._offset), **given)
        self._offset += 1
        state = self.state
        verdict = decide(self._rules, self.name, state, event, TYPES[name])
        self.packed = pack(state)
        self.verdicts.append(verdict)
        return verdict

    def outputs(self, name: str, **given: Any) -> list[Output]:
        verdict = self.take(name, **given)
        return list(verdict.outputs) if isinstance(verdict, Folded) else []

    def says(self, name: str, **given: Any) -> list[str]:
        """What an event leads to, as short texts: record and offer, or the other verdict, and refusals."""
        verdict = self.take(name, **given)
        if not isinstance(verdict, Folded):
            return [type(verdict).__name__ if not isinstance(verdict, Conflict) else "Conflict"]
        said = [f"{type(one).__name__} {one.offer}" for one in verdict.outputs]
        return said + [f"{refusal.reason} {refusal.offer}" for refusal in verdict.refusals]

    def story(self, names: str) -> list[str]:
        """What a string of one-letter events leads to, each text after the position of its event. What no rule reads
        is left out."""
        return [f"{at} {text}" for at, name in enumerate(names) for text in self.says(name) if text != "Unread"]


def entered(outputs: list[Output]) -> OfferEntered:
    (found,) = [one for one in outputs if isinstance(one, OfferEntered)]
    return found

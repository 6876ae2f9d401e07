"""A small event plan, and ways to write events, offers and whole entities by hand."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from offerflow.rules.compiling import compile_ruleset
from offerflow.rules.decide import ask, decide, fire, next_due, sweep
from offerflow.rules.definitions import ConditionDefinition, OfferDefinition, SettingsDefinition
from offerflow.rules.events import Event, EventType, Kind, PropertyType, Reverses
from offerflow.rules.live import LiveRules, activate
from offerflow.rules.outcomes import Decision, OfferEntered, Output, Verdict
from offerflow.rules.requests import EnterOffer, FulfilReward, ReverseReward
from offerflow.rules.ruleset import Ruleset
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

ORDERED = {
    "order_id": PropertyType(Kind.STRING, required=True),
    "amount": PropertyType(Kind.NUMBER, required=True),
}


def event_type(name: str, *names: str, unique: tuple[str, ...] = ()) -> EventType:
    return EventType(name, names or (name,), PROPERTIES, unique)


TYPES = {
    one.name: one
    for one in (
        event_type("A", "A", "A again"), event_type("B"), event_type("C"), event_type("D"),
        event_type("U", unique=("key",)), event_type("Pair", unique=("key", "n")),
        # What was bought under an order id can be refunded by it.
        EventType("Bought", ("Bought",), ORDERED, reversed_by=frozenset({"order_id"})),
        EventType("Refunded", ("Refunded",), ORDERED, reverses=Reverses("Bought", "order_id")),
        EventType("Identified", ("Identified",), PROPERTIES, sets_traits=True),
        EventType("Opened", ("Opened",), PROPERTIES, system=True),
    )
}  # fmt: skip


def an_event(name: str = "A", offset: int = 7, **given: Any) -> Event:
    """An event of ``u:ann`` with the id ``e<offset>``. What is no field of an event is a property of it."""
    fields: dict[str, Any] = {
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
    settings = [SettingsDefinition.model_validate(one) for one in definitions if one["kind"] == "settings"]
    return compile_ruleset(
        name, {c.id: c for c in conditions}, {o.id: o for o in offers}, types.values(), next(iter(settings), None)
    )


class Entity:
    """One entity in a partition of its own. Every record gets the next offset; states travel packed, as in Redis.
    ``now`` is T, which ``tick`` moves."""

    def __init__(self, *definitions: Definition, name: str = "u:ann") -> None:
        self.name = name
        self.packed: bytes | None = None
        self.fold: bytes | None = None
        self.decisions: list[Decision] = []
        self.now = 0
        self._rulesets: dict[str, Ruleset] = {}
        self._offset = 0
        self.activate(*definitions)

    @property
    def state(self) -> EntityState:
        return unpack_entity(self.packed)

    @property
    def partition(self) -> PartitionState:
        return unpack_partition(self.fold)

    @property
    def rules(self) -> LiveRules:
        return self._rules

    def activate(self, *definitions: Definition) -> None:
        """Put a ruleset of exactly these definitions in force."""
        made = ruleset(*definitions, name=f"r{len(self._rulesets) + 1}")
        self._rulesets[made.hash] = made
        self.fold = pack(activate(self.partition, made))
        self._rules = LiveRules(self.partition, self._rulesets.__getitem__)

    def take(self, name: str, **given: Any) -> Decision:
        """Fold the next event and keep its decision."""
        if self.name.startswith("a:"):
            given = {"user_id": None, "anonymous_id": self.name[2:], **given}
        event = an_event(name, given.pop("offset", self._offset), **given)
        self._offset += 1
        state = self.state
        return self._keep(state, decide(self._rules, self.name, state, event, TYPES[name], self.now))

    def outputs(self, name: str, **given: Any) -> list[Output]:
        return list(self.take(name, **given).outputs)

    def says(self, name: str, **given: Any) -> list[str]:
        """What an event leads to, as short texts: record and offer, or the other verdict, and refusals."""
        return told(self.take(name, **given))

    def story(self, names: str) -> list[str]:
        """What a string of one-letter events leads to, each text after the position of its event. What no rule reads
        is left out."""
        return [f"{at} {text}" for at, name in enumerate(names) for text in self.says(name) if text != "unread"]

    def day(self, at: float, name: str, **given: Any) -> list[str]:
        """What an event so many days after NOON leads to; it is received when it happens unless told otherwise."""
        time = NOON + round(at * DAY)
        return self.says(name, **{"time": time, "received_at": time, **given})

    def request(self, kind: type[EnterOffer | FulfilReward | ReverseReward], at: float, **given: Any) -> list[str]:
        """What a request at a day leads to."""
        time = NOON + round(at * DAY)
        self._offset += 1
        fields: dict[str, Any] = {
            "event_id": f"q{self._offset}", "user_id": self.name[2:], "anonymous_id": None, "time": time,
            "received_at": time, "source": "shop", "content_hash": 0, "partition": 3, "offset": self._offset,
        }  # fmt: skip
        state = self.state
        return told(self._keep(state, ask(self._rules, self.name, state, kind(**{**fields, **given}), self.now)))

    def tick(self, at: float) -> list[str]:
        """What the passing of time to a day leads to: all timers that are due, one after the other."""
        self.now = max(self.now, NOON + round(at * DAY))
        self._offset += 1
        said: list[str] = []
        while True:
            state = self.state
            decision = fire(self._rules, self.name, state, 3, self._offset, self.now)
            if decision is None:
                assert next_due(state, self.now) is None
                return said
            said += told(self._keep(state, decision))

    def sweep(self) -> list[str]:
        """What a sweep for withdrawn offers leads to."""
        self._offset += 1
        state = self.state
        return told(self._keep(state, sweep(self._rules, self.name, state, self._offset, self.now)))

    def _keep(self, state: EntityState, decision: Decision) -> Decision:
        self.packed = pack(state)
        self.decisions.append(decision)
        return decision


def told(decision: Decision) -> list[str]:
    """A decision as short texts: what is announced, then refusals; the verdict where an event was not folded."""
    said = [] if decision.verdict == Verdict.FOLDED else [decision.verdict.value]
    for one in decision.outputs:
        what = type(one).__name__
        said.append(f"{what} {one.offer}" if hasattr(one, "offer") else f"{what} {getattr(one, 'reason', 'paid')}")
    return said + [f"{refusal.reason} {refusal.offer}".rstrip() for refusal in decision.refusals]


def entered(outputs: list[Output]) -> OfferEntered:
    (found,) = [one for one in outputs if isinstance(one, OfferEntered)]
    return found

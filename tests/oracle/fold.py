"""What one entity's events must lead to. After each event every condition is asked again of the whole list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.oracle.identity import choose, identifier
from tests.oracle.model import Conflict, Event, Output, Placed
from tests.oracle.rules import Rules

REMEMBERED_IDS = 256
REMEMBERED_FACTS = 1000
SAME_FACT_FOR = 90 * 24 * 3600 * 1000


@dataclass
class Instance:
    """A run through an offer, under the definition it began with; ``start`` counts the events before it."""

    offer: Any
    rules: Rules
    cause: Placed
    start: int
    open: bool = True


class Entity:
    """The fold of one entity. ``take`` its events in journal order."""

    def __init__(self, entity: str) -> None:
        self.entity = entity
        self.counted: list[Placed] = []
        self.remembered: dict[str, Event] = {}
        self.facts: dict[str, int] = {}
        self.instances: dict[str, Instance] = {}

    def take(self, placed: Placed, rules: Rules) -> list[Output | Conflict]:
        """What the event leads to under the rules in force, in the order it must be written."""
        event = placed.event
        if event.type not in rules.reads.union(*(one.rules.reads for one in self.instances.values())):
            return []
        if event.event_id in self.remembered:
            return [] if event.repeats(self.remembered[event.event_id]) else [Conflict(placed)]
        self.remembered[event.event_id] = event
        while len(self.remembered) > REMEMBERED_IDS:
            del self.remembered[next(iter(self.remembered))]
        if self._known_fact(placed, rules):
            return []
        self.counted.append(placed)
        return self._decide(placed, rules)

    def _known_fact(self, placed: Placed, rules: Rules) -> bool:
        unique = next(one for one in rules.plan.types.values() if one.name == placed.event.type).unique
        if not unique:
            return False
        fact = json.dumps([placed.event.type, [placed.event.properties[name] for name in unique]])
        time = placed.event.time
        if fact in self.facts and abs(time - self.facts[fact]) <= SAME_FACT_FOR:
            return True
        self.facts.pop(fact, None)
        self.facts[fact] = time
        while len(self.facts) > REMEMBERED_FACTS:
            del self.facts[next(iter(self.facts))]
        return False

    def _decide(self, placed: Placed, rules: Rules) -> list[Output | Conflict]:
        satisfied: list[Output] = []
        exited: list[Output] = []
        for _, one in sorted(self.instances.items()):
            completion, since = one.offer.get("completion"), self.counted[one.start :]
            if one.open and completion and one.rules.true(completion, since):
                one.open = False
                satisfied += self._reward(one, placed)
                exited.append(self._output("OfferExited", one, placed, reason="completed", exited_at=placed.event.time))
        entered = [self._enter(offer, placed, rules) for offer in self._fired(rules)]
        return [*entered, *satisfied, *exited]

    def _fired(self, rules: Rules) -> Iterator[Any]:
        """Offers whose entry became true by the last event and that take this entity."""
        now, before = self.counted, self.counted[:-1]
        for name, offer in sorted(rules.plan.offers.items()):
            if name in self.instances or rules.true(offer["entry"], before, rules.since):
                continue
            if not rules.true(offer["entry"], now, rules.since):
                continue
            if not offer.get("audience") or rules.true(offer["audience"], now, rules.since):
                yield offer

    def _enter(self, offer: Any, placed: Placed, rules: Rules) -> Output:
        made = self.instances[offer["id"]] = Instance(offer, rules, placed, len(self.counted))
        return self._output(
            "OfferEntered", made, placed, entered_at=placed.event.time, holdout=False, expires_at=None, via="event",
            attributes=self._variant(offer).get("attributes", {}),
            evidence=rules.evidence(offer["entry"], self.counted, rules.since),
        )  # fmt: skip

    def _reward(self, one: Instance, placed: Placed) -> Iterator[Output]:
        variant = self._variant(one.offer)
        reward = variant.get("reward")
        if not reward or self.entity.startswith("a:"):
            return
        amount, _, currency = (reward.get("value") or "").partition(" ")
        yield self._output(
            "RewardSatisfied", one, placed, reward["id"], side="user", satisfied_at=placed.event.time,
            reward=reward["id"], late=False, referral=None, attributes=variant.get("attributes", {}),
            currency=currency or None, value=Decimal(amount) if amount else None,
            evidence=one.rules.evidence(one.offer["completion"], self.counted[one.start :]),
        )  # fmt: skip

    def _output(self, record: str, one: Instance, placed: Placed, paid: str = "", **fields: Any) -> Output:
        instance = identifier(one.offer["id"], self.entity, one.cause.event.event_id)
        made = identifier(record, instance, paid, fields.get("side", ""), "0")
        key = self.entity if self.entity.startswith("a:") else self.entity.removeprefix("u:")
        shared = {"offer": one.offer["id"], "instance": instance, "variant": self._variant(one.offer)["id"]}
        evidence = fields.pop("evidence", ({}, lambda _: True))
        return Output(record, made, key, {**shared, **self._whose(placed), **fields}, placed, *evidence)

    def _variant(self, offer: Any) -> Any:
        variants = offer.get("variants")
        if not variants:
            return {"id": "default", "reward": offer.get("reward")}
        chosen = choose(offer["id"], self.entity, [(one["id"], one.get("weight", 1)) for one in variants])
        return next(one for one in variants if one["id"] == chosen)

    def _whose(self, placed: Placed) -> dict[str, Any]:
        if self.entity.startswith("u:"):
            return {"user_id": placed.event.user_id}
        return {"user_id": None, "anonymous_id": placed.event.anonymous_id}

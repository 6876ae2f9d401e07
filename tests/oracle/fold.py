"""What one entity's events must lead to. After each event every condition is asked again of the whole list."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from tests.oracle.expression import holds
from tests.oracle.identity import choose, identifier
from tests.oracle.model import Conflict, Output, Placed
from tests.oracle.workspace import Workspace

REMEMBERED_IDS = 256
REMEMBERED_FACTS = 1000
SAME_FACT_FOR = 90 * 24 * 3600 * 1000


class Entity:
    """The fold of one entity. ``take`` its events in journal order."""

    def __init__(self, entity: str, plan: Workspace) -> None:
        self.entity = entity
        self.plan = plan
        self.counted: list[Placed] = []
        self.remembered: dict[str, str] = {}
        self.facts: dict[str, int] = {}
        self.entered: dict[str, int] = {}
        self.closed: set[str] = set()
        self._hits: dict[tuple[int, int, int], bool] = {}
        self.read = {
            plan.types[leaf["event"]].name
            for offer in plan.offers.values()
            for slot in ("entry", "audience", "completion")
            for leaf in _leaves(offer.get(slot), plan)
        }

    def take(self, placed: Placed) -> list[Output | Conflict]:
        """What the event leads to, in the order it must be written."""
        event = placed.event
        if event.type not in self.read:
            return []
        if event.event_id in self.remembered:
            return [] if self.remembered[event.event_id] == event.content() else [Conflict(placed)]
        self.remembered[event.event_id] = event.content()
        while len(self.remembered) > REMEMBERED_IDS:
            del self.remembered[next(iter(self.remembered))]
        if self._known_fact(placed):
            return []
        self.counted.append(placed)
        return self._decide(placed)

    def _known_fact(self, placed: Placed) -> bool:
        unique = next(t for t in self.plan.types.values() if t.name == placed.event.type).unique
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

    def _decide(self, placed: Placed) -> list[Output | Conflict]:
        now, before = self.counted, self.counted[:-1]
        entered, satisfied, exited = [], [], []
        for name in sorted(self.plan.offers):
            offer = self.plan.offers[name]
            if name in self.entered:
                since = now[self.entered[name] :]
                completion = offer.get("completion")
                if name not in self.closed and completion and self.true(completion, since):
                    self.closed.add(name)
                    satisfied += list(self._reward(offer, placed, since))
                    exited.append(self._exit(offer, placed))
            elif self.true(offer["entry"], now) and not self.true(offer["entry"], before):
                if offer.get("audience") and not self.true(offer["audience"], now):
                    continue
                self.entered[name] = len(now)
                entered.append(self._enter(offer, placed))
        return [*entered, *satisfied, *exited]

    def true(self, condition: Any, events: Sequence[Placed]) -> bool:
        """Whether ``condition`` holds of exactly these events."""
        if "condition" in condition:
            return self.true(self.plan.conditions[condition["condition"]], events)
        for group, combine in (("all", all), ("any", any), ("none", lambda asked: not any(asked))):
            if group in condition:
                return bool(combine([self.true(one, events) for one in condition[group]]))
        least = (condition.get("count") or {}).get("at_least", 1)
        return sum(self.hit(condition, one) for one in events) >= least

    def hit(self, leaf: Any, placed: Placed) -> bool:
        """Whether the leaf counts this event. Asked once per leaf and event: a list is gone through many times."""
        asked = (id(leaf), placed.partition, placed.offset)
        if asked not in self._hits:
            self._hits[asked] = self._hit(leaf, placed)
        return self._hits[asked]

    def _hit(self, leaf: Any, placed: Placed) -> bool:
        event = placed.event
        if self.plan.types[leaf["event"]].name != event.type:
            return False
        meta: dict[str, Any] = {
            "source": event.source,
            "origin": event.origin,
            "event_id": event.event_id,
            "user_id": event.user_id,
        }
        meta |= {"anonymous_id": event.anonymous_id, "time": event.time, "received_at": event.received_at}
        return leaf.get("where") is None or holds(leaf["where"], event.properties, meta)

    def _evidence(self, condition: Any, events: Sequence[Placed]) -> tuple[frozenset[str], Callable[..., bool]]:
        """Ids of the events that any leaf outside ``none`` counts, and whether some of them are proof enough."""
        leaves, asked = list(_leaves(condition, self.plan, negated=False)), list(events)
        hits = frozenset(one.event.event_id for one in asked if any(self.hit(leaf, one) for leaf in leaves))
        return hits, lambda ids: self.true(condition, [one for one in asked if one.event.event_id in ids])

    def _instance(self, offer: Any) -> str:
        cause = self.counted[self.entered[offer["id"]] - 1]
        return identifier(offer["id"], self.entity, cause.event.event_id)

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

    def _output(self, record: str, offer: Any, placed: Placed, paid: str = "", **fields: Any) -> Output:
        instance = self._instance(offer)
        key = self.entity if self.entity.startswith("a:") else self.entity.removeprefix("u:")
        shared = {"offer": offer["id"], "instance": instance, "variant": self._variant(offer)["id"]}
        made = identifier(record, instance, paid, fields.get("side", ""), "0")
        evidence = fields.pop("evidence", (frozenset(), lambda _: True))
        return Output(record, made, key, {**shared, **self._whose(placed), **fields}, placed, *evidence)

    def _enter(self, offer: Any, placed: Placed) -> Output:
        return self._output(
            "OfferEntered", offer, placed, entered_at=placed.event.time, holdout=False, expires_at=None, via="event",
            attributes=self._variant(offer).get("attributes", {}),
            evidence=self._evidence(offer["entry"], self.counted),
        )  # fmt: skip

    def _exit(self, offer: Any, placed: Placed) -> Output:
        return self._output("OfferExited", offer, placed, reason="completed", exited_at=placed.event.time)

    def _reward(self, offer: Any, placed: Placed, since: Sequence[Placed]) -> Iterator[Output]:
        variant = self._variant(offer)
        reward = variant.get("reward")
        if not reward or self.entity.startswith("a:"):
            return
        amount, _, currency = (reward.get("value") or "").partition(" ")
        yield self._output(
            "RewardSatisfied", offer, placed, reward["id"], side="user", satisfied_at=placed.event.time,
            reward=reward["id"], late=False, referral=None, attributes=variant.get("attributes", {}),
            currency=currency or None,
            value=Decimal(amount) if amount else None, evidence=self._evidence(offer["completion"], since),
        )  # fmt: skip


def _leaves(condition: Any, plan: Workspace, negated: bool = True) -> Iterator[Any]:
    """Every leaf below a condition, references followed; without those below ``none`` unless ``negated``."""
    if condition is None:
        return
    if "event" in condition:
        yield condition
    if "condition" in condition:
        yield from _leaves(plan.conditions[condition["condition"]], plan, negated)
    for group in ("all", "any", "none") if negated else ("all", "any"):
        for one in condition.get(group, ()):
            yield from _leaves(one, plan, negated)

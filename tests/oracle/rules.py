"""The rules in force at a place of the journal, asked of explicit lists of events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from tests.oracle.expression import holds
from tests.oracle.model import Placed
from tests.oracle.workspace import Workspace

Evidence = tuple[dict[str, dict[str, Any]], Callable[[frozenset[str]], bool]]


class Rules:
    """A workspace from one activation on. ``since``: leaf to the journal offset of the activation that brought it;
    a leaf counts only what came after."""

    def __init__(self, plan: Workspace, since: Mapping[str, int]) -> None:
        self.plan = plan
        self.since = since
        self.reads = frozenset(
            plan.types[leaf["event"]].name
            for offer in plan.offers.values()
            for slot in ("entry", "audience", "completion")
            for leaf in leaves(offer.get(slot), plan)
        )
        self._hits: dict[tuple[int, int, int], bool] = {}

    def true(self, condition: Any, events: Sequence[Placed], since: Mapping[str, int] | None = None) -> bool:
        """Whether ``condition`` holds of these events; with ``since``, each leaf counts from there."""
        if "condition" in condition:
            return self.true(self.plan.conditions[condition["condition"]], events, since)
        for group, combine in (("all", all), ("any", any), ("none", lambda asked: not any(asked))):
            if group in condition:
                return bool(combine(self.true(one, events, since) for one in condition[group]))
        start, least = -1 if since is None else since[name_of(condition, self.plan)], _least(condition)
        hits = (one for one in events if one.offset > start and self.hit(condition, one))
        return len(list(islice(hits, least))) == least

    def hit(self, leaf: Any, placed: Placed) -> bool:
        """Whether the leaf counts this event. Judged once per leaf and event: a list is gone through many times."""
        asked = (id(leaf), placed.partition, placed.offset)
        if asked not in self._hits:
            self._hits[asked] = self._hit(leaf, placed)
        return self._hits[asked]

    def _hit(self, leaf: Any, placed: Placed) -> bool:
        event = placed.event
        if self.plan.types[leaf["event"]].name != event.type:
            return False
        meta: dict[str, Any] = {"source": event.source, "origin": event.origin, "event_id": event.event_id}
        meta |= {"user_id": event.user_id, "anonymous_id": event.anonymous_id}
        return leaf.get("where") is None or holds(leaf["where"], event.properties, meta)

    def evidence(self, condition: Any, events: Sequence[Placed], since: Mapping[str, int] | None = None) -> Evidence:
        """Items of the events that any leaf outside ``none`` counts, and whether some of their ids are proof enough."""
        asked, counting = list(events), list(leaves(condition, self.plan, negated=False))
        names = {one.name: one.names[0] for one in self.plan.types.values()}
        counted = [one for one in asked if any(self.hit(leaf, one) for leaf in counting)]
        hits = {one.event.event_id: one.item(names[one.event.type]) for one in counted}
        return hits, lambda ids: self.true(condition, [one for one in asked if one.event.event_id in ids], since)


def in_force(plans: Sequence[Workspace], activations: Sequence[tuple[int, str]]) -> list[tuple[int, Rules]]:
    """The rules after each activation (offset, ruleset) of a partition. ``plans`` are those of the distinct rulesets
    in order; a single one stands for all."""
    found: list[tuple[int, Rules]] = []
    distinct = list(dict.fromkeys(ruleset for _, ruleset in activations))
    if len(plans) not in (1, len(distinct)):
        raise ValueError(f"{len(plans)} workspaces given for the rulesets {distinct}")
    since: dict[str, int] = {}
    for offset, ruleset in activations:
        plan = plans[distinct.index(ruleset) if len(plans) > 1 else 0]
        asked = [offer.get(slot) for offer in plan.offers.values() for slot in ("entry", "audience")]
        names = {name_of(leaf, plan) for condition in asked for leaf in leaves(condition, plan)}
        since = {name: since.get(name, offset) for name in names}
        found.append((offset, Rules(plan, since)))
    return found


def name_of(leaf: Any, plan: Workspace) -> str:
    """What a leaf counts: two leaves that count the same are one."""
    return json.dumps([plan.types[leaf["event"]].name, leaf.get("where"), _least(leaf)])


def leaves(condition: Any, plan: Workspace, negated: bool = True) -> Iterator[Any]:
    """Every leaf below a condition, references followed; without those below ``none`` unless ``negated``."""
    if condition is None:
        return
    if "event" in condition:
        yield condition
    if "condition" in condition:
        yield from leaves(plan.conditions[condition["condition"]], plan, negated)
    for group in ("all", "any", "none") if negated else ("all", "any"):
        for one in condition.get(group, ()):
            yield from leaves(one, plan, negated)


def _least(leaf: Any) -> int:
    return int((leaf.get("count") or {}).get("at_least", 1))

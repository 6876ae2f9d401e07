"""One journal partition: its records in order, its ticks, and the rules that are in force at each of them."""

from __future__ import annotations

from tests.oracle.model import Placed
from tests.oracle.rules.entity import Entity
from tests.oracle.rules.force import Force, Rules
from tests.oracle.rules.record import Outcome
from tests.oracle.workspace import Workspace

AT_ONCE = 1000
"""Entities whose timers one tick fires, or that one tick lets exit."""


class Partition:
    """``time`` is T."""

    def __init__(self, number: int) -> None:
        self.number, self.time = number, 0
        self.force = Force()
        self.entities: dict[str, Entity] = {}
        self._cursor: str | None = None

    def activate(self, ruleset: str, plan: Workspace, offset: int) -> None:
        rules = self.force.activate(ruleset, plan, offset)
        self._cursor = "" if any(offer.raw.get("withdraw") for offer in rules.offers.values()) else None

    def take(self, entity: str, placed: Placed) -> Outcome:
        """Fold an event or a request; before the first activation nothing is counted."""
        if self.force.rules is None:
            return Outcome("unread")
        found = self.entities.setdefault(entity, Entity(entity, self.number))
        return found.take(placed, self.force.rules, self.time)

    def tick(self, due: int, offset: int) -> list[tuple[str, Outcome]]:
        """T moves, and what is due fires in the order (due, entity, kind, id); then withdrawn offers are left."""
        rules, until = self.force.rules, max(self.time, due)
        if rules is None:
            self.time = until
            return []
        first = sorted((at, one.name) for one in self.entities.values() if (at := one.first_fire_at()) <= until)
        self.time = first[AT_ONCE][0] if len(first) > AT_ONCE else until
        chosen, fired = [self.entities[name] for _, name in first[:AT_ONCE]], []
        while True:
            waiting = [(timer[0], one.name, one, timer) for one in chosen if (timer := one.next_due(self.time))]
            if not waiting:
                break
            _, name, entity, timer = min(waiting, key=lambda one: one[:2])
            done = Outcome("folded")
            entity.fire(timer, rules, offset, done)
            fired.append((name, done))
        return fired + self._swept(rules, offset)

    def _swept(self, rules: Rules, offset: int) -> list[tuple[str, Outcome]]:
        """Instances of withdrawn offers exit, so many entities with a tick, from where the last one left off."""
        if self._cursor is None:
            return []
        inside = sorted(name for name, one in self.entities.items() if name > self._cursor and one.inside)
        found = []
        for name in inside[:AT_ONCE]:
            done = Outcome("folded")
            self.entities[name].sweep(rules, self.time, offset, done)
            found += [(name, done)] if done.outputs or done.refusals else []
        self._cursor = inside[AT_ONCE - 1] if len(inside) >= AT_ONCE else None
        return found

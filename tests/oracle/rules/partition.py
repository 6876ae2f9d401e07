"""One journal partition: its records in order, its ticks, and the rules that are in force at each of them."""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush

from tests.oracle.model import Placed
from tests.oracle.rules.entity import Entity
from tests.oracle.rules.force import Force, Rules
from tests.oracle.rules.record import Outcome
from tests.oracle.workspace import Workspace

AT_ONCE = 1000
"""Entities whose timers one tick fires, or that one tick lets exit."""
FIRINGS = 2000
"""Timers that one tick fires, of all entities together."""


class Partition:
    """``time`` is T. Of each entity the T is kept from which its first timer fires: looking at everybody with every
    tick would take hours where there are many."""

    def __init__(self, number: int) -> None:
        self.number, self.time = number, 0
        self.force = Force()
        self.entities: dict[str, Entity] = {}
        self._cursor: str | None = None
        self._first: dict[str, float] = {}
        self._waiting: list[tuple[float, str]] = []

    def activate(self, ruleset: str, plan: Workspace, offset: int) -> None:
        rules = self.force.activate(ruleset, plan, offset)
        self._cursor = "" if any(offer.raw.get("withdraw") for offer in rules.offers.values()) else None

    def take(self, entity: str, placed: Placed) -> Outcome:
        """Fold an event or a request; before the first activation nothing is counted."""
        if self.force.rules is None:
            return Outcome("unread")
        found = self.entities.setdefault(entity, Entity(entity, self.number))
        outcome = found.take(placed, self.force.rules, self.time)
        self._touched(found)
        return outcome

    def tick(self, due: int, offset: int) -> list[tuple[str, Outcome]]:
        """T moves, and what is due fires in the order (due, entity, kind, id); then withdrawn offers are left."""
        rules, until = self.force.rules, max(self.time, due)
        if rules is None:
            self.time = until
            return []
        first = self._due(until)
        until = first[AT_ONCE][0] if len(first) > AT_ONCE else until
        chosen, fired = [self.entities[name] for _, name in first[:AT_ONCE]], []
        due_at = sorted(at for one in chosen for at in one.fire_times() if at <= until)
        # T stops where the first timer is that is one too many, and never goes back.
        self.time = max(self.time, due_at[FIRINGS]) if len(due_at) > FIRINGS else until
        waiting = [(timer[0], one.name) for one in chosen if (timer := one.next_due(self.time))]
        heapify(waiting)
        while waiting and len(fired) < FIRINGS:
            _, name = heappop(waiting)
            entity, done = self.entities[name], Outcome("folded")
            timer = entity.next_due(self.time)
            assert timer is not None
            entity.fire(timer, rules, offset, done)
            fired.append((name, done))
            following = entity.next_due(self.time)
            if following:
                heappush(waiting, (following[0], name))
        for entity in chosen:
            self._touched(entity)
        return fired + self._swept(rules, offset)

    def _touched(self, entity: Entity) -> None:
        """Its first timer may be another now."""
        at = entity.first_fire_at()
        if self._first.get(entity.name, math.inf) != at:
            self._first[entity.name] = at
            if at < math.inf:
                heappush(self._waiting, (at, entity.name))

    def _due(self, until: float) -> list[tuple[float, str]]:
        """Whose timers fire, in order: the first AT_ONCE of them and one more, which are waiting still."""
        found: list[tuple[float, str]] = []
        while self._waiting and self._waiting[0][0] <= until and len(found) <= AT_ONCE:
            at, name = one = heappop(self._waiting)
            if self._first[name] == at and (not found or found[-1] != one):
                found.append(one)
        for one in found:
            heappush(self._waiting, one)
        return found

    def _swept(self, rules: Rules, offset: int) -> list[tuple[str, Outcome]]:
        """Instances of withdrawn offers exit, so many entities with a tick, from where the last one left off."""
        if self._cursor is None:
            return []
        inside = sorted(name for name, one in self.entities.items() if name > self._cursor and one.inside)
        found = []
        for name in inside[:AT_ONCE]:
            done = Outcome("folded")
            self.entities[name].sweep(rules, self.time, offset, done)
            self._touched(self.entities[name])
            found += [(name, done)] if done.outputs or done.refusals else []
        self._cursor = inside[AT_ONCE - 1] if len(inside) >= AT_ONCE else None
        return found

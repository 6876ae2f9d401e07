"""One journal partition: its records in order, its ticks, and the rules that are in force at each of them."""

from __future__ import annotations

from tests.oracle.model import Placed
from tests.oracle.rules.entity import Entity, Outcome
from tests.oracle.rules.force import Force
from tests.oracle.workspace import Workspace


class Partition:
    """``time`` is T."""

    def __init__(self, number: int) -> None:
        self.number, self.time = number, 0
        self.force = Force()
        self.entities: dict[str, Entity] = {}
        self._sweeping = False

    def activate(self, ruleset: str, plan: Workspace, offset: int) -> None:
        rules = self.force.activate(ruleset, plan, offset)
        self._sweeping = any(offer.raw.get("withdraw") for offer in rules.offers.values())

    def take(self, entity: str, placed: Placed) -> Outcome:
        """Fold an event or a request; before the first activation nothing is counted."""
        if self.force.rules is None:
            return Outcome("unread")
        found = self.entities.setdefault(entity, Entity(entity, self.number))
        return found.take(placed, self.force.rules, self.time)

    def tick(self, due: int, offset: int) -> list[tuple[str, Outcome]]:
        """T moves, and what is due fires in the order (due, entity, kind, id); then withdrawn offers are left."""
        self.time = max(self.time, due)
        rules, fired = self.force.rules, []
        if rules is None:
            return []
        while True:
            due_now = [(one.next_due(self.time), one) for one in self.entities.values()]
            first = min(((timer[0], one.name) for timer, one in due_now if timer is not None), default=None)
            if first is None:
                break
            entity = self.entities[first[1]]
            timer, done = entity.next_due(self.time), Outcome("folded")
            assert timer is not None
            entity.fire(timer, rules, offset, done)
            fired.append((entity.name, done))
        if self._sweeping:
            self._sweeping = False
            for name in sorted(self.entities):
                done = Outcome("folded")
                self.entities[name].sweep(rules, self.time, offset, done)
                if done.outputs or done.refusals:
                    fired.append((name, done))
        return fired

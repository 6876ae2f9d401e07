"""The fold of one entity: its records and its timers. docs/rules.md, "One record" and "Time"."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.oracle.model import Placed
from tests.oracle.rules.ask import Hit
from tests.oracle.rules.force import Rules
from tests.oracle.rules.instance import Instance, RuleError
from tests.oracle.rules.record import Outcome, Record
from tests.oracle.rules.rewards import Rewards
from tests.oracle.workspace import REQUESTS


class Entity(Rewards):
    """One user, or one anonymous visitor. Records come in journal order; ``now`` is T."""

    def take(self, placed: Placed, rules: Rules, now: int) -> Outcome:
        """Fold an event or a request. A rule that has no result leaves everything as it was."""
        saved = (self.kept.copy(), [_copy(one) for one in self.instances], dict(self.marks), dict(self.keys), self.seq)
        try:
            return self._take(placed, rules, now)
        except RuleError as error:
            self.kept, self.instances, self.marks, self.keys, self.seq = saved
            return Outcome(f"rule_error {error}")

    def _take(self, placed: Placed, rules: Rules, now: int) -> Outcome:
        event, kept, self._rules = placed.event, self.kept, rules
        asked = event.type in REQUESTS
        if not asked and not rules.reads(rules.kinds[event.type]):
            return Outcome("unread")
        before = self.pass_time(rules, now, placed.offset, sweep=True)
        done = Outcome("folded", before.outputs, before.refusals)
        late = kept.clock is not None and event.time < kept.clock - rules.lateness
        if late and event.lateness != "ignore":
            return replace(done, verdict="too_late")
        if event.event_id in kept.remembered:
            again = event.repeats(kept.remembered[event.event_id])
            return replace(done, verdict="duplicate" if again else "conflict")
        kept.remember(event)
        if not asked and kept.known_fact(event, rules):
            return replace(done, verdict="duplicate")
        record = self._record(event.time, placed.offset, event.event_id, placed, event.received_at)
        if asked:
            self._request(event, record)
        else:
            kept.clock = event.time if kept.clock is None else max(kept.clock, event.time)
            self._refund(placed, record)
            traits = kept.traits(rules)
            record.added = kept.fold(placed, self.seq, rules, now)
            now_traits = kept.traits(rules)
            record.changed = {name for name in traits | now_traits if traits.get(name) != now_traits.get(name)}
        self._decide(record)
        return self._announce(done, record)

    def pass_time(self, rules: Rules, now: int, offset: int, sweep: bool) -> Outcome:
        """Everything that is due at T fires; then instances of withdrawn offers exit."""
        done = Outcome("folded")
        while (first := self.next_due(now)) is not None:
            self.fire(first, rules, offset, done)
        if sweep:
            self.sweep(rules, now, offset, done)
        return done

    def next_due(self, now: int) -> tuple[int, int, Any] | None:
        """(due, kind, id) of the timer that fires next at T, if there is one."""
        return min((one for one, fire_at in self._timers() if fire_at <= now), default=None)

    def first_fire_at(self) -> float:
        """The T from which the first timer fires; infinity without any."""
        return min((fire_at for _, fire_at in self._timers()), default=math.inf)

    def fire_times(self) -> Iterator[int]:
        """The T from which each of its timers fires."""
        return (fire_at for _, fire_at in self._timers())

    @property
    def inside(self) -> bool:
        """Whether it is in any offer."""
        return any(one.open for one in self.instances)

    def _timers(self) -> Iterator[tuple[tuple[int, int, Any], int]]:
        yield from (((one.due, 0, one.start.placed.offset), one.fire_at) for one in self.kept.watches)
        for one in self.instances:
            if one.open and one.expires_at is not None:
                yield (one.expires_at, 1, one.id), one.expires_fire
            if one.reward and one.reward.due is not None:
                yield (one.reward.due, 2, one.reward.id), one.reward.fire_at

    def fire(self, timer: tuple[int, int, Any], rules: Rules, offset: int, done: Outcome) -> None:
        due, kind, name = timer
        self._rules = rules
        if kind == 0:
            fired = [one for one in self.kept.watches if (one.due, one.start.placed.offset) == (due, name)]
            start = fired[0].start
            record = self._record(due, offset, f"{start.placed.event.event_id}@{due}", start.placed)
            self.kept.watches = [one for one in self.kept.watches if one not in fired]
            for one in fired:
                since = rules.since.get(one.leaf.key)
                if since is not None and one.start.offset > since:
                    hit = Hit(start.placed, due, offset, self.seq, start.order, start.seq)
                    self.kept.hits[one.leaf.key, "fired"].append(hit)
                    record.added.add((one.leaf.key, "fired"))
        else:
            owner = next(one for one in self.instances if name in (one.id, one.reward and one.reward.id))
            record = self._record(due, offset, f"{owner.id}@{due}")
            if kind == 1:
                self._exit(owner, "expired", due, record)
            elif owner.reward and owner.reward.state == "pending":
                self._satisfy(owner, owner.reward, record)
            elif owner.reward:
                owner.reward.state = "expired"
                self._reverse(owner, owner.reward, "expired", due, record)
        self._decide(record)
        self._announce(done, record)

    def sweep(self, rules: Rules, now: int, offset: int, done: Outcome) -> None:
        """Instances of withdrawn offers exit."""
        self._rules = rules
        for one in sorted((one for one in self.instances if one.open), key=lambda one: one.offer.id):
            offer = rules.offers.get(one.offer.id)
            if offer is not None and offer.raw.get("withdraw"):
                at = max(now, self.kept.clock if self.kept.clock is not None else now)
                record = self._record(at, offset, f"{one.id}@{at}")
                self._exit(one, "withdrawn", at, record)
                self._decide(record)
                self._announce(done, record)

    def _record(self, time: int, offset: int, cause: str, placed: Placed | None = None, received: int = 0) -> Record:
        self.seq += 1
        return Record(time, offset, self.seq, cause, self._view(), placed, received)

    def _announce(self, done: Outcome, record: Record) -> Outcome:
        done.outputs += [one for _, one in sorted(record.outputs, key=lambda pair: pair[0])]
        done.refusals += record.refusals
        return done


def _copy(one: Instance) -> Instance:
    return replace(one, reward=replace(one.reward) if one.reward else None)

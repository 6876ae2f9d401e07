"""What is kept of an entity's events: ids, facts, hits, traits, watches, refunds."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.expression import Stamp, holds
from tests.oracle.model import Event, Placed
from tests.oracle.rules.ask import Hit, Slot, compares, same
from tests.oracle.rules.force import Rules, asked_of
from tests.oracle.rules.tree import Absent, Asked, Leaf, Sequence

REMEMBERED_IDS = 256
REMEMBERED_FACTS = 1000
NINETY_DAYS = 90 * 24 * 3600 * 1000
WATCHES = 100
REFUNDS = 1000
LONGEST_TRAIT = 1024
NULL_REMOVES_TRAITS = True


@dataclass(frozen=True)
class Watch:
    leaf: Absent
    start: Hit
    due: int
    fire_at: int


@dataclass
class Kept:
    """Of one entity. ``log`` is every event that was folded; ``dead`` are the offsets of those that were taken back,
    ``dropped`` the hits (leaf, offset) beyond what a leaf keeps."""

    clock: int | None = None
    remembered: dict[str, Event] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)
    log: list[Placed] = field(default_factory=list)
    dead: set[int] = field(default_factory=set)
    unborn: set[int] = field(default_factory=set)
    refunds: list[Placed] = field(default_factory=list)
    hits: dict[Slot, list[Hit]] = field(default_factory=lambda: defaultdict(list))
    watches: list[Watch] = field(default_factory=list)
    dropped: set[tuple[str, int]] = field(default_factory=set)
    _traits: tuple[Any, dict[str, Any]] = field(default_factory=lambda: (None, {}))

    def copy(self) -> Kept:
        hits = defaultdict(list, {slot: list(found) for slot, found in self.hits.items()})
        return Kept(self.clock, dict(self.remembered), dict(self.facts), list(self.log), set(self.dead),
                    set(self.unborn), list(self.refunds), hits, list(self.watches), set(self.dropped))  # fmt: skip

    def remember(self, event: Event) -> None:
        self.remembered[event.event_id] = event
        while len(self.remembered) > REMEMBERED_IDS:
            del self.remembered[next(iter(self.remembered))]

    def known_fact(self, event: Event, rules: Rules) -> bool:
        unique = _type(event, rules).unique
        if not unique:
            return False
        fact = json.dumps([event.type, [event.properties[name] for name in unique]])
        if fact in self.facts and abs(event.time - self.facts[fact]) <= NINETY_DAYS:
            return True
        self.facts.pop(fact, None)
        self.facts[fact] = event.time
        while len(self.facts) > REMEMBERED_FACTS:
            del self.facts[next(iter(self.facts))]
        return False

    def traits(self, rules: Rules) -> dict[str, Any]:
        """Each trait a rule in force reads, as the last event that has it says."""
        now = (len(self.log), rules)
        if self._traits[0] != now:
            self._traits = now, self._set(rules)
        return self._traits[1]

    def _set(self, rules: Rules) -> dict[str, Any]:
        found = {}
        for name in (key.removeprefix("trait ") for key in rules.since if key.startswith("trait ")):
            setting = [
                one for one in self.log
                if one.offset > rules.since[f"trait {name}"] and _type(one.event, rules).sets_traits
                and name in one.event.properties
                and (NULL_REMOVES_TRAITS or one.event.properties[name] is not None)
                and not _too_long(one.event.properties[name])
            ]  # fmt: skip
            if setting:
                last = max(setting, key=lambda one: (one.event.time, one.offset)).event
                value = last.properties[name]
                found[name] = Stamp(value) if name in _type(last, rules).times and value is not None else value
        return found

    def remember_refund(self, placed: Placed) -> None:
        """Of which there are only so many, should the event that it takes back come later."""
        self.refunds = [*self.refunds, placed][-REFUNDS:]

    def taken_by(self, placed: Placed, rules: Rules) -> list[Placed]:
        """Events that ``placed`` takes back, and that were not yet."""
        reverses = _type(placed.event, rules).reverses
        if reverses is None:
            return []
        name = rules.plan.types[reverses["event"]].name
        return [one for one in self.log if one.event.type == name and one.offset not in self.dead
                and _pairs(placed, one, reverses["by"])]  # fmt: skip

    def take_back(self, taken: list[Placed]) -> None:
        """Hits of these events are no more; what an absence fired with stays."""
        self.dead |= {one.offset for one in taken}
        for slot, found in self.hits.items():
            if slot[1] != "fired":
                self.hits[slot] = [hit for hit in found if hit.placed.offset not in self.dead]
        self.watches = [one for one in self.watches if one.start.placed.offset not in self.dead]

    def fold(self, placed: Placed, seq: int, rules: Rules, now: int) -> set[Slot]:
        """Add the event's hits and watches; the slots that got a hit."""
        event = placed.event
        for refund in self.refunds:
            reverses = _type(refund.event, rules).reverses
            named = reverses and rules.plan.types[reverses["event"]].name == event.type
            if named and _pairs(refund, placed, reverses["by"]):
                self.dead.add(placed.offset)
                self.unborn.add(placed.offset)
        added: set[Slot] = set()
        hit = Hit(placed, event.time, placed.offset, seq, (event.time, placed.offset), seq)
        for key, leaf in rules.leaves.items() if placed.offset not in self.dead else ():
            parts = [at for at, one in enumerate(asked_of(leaf)) if passes(one, event, rules)]
            if isinstance(leaf, Leaf) and parts and self._measurable(leaf, hit, rules):
                added.add((key, ""))
            elif isinstance(leaf, Sequence) and (leaf.same is None or hit.get(leaf.same) is not None):
                added |= {(key, at) for at in parts}
            elif isinstance(leaf, Absent):
                self._watch(leaf, parts, hit, rules, now)
        for slot in added:
            self.hits[slot].append(hit)
        self.log.append(placed)
        self.forget(rules)
        return added

    def _measurable(self, leaf: Leaf, hit: Hit, rules: Rules) -> bool:
        if leaf.of is not None:
            value = hit.get(leaf.of)
            wanted = (str, int, float) if leaf.measure == "distinct" else (int, float)
            return isinstance(value, wanted) and (leaf.measure == "distinct" or not isinstance(value, bool))
        if leaf.measure != "gap":
            return True
        since = rules.since[leaf.key]
        earlier = [one.event.time for one in self.log if one.offset > since and passes(leaf.asked, one.event, rules)
                   and one.offset not in self.unborn]  # fmt: skip
        silence = hit.time - max(earlier, default=hit.time)
        return silence > 0 and all(compares(word, silence, bound) for word, bound in leaf.bounds)

    def _watch(self, leaf: Absent, parts: list[int], hit: Hit, rules: Rules, now: int) -> None:
        value = hit.get(leaf.same) if leaf.same else None
        if leaf.same and value is None:
            return

        def pair(a: Hit, b: Hit) -> bool:
            alike = leaf.same is None or same(a.get(leaf.same), b.get(leaf.same))
            return alike and a.time <= b.time <= a.time + leaf.within

        if 0 in parts:
            self.watches = [one for one in self.watches if one.leaf.key != leaf.key or not pair(one.start, hit)]
        if 1 in parts:
            since = rules.since[leaf.key]
            ended = any(pair(hit, one) for one in self.hits[leaf.key, "event"] if one.offset > since)
            due = hit.time + leaf.within
            received = hit.placed.event.received_at
            over = hit.placed.event.lateness == "ignore" and due <= max(now, received)
            if not ended and not over:
                fire_at = max(due, received) + rules.grace
                self.watches.append(Watch(leaf, hit, due, fire_at))
                mine = [one for one in self.watches if one.leaf.key == leaf.key]
                if len(mine) > WATCHES:
                    self.watches.remove(min(mine, key=lambda one: one.start.order))
        if 0 in parts:
            self.hits[leaf.key, "event"].append(hit)

    def forget(self, rules: Rules) -> None:
        """What a leaf need not keep."""
        for key, leaf in rules.leaves.items():
            if isinstance(leaf, Leaf):
                there = [hit for hit in self.hits[key, ""] if hit.offset > rules.since[key]]
                there.sort(key=lambda one: one.order)
                self.dropped |= {(key, hit.offset) for hit in there[: -leaf.max_hits]}
                kept = self.hits[key, ""] = there[-leaf.max_hits :]
                if leaf.within is not None and not leaf.since_entry and self.clock is not None:
                    oldest = self.clock - leaf.within - rules.lateness
                    self.hits[key, ""] = [hit for hit in kept if hit.time >= oldest]


def passes(asked: Asked, event: Event, rules: Rules) -> bool:
    """Whether an event bears the name and passes the expression."""
    kind = _type(event, rules)
    if not rules.named_by(asked, kind):
        return False
    if asked.where is None:
        return True
    known = {name: Stamp(value) if name in kind.times and value is not None else value
             for name, value in event.properties.items()}  # fmt: skip
    meta = {name: getattr(event, name) for name in ("event_id", "user_id", "anonymous_id", "source", "origin")}
    return holds(asked.where, known, meta)


def _pairs(refund: Placed, placed: Placed, by: str) -> bool:
    mine, other = refund.event.properties.get(by), placed.event.properties.get(by)
    near = abs(refund.event.time - placed.event.time) <= NINETY_DAYS
    return near and mine is not None and other is not None and same(mine, other)


def _type(event: Event, rules: Rules) -> Any:
    return rules.kinds[event.type]


def _too_long(value: Any) -> bool:
    """Whether a text is missing as a trait."""
    return isinstance(value, str) and len(value) > LONGEST_TRAIT

"""What the rules in force do with events of one type: the leaves that name it, and nothing else, in one list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from offerflow.rules.asking import Condition, count_alone, leaves_of, needed, walk
from offerflow.rules.conditions import ANY_EVENT, Absent, Bounds, Leaf
from offerflow.rules.conditions import Sequence as Steps
from offerflow.rules.events import Event, EventType
from offerflow.rules.expressions import Test
from offerflow.rules.measures import compared, day_of
from offerflow.rules.ruleset import Prepared

UNBOUNDED = 1 << 62


class Trigger(NamedTuple):
    """An offer whose entry asks a leaf. It cannot hold with fewer than ``least`` hits (0: not known) in the last
    ``within``; if it is ``alone`` the leaf is all of the entry, so it held before if there were as many before."""

    prepared: Prepared
    least: int
    within: int
    alone: bool


class Row(NamedTuple):
    """A leaf that names a type, with what adding a hit looks at, taken out of it for speed."""

    leaf: Counted
    test: Test | None
    key: int
    cap: int
    plain: bool
    max_hits: int
    triggers: tuple[Trigger, ...]


class Counted:
    """A leaf as the fold adds to it. ``cap``: further hits change nothing, 0 if they may; ``within``: hits older than
    that before the clock - allowed lateness are forgotten; ``kept``: properties its hits remember; ``silence``: the
    comparison of a gap; ``named``: whether hits must tell their event."""

    __slots__ = (
        "cap", "kept", "key", "leaf", "max_hits", "named", "plain", "silence", "since_entry", "test", "triggers",
        "value", "within",
    )  # fmt: skip

    def __init__(self, leaf: Leaf, cap: int, kept: frozenset[str], entries: tuple[Prepared, ...]) -> None:
        self.leaf = leaf
        self.key = leaf.key
        self.test: Test | None = leaf.test
        self.value = _value(leaf)
        self.cap = cap
        self.max_hits = leaf.max_hits
        self.since_entry = leaf.window.since_entry
        self.within = 0 if self.since_entry else UNBOUNDED if leaf.window.within is None else leaf.window.within
        self.kept = tuple(sorted(kept))
        self.triggers = tuple(_trigger(leaf, one) for one in entries)
        self.silence = compared(leaf.measure.bounds) if leaf.measure.kind == "gap" else None
        self.named = leaf.event_type == ANY_EVENT
        self.plain = self.value is None and not self.kept and self.silence is None and not self.named
        """Whether its hits are nothing but an event and a time."""


def _trigger(leaf: Leaf, prepared: Prepared) -> Trigger:
    entry = prepared.entry
    least = count_alone(leaf)
    if entry is None or least is None or all(one.key != leaf.key for one in needed(entry.node)):
        return Trigger(prepared, 0, UNBOUNDED, False)
    within = UNBOUNDED if leaf.window.within is None else leaf.window.within
    return Trigger(prepared, least, within, prepared.fresh and entry.node == leaf)


class Reading:
    """``starts`` and ``ends``: absences that wait after events of this type, and for them. ``traits``: those that are
    read of it; ``reverses``: type and property of what it takes back; ``reversed_by``: properties by which it is;
    ``completing``: versions of offers that may complete or end by it."""

    __slots__ = (
        "completing", "ends", "event_type", "kept", "name", "reads", "reversed_by", "reverses", "rows", "special",
        "starts", "traits",
    )  # fmt: skip

    def __init__(
        self, event_type: EventType, leaves: tuple[Counted, ...], starts: tuple[Absent, ...],
        ends: tuple[Absent, ...], traits: tuple[str, ...], reads: frozenset[str], kept: tuple[str, ...],
        completing: frozenset[str],
    ) -> None:  # fmt: skip
        self.event_type = event_type
        self.name = event_type.names[0]
        self.rows = tuple(Row(one, one.test, one.key, one.cap, one.plain, one.max_hits, one.triggers) for one in leaves)
        self.starts = starts
        self.ends = ends
        self.traits = traits
        self.reads = reads
        self.kept = kept
        self.completing = completing
        self.reverses = event_type.reverses
        self.reversed_by = tuple(sorted(event_type.reversed_by)) if leaves or starts else ()
        self.special = bool(starts or ends or traits or self.reverses or self.reversed_by)
        """Whether there is more to it than hits."""


class Usage:
    """Who uses which leaf: all slots of the active offers, and what instances of older ones may be asked."""

    def __init__(self, active: Iterable[Prepared], versions: Iterable[Prepared]) -> None:
        self._leaves: dict[int, Leaf] = {}
        self._by_type: dict[str, dict[int, None]] = {}
        self._absent: dict[int, Absent] = {}
        self._entries: dict[int, list[Prepared]] = {}
        self._completing: dict[int, set[str]] = {}
        self._kept: dict[int, set[str]] = {}
        self._priced: dict[int, set[str]] = {}
        self._uncapped: set[int] = set()
        self.traits: set[str] = set()
        self._trait_keys: set[str] = set()
        active = list(active)
        current = {one.offer.version for one in active}
        for prepared in active:
            self._use(prepared, active=True)
        for prepared in versions:
            if prepared.offer.version not in current:
                self._use(prepared, active=False)

    def _use(self, prepared: Prepared, *, active: bool) -> None:
        lasting = list(prepared.lasting())
        for slot, condition in prepared.conditions():
            if not active and condition not in lasting:
                continue
            self.traits |= condition.traits
            keys = self._record(condition)
            self._uncap(prepared, slot, condition)
            if slot == "entry":
                for key in sorted(condition.keys) if active else ():
                    self._entries.setdefault(key, []).append(prepared)
                if prepared.offer.key is not None:
                    self._keep(keys, {prepared.offer.key})
                    self._trait_keys |= {prepared.offer.key} if condition.traits else set()
            if slot in ("completion", "exit"):
                for key in condition.keys:
                    self._completing.setdefault(key, set()).add(prepared.offer.version)
            for variant, reads in prepared.prices.items() if active or slot != "entry" else ():
                completion = prepared.completion(variant)
                if completion is condition or (slot == "entry" and completion == "immediate"):
                    for key in keys:
                        self._priced.setdefault(key, set()).update(reads)

    def _record(self, condition: Condition) -> set[int]:
        """The leaves of a condition, and the keys of its absences; gives all of them."""
        keys = set()
        for leaf in leaves_of([condition.node]):
            self._leaves[leaf.key] = leaf
            self._by_type.setdefault(leaf.event_type, {})[leaf.key] = None
            keys.add(leaf.key)
        for node in walk(condition.node):
            if isinstance(node, Absent):
                self._absent[node.key] = node
                keys.add(node.key)
        return keys

    def _keep(self, keys: Iterable[int], names: Iterable[str]) -> None:
        for key in keys:
            self._kept.setdefault(key, set()).update(names)

    def _uncap(self, prepared: Prepared, slot: str, condition: Condition) -> None:
        """Leaves of which every hit may matter: all but those that an audience asks, or that are all of an entry that
        happens once."""
        for node in walk(condition.node):
            if isinstance(node, Leaf):
                alone = slot == "entry" and condition.node is node and prepared.fresh
                if not alone and slot != "audience":
                    self._uncapped.add(node.key)
            elif isinstance(node, Steps):
                self._uncapped.update(step.key for step in node.steps)
            elif isinstance(node, Absent):
                self._uncapped.add(node.event.key)

    def entries(self, key: int) -> tuple[Prepared, ...]:
        """The offers whose entry asks a leaf, in the order they are entered."""
        return tuple(sorted(self._entries.get(key, ()), key=lambda one: one.order))

    def absent(self, key: int) -> Absent | None:
        return self._absent.get(key)

    def reading(self, event_type: EventType) -> Reading | None:
        """What is done with events of a type; None for nothing."""
        names = (event_type.name,) if event_type.system else (event_type.name, ANY_EVENT)
        keys = {key: None for name in names for key in self._by_type.get(name, {})}
        leaves = tuple(self._counted(self._leaves[key], event_type) for key in keys)
        starts = tuple(one for one in self._absent.values() if one.after.event_type in names)
        ends = tuple(one for one in self._absent.values() if one.event.event_type in names)
        traits = tuple(sorted(self.traits)) if event_type.sets_traits else ()
        kept = {name for one in starts for name in self._kept.get(one.key, ())} | event_type.reversed_by
        back = event_type.reverses
        reverses = back is not None and self._reads_type(back.event_type)
        if not leaves and not starts and not traits and not reverses:
            return None
        reads = set(traits) | kept | event_type.reversed_by
        if traits:
            reads |= self._trait_keys
        for one in leaves:
            reads |= one.leaf.reads | set(one.kept) | self._priced.get(one.key, set())
        for absent in starts:
            reads |= absent.after.reads
        if reverses and back is not None:
            reads.add(back.by)
        completing = frozenset[str]().union(*(self._completing.get(key, ()) for key in keys))
        return Reading(event_type, leaves, starts, ends, traits, frozenset(reads), tuple(sorted(kept)), completing)

    def keys_of(self, event_type: str, *, system: bool) -> set[int]:
        """Leaves that hits of events of a type may be in."""
        return {*self._by_type.get(event_type, ()), *(() if system else self._by_type.get(ANY_EVENT, ()))}

    def _reads_type(self, name: str) -> bool:
        """Whether a leaf may name the type, which is not a system event if it can be reversed."""
        starts = any(one.after.event_type in (name, ANY_EVENT) for one in self._absent.values())
        return starts or name in self._by_type or ANY_EVENT in self._by_type

    def _counted(self, leaf: Leaf, event_type: EventType) -> Counted:
        kept = frozenset(self._kept.get(leaf.key, ())) | event_type.reversed_by
        cap = 0 if leaf.key in self._uncapped or kept or leaf.reversible else _cap(leaf)
        return Counted(leaf, cap, kept, self.entries(leaf.key))


def _cap(leaf: Leaf) -> int:
    """How many hits tell everything about a count of all time: as many as it asks for."""
    bounds, window = leaf.measure.bounds, leaf.window
    unbounded = window.within is window.start is window.end is None and not window.since_entry
    alone = bounds == Bounds(at_least=bounds.at_least) and isinstance(bounds.at_least, int)
    return int(bounds.at_least or 0) if leaf.measure.kind == "count" and unbounded and alone else 0


def _value(leaf: Leaf) -> Callable[[Event], Any] | None:
    zone = leaf.measure.zone
    if leaf.measure.kind in ("days", "streak") and zone is not None:
        return lambda event: day_of(event.time, zone)
    return leaf.value

"""The fold of one journal partition, record after record: events, requests, ticks and activations. Pure.

The one place that knows what a tick does. Workers, `offerflow test`, simulations and tests differ only in where they
keep the states (``States``). Stream time T is ``state.time``; it moves by ticks alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from typing import Protocol

import msgspec

from offerflow.rules.decide import ask, decide, fire, leave, next_due, pending_exit, skip, sweep
from offerflow.rules.events import Event, EventType
from offerflow.rules.live import LiveRules, activate
from offerflow.rules.outcomes import Decision
from offerflow.rules.requests import Request
from offerflow.rules.ruleset import Ruleset
from offerflow.rules.state import EntityState, PartitionState, has_open, pack, unpack_entity
from offerflow.rules.timers import timers

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
ENTITIES_PER_TICK = 1000
"""Entities whose timers one tick fires at most; T stops where the next one would have to."""

SWEPT_PER_TICK = 1000
FIRINGS_PER_TICK = 2000
"""Of all entities together."""


class NotLoaded(Exception):
    """The states at hand do not reach as far as a tick must look. Nothing was changed."""


class HalfChanged(Exception):
    """A rule failed in a hurry, and the state of its entity may be half changed: fold the batch again, with care."""


class States(Protocol):
    """Where the states of a partition's entities are kept during a fold, with the order in which timers fire."""

    def get(self, entity: str) -> EntityState:
        """The state itself, which the fold changes in place; a new one for an entity not met before."""

    def put(self, entity: str, state: EntityState, fire_at: int | None, is_open: bool) -> None:
        """Keep what became of a state, with the T from which its first timer fires, and whether it is in an offer."""

    def due(self, until: int, limit: int) -> list[tuple[int, str]]:
        """The first ``limit`` of (fire_at, entity) with fire_at <= ``until``, in order. Raises NotLoaded."""

    def open_after(self, cursor: str, limit: int) -> list[str]:
        """The first ``limit`` entities after ``cursor`` that are in an offer, in order. Raises NotLoaded."""


class Failure(msgspec.Struct, frozen=True):
    """A rule failed on an entity. ``what``: the timer that was consumed by it, empty for the record itself."""

    entity: str
    error: str
    what: str = ""

    @classmethod
    def of(cls, entity: str, error: Exception) -> Failure:
        """With the same words in every process: an object that an error shows may lie elsewhere in each."""
        return cls(entity, _ADDRESS.sub("", repr(error)))


class Passed(msgspec.Struct, frozen=True):
    """What a tick came to, in order. ``more``: timers that are due, or a sweep, are left for another tick."""

    decisions: list[tuple[str, Decision]]
    failures: list[Failure]
    more: bool


class Fold:
    """One partition's fold from where ``state`` stands. ``compiled`` gives the ruleset of a hash.

    With ``careful`` every state is packed before it is touched, so that a failure of a rule leaves it as it was;
    without, a failure raises HalfChanged. ``states`` may be exchanged between records, after ``settle``.
    """

    def __init__(
        self, partition: int, state: PartitionState, compiled: Callable[[str], Ruleset], states: States,
        *, careful: bool = True,
    ) -> None:  # fmt: skip
        self.partition = partition
        self.state = state
        self.states = states
        self.careful = careful
        self._compiled = compiled
        self._touched: dict[str, EntityState] = {}
        self.rules = LiveRules(state, compiled)

    def event(self, entity: str, event: Event, event_type: EventType) -> Decision | Failure:
        """Fold one event of ``entity``, whose journal key it is. A failure leaves the state as it was."""
        state = self._touched.get(entity) or self.states.get(entity)
        before, generation = pack(state) if self.careful else None, state.generation
        try:
            decision = decide(self.rules, entity, state, event, event_type, self.state.time)
        except Exception as error:  # a rule that fails costs its record, not the stage
            return self._failed(entity, state, before, error)
        if decision.changed or state.generation != generation:
            self._touched[entity] = state
        return decision

    def request(self, entity: str, request: Request) -> Decision | Failure:
        """Fold one request of ``entity``."""
        state = self._touched.get(entity) or self.states.get(entity)
        before, generation = pack(state) if self.careful else None, state.generation
        try:
            decision = ask(self.rules, entity, state, request, self.state.time)
        except Exception as error:
            return self._failed(entity, state, before, error)
        if decision.changed or state.generation != generation:
            self._touched[entity] = state
        return decision

    def tick(self, due: int, appended: int, offset: int) -> Passed:
        """Move T to ``due``, at most to the append time of the tick, and fire what is due. Raises NotLoaded."""
        self.settle()
        until = max(self.state.time, min(due, appended))
        first = self.states.due(until, ENTITIES_PER_TICK + 1)
        cursor = self.state.sweep
        swept = [] if cursor is None else self.states.open_after(cursor, SWEPT_PER_TICK)
        more = len(first) > ENTITIES_PER_TICK
        now = self._stop(first[:ENTITIES_PER_TICK], first[-1][0] if more else until)
        passed = Passed([], [], more)
        left = self._fire([entity for _, entity in first[:ENTITIES_PER_TICK]], offset, now, passed)
        self._sweep(swept, offset, now, passed)
        if cursor is not None:
            cursor = swept[-1] if len(swept) == SWEPT_PER_TICK else None
        self.state = msgspec.structs.replace(self.state, time=now, sweep=cursor)
        self.settle()
        return msgspec.structs.replace(passed, more=more or left or now < until or cursor is not None)

    def activate(self, ruleset: str) -> None:
        """From here on the rules of ``ruleset`` decide."""
        self.settle()
        self.state = activate(self.state, self._compiled(ruleset))
        self.rules = LiveRules(self.state, self._compiled)

    def settle(self) -> None:
        """Hand what changed to the states: at the end of a batch, and before anybody looks at their timers."""
        for entity, state in self._touched.items():
            self.states.put(entity, state, state.timer, has_open(state))
        self._touched.clear()

    def back_to(self, state: PartitionState) -> None:
        """Stand where ``state`` says, which this fold had before: what was done since is forgotten."""
        self._touched.clear()
        if state is not self.state:
            self.state = state
            self.rules = LiveRules(state, self._compiled)

    def _stop(self, first: list[tuple[int, str]], until: int) -> int:
        """The T up to which no more timers fire than one tick may: where the next one would have to, or ``until``."""
        found: list[int] = []
        for fire_at, entity in first:
            if len(found) > FIRINGS_PER_TICK and fire_at >= found[-1]:
                break
            state = self.states.get(entity)
            found += [timer.fire_at for timer in timers(state) if timer.fire_at <= until]
            if len(found) > FIRINGS_PER_TICK:
                found.sort()
                del found[FIRINGS_PER_TICK + 1 :]
        return max(self.state.time, found[-1]) if len(found) > FIRINGS_PER_TICK else until

    def _fire(self, entities: Iterable[str], offset: int, now: int, passed: Passed) -> bool:
        """Fire in the order (due, entity); whether anything that is due was left."""
        queue = []
        for entity in entities:
            state = self._touched[entity] = self.states.get(entity)
            first = next_due(state, now)
            if first is not None:
                queue.append((first[1], entity))
        heapify(queue)
        for _ in range(FIRINGS_PER_TICK):
            if not queue:
                break
            _, entity = heappop(queue)
            state = self._touched[entity]
            if self._fire_first(entity, state, offset, now, passed) and (first := next_due(state, now)) is not None:
                heappush(queue, (first[1], entity))
        return bool(queue)

    def _fire_first(self, entity: str, state: EntityState, offset: int, now: int, passed: Passed) -> bool:
        """Whether a timer of the entity was due. One that fails is consumed."""
        before = pack(state) if self.careful else None
        try:
            decision = fire(self.rules, entity, state, self.partition, offset, now)
        except Exception as error:
            failure = self._failed(entity, state, before, error)
            passed.failures.append(msgspec.structs.replace(failure, what=skip(state, now)))
            return True
        if decision is not None:
            passed.decisions.append((entity, decision))
        return decision is not None

    def _sweep(self, entities: Iterable[str], offset: int, now: int, passed: Passed) -> None:
        """Let instances of withdrawn offers exit."""
        for entity in entities:
            state = self._touched.get(entity) or self.states.get(entity)
            if not pending_exit(self.rules, state):
                continue
            before = pack(state) if self.careful else None
            try:
                decision = sweep(self.rules, entity, state, offset, now)
            except Exception as error:
                failure = self._failed(entity, state, before, error)
                passed.failures.append(msgspec.structs.replace(failure, what="exit from a withdrawn offer"))
                leave(self.rules, state, now)
                self._touched[entity] = state
            else:
                self._touched[entity] = state
                passed.decisions.append((entity, decision))

    def _failed(self, entity: str, state: EntityState, before: bytes | None, error: Exception) -> Failure:
        if before is None:
            raise HalfChanged(entity) from error
        whole = unpack_entity(before)
        for name in EntityState.__struct_fields__:
            setattr(state, name, getattr(whole, name))
        return Failure.of(entity, error)

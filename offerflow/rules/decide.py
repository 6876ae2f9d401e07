"""The decision: fold one record into the state of its entity and say what follows. Pure.

One event, in the order of docs/rules.md:

1. If no rule in force reads its type, it leaves no trace.
2. The entity's own timers that are due at T fire, and its instances of withdrawn offers exit.
3. If it is too late, it is ignored.
4. If it is a repeat it is ignored; if its id was seen with other content, it is a conflict.
5. The clock moves, and what it reverses is taken back.
6. It becomes a hit of the leaves that count it; traits and watches are updated.
7. Completions are asked, then exits, then entries.
8. Outputs are announced in their order.

If any of it raises, the state may be half changed: the caller throws it away.
"""

from __future__ import annotations

from offerflow.rules.absences import watch
from offerflow.rules.asks import NAMES, carry_out
from offerflow.rules.consequences import finish, follow, nothing_follows
from offerflow.rules.events import Event, EventType
from offerflow.rules.firing import consume, fire_timer, withdraw
from offerflow.rules.hits import Added, count
from offerflow.rules.live import LiveRules
from offerflow.rules.memory import ConflictError, remember_event, remember_fact, remember_request
from offerflow.rules.outcomes import Decision, Evidence, Verdict
from offerflow.rules.reading import Reading
from offerflow.rules.record import Record
from offerflow.rules.refunds import reverse, reversed_before
from offerflow.rules.requests import Request
from offerflow.rules.settling import settle
from offerflow.rules.state import EntityState, Instance, Status
from offerflow.rules.timers import first_due, first_fire_at
from offerflow.rules.traits import learn

_UNREAD = Decision(Verdict.UNREAD, changed=False)
_FOLDED = Decision(Verdict.FOLDED)
_NOTHING: list[Decision] = []


def decide(
    rules: LiveRules, entity: str, state: EntityState, event: Event, event_type: EventType, now: int
) -> Decision:  # fmt: skip
    """Fold ``event`` into ``state``, which is changed in place. ``entity`` is the journal key such as ``u:42``;
    ``event_type`` the plan's entry for the event; ``now`` is T, 0 before the first tick."""
    reading = rules.reading(event_type)
    if reading is None:
        return _UNREAD
    settled = state.generation != rules.generation
    if settled:
        settle(rules, state)
    before = _NOTHING
    if (state.timer is not None and state.timer <= now) or rules.withdrawn:
        before = _overdue(rules, entity, state, event.partition, now)
    time, clock = event.time, state.clock
    late = time < clock
    if late and time < clock - rules.lateness and not event.exempt:
        return _with(before, Decision(Verdict.TOO_LATE, changed=settled or bool(before)))
    try:
        ids = remember_event(state.ids, event)
    except ConflictError as conflict:
        return _with(before, Decision(Verdict.CONFLICT, detail=str(conflict), changed=settled or bool(before)))
    if ids is None:
        return _with(before, Decision(Verdict.DUPLICATE, changed=settled or bool(before)))
    state.ids = ids
    if reading.event_type.unique:
        facts = remember_fact(state.facts, event, reading.event_type)
        if facts is None:
            return _with(before, Decision(Verdict.DUPLICATE))
        state.facts = facts
    if not late:
        state.clock = time
    state.turn += 1
    added = Added()
    if not late and not reading.special:
        count(rules, state, reading, event, added, late)
        if nothing_follows(state, reading, added.asked, time):
            return _with(before, _FOLDED)
        record = _record(rules, entity, state, reading, event, added, late)
    else:
        record = _record(rules, entity, state, reading, event, added, late)
        if reading.reverses is not None:
            reverse(record, reading, event)
        if not (reading.reversed_by and reversed_before(record, reading, event)):
            count(rules, state, reading, event, added, late)
            if reading.starts or reading.ends:
                watch(record, reading, event, now)
        if reading.traits:
            learn(record, reading, event)
    follow(record, added.asked)
    finish(record)
    return _with(before, record.decision())


def _record(
    rules: LiveRules, entity: str, state: EntityState, reading: Reading, event: Event, added: Added, late: bool
) -> Record:  # fmt: skip
    proof = Evidence(event.event_id, reading.name, event.time, event.partition, event.offset)
    record = Record(
        rules, entity, state, event.time, event.received_at, event.partition, event.event_id, proof, late, event
    )
    record.touched, record.replaced = added.touched, added.replaced
    return record


def ask(rules: LiveRules, entity: str, state: EntityState, request: Request, now: int) -> Decision:
    """Fold a request into ``state``, which is changed in place. It takes steps 2 to 4 like an event, but does not move
    the clock."""
    settled = state.generation != rules.generation
    if settled:
        settle(rules, state)
    before = _overdue(rules, entity, state, request.partition, now)
    if request.time < state.clock - rules.lateness and not request.exempt:
        return _with(before, Decision(Verdict.TOO_LATE, changed=settled or bool(before)))
    try:
        ids = remember_request(state.ids, request.event_id, request.content_hash)
    except ConflictError as conflict:
        return _with(before, Decision(Verdict.CONFLICT, detail=str(conflict), changed=settled or bool(before)))
    if ids is None:
        return _with(before, Decision(Verdict.DUPLICATE, changed=settled or bool(before)))
    state.ids = ids
    state.turn += 1
    name = NAMES[type(request).__name__]
    proof = Evidence(request.event_id, name, request.time, request.partition, request.offset)
    late = request.time < state.clock
    record = Record(
        rules, entity, state, request.time, request.received_at, request.partition, request.event_id, proof, late
    )
    carry_out(record, request)
    return _with(before, record.decision())


def fire(
    rules: LiveRules, entity: str, state: EntityState, partition: int, offset: int, now: int
) -> Decision | None:  # fmt: skip
    """Fire the entity's next timer that is due at ``now``, None if there is none."""
    if state.generation != rules.generation:
        settle(rules, state)
    timer = first_due(state, now)
    return None if timer is None else fire_timer(rules, entity, state, timer, partition).decision()


def skip(state: EntityState, now: int) -> str:
    """Take away the timer that ``fire`` would fire next, without any effect; says which it was."""
    timer = first_due(state, now)
    if timer is None:
        return ""
    said = consume(state, timer)
    state.timer = first_fire_at(state)
    return said


def next_due(state: EntityState, now: int | None = None) -> tuple[int, int] | None:
    """(fire_at, due) of a timer, None if there is none: without ``now`` of the one that fires first of all, with it of
    the one that ``fire`` fires next."""
    if now is not None:
        first = first_due(state, now)
    elif state.timer is None:
        return None
    else:
        first = first_due(state, state.timer)
    return None if first is None else first[:2]


def pending_exit(rules: LiveRules, state: EntityState) -> bool:
    """Whether the entity is in an offer that was withdrawn."""
    return bool(rules.withdrawn) and any(
        one.status == Status.OPEN and one.offer in rules.withdrawn for one in state.instances
    )


def sweep(rules: LiveRules, entity: str, state: EntityState, offset: int, now: int) -> Decision:
    """End the entity's instances of withdrawn offers."""
    if state.generation != rules.generation:
        settle(rules, state)
    return _together(_withdraw(rules, entity, state, 0, now))


def leave(rules: LiveRules, state: EntityState, now: int) -> None:
    """Take the entity out of withdrawn offers without any effect, where ``sweep`` fails."""
    for instance in _leaving(rules, state):
        instance.status, instance.ended_at, instance.fire_at = Status.WITHDRAWN, max(now, state.clock), None
        known = state.offers[instance.offer]
        known.open -= 1
        known.ended_at = instance.ended_at
    state.timer = first_fire_at(state)


def _overdue(rules: LiveRules, entity: str, state: EntityState, partition: int, now: int) -> list[Decision]:
    """What should have happened by T."""
    found = []
    while (timer := first_due(state, now)) is not None:
        found.append(fire_timer(rules, entity, state, timer, partition).decision())
    if rules.withdrawn:
        found += _withdraw(rules, entity, state, partition, now)
    return found


def _withdraw(rules: LiveRules, entity: str, state: EntityState, partition: int, now: int) -> list[Decision]:
    at = max(now, state.clock)
    leaving = _leaving(rules, state)
    leaving.sort(key=lambda one: (rules.versions[one.version].offer.rank, one.offer, one.turn))
    return [
        withdraw(rules, entity, state, one, at, partition).decision()
        for one in leaving
        if one.status == Status.OPEN
    ]  # fmt: skip


def _leaving(rules: LiveRules, state: EntityState) -> list[Instance]:
    return [one for one in state.instances if one.status == Status.OPEN and one.offer in rules.withdrawn]


def _with(before: list[Decision], decision: Decision) -> Decision:
    return _together([*before, decision]) if before else decision


def _together(decisions: list[Decision]) -> Decision:
    """Several decisions as one: the outputs of all of them, and the last one's verdict."""
    if not decisions:
        return Decision(Verdict.FOLDED, changed=False)
    last = decisions[-1]
    return Decision(
        last.verdict,
        tuple(output for one in decisions for output in one.outputs),
        tuple(refused for one in decisions for refused in one.refusals),
        detail=last.detail,
        changed=any(one.changed for one in decisions),
        late=last.late,
        rewards=tuple(reward for one in decisions for reward in one.rewards),
    )

"""What a record leads to once its hits are added: completions, exits, entries, and what those touch in turn."""

from __future__ import annotations

from offerflow.rules.entries import Asked, ask_entries, may_hold
from offerflow.rules.hits import may_complete_late
from offerflow.rules.instances import ask_begun, ask_completion, ask_exit, completion_of, tidy, touches
from offerflow.rules.reading import Reading
from offerflow.rules.record import Record, prepared_of
from offerflow.rules.state import EntityState, Instance, Status
from offerflow.rules.timers import first_fire_at


def nothing_follows(state: EntityState, reading: Reading, asked: Asked, time: int) -> bool:
    """Whether an event that came in order, and is nothing but hits, can end no instance and enters no offer."""
    for one in state.instances:
        if one.version in reading.completing:
            return False
    return not any(may_hold(state, one, time) for one in asked)


def follow(record: Record, asked: Asked) -> None:
    """Ask completions, then exits, then entries (``asked``: offers with a leaf in their entry that was touched); then
    once more what names an offer that was entered or ended meanwhile."""
    changes = record.offers
    live = _in_order(record, record.state.instances) if record.state.instances else []
    completions, exits = [], []
    for one in live:
        if touches(record, completion_of(record, one)):
            ask_completion(record, one)
        completions.append((one, len(changes)))
    for one in live:
        if one.status == Status.OPEN and touches(record, prepared_of(record.rules, one).exit):
            ask_exit(record, one)
        exits.append((one, len(changes)))
    if asked or record.traits or changes:
        for begun in ask_entries(record, asked):
            completions.append(begun)
            exits.append(begun)
    if changes:
        _ask_again(record, completions, exits)


def follow_entered(record: Record, instance: Instance) -> None:
    """The same after a request entered an offer."""
    ask_begun(record, instance)
    follow(record, {})


def _ask_again(record: Record, completions: list[tuple[Instance, int]], exits: list[tuple[Instance, int]]) -> None:
    """Ask the instances that name an offer which changed since they were asked."""
    changes = record.offers
    for instance, since in completions:
        completion = completion_of(record, instance)
        if completion is not None and _alive(record, instance) and completion.offers.intersection(changes[since:]):
            ask_completion(record, instance)
    for instance, since in exits:
        exit_ = prepared_of(record.rules, instance).exit
        if instance.status == Status.OPEN and exit_ is not None and exit_.offers.intersection(changes[since:]):
            ask_exit(record, instance)


def _in_order(record: Record, instances: list[Instance]) -> list[Instance]:
    found = [one for one in instances if _alive(record, one)]
    if len(found) > 1:
        found.sort(key=lambda one: (prepared_of(record.rules, one).offer.rank, one.offer, one.turn))
    return found


def _alive(record: Record, instance: Instance) -> bool:
    return instance.status == Status.OPEN or may_complete_late(instance, record.clock, record.rules.lateness)


def finish(record: Record) -> None:
    """Leave the state in order: what is over goes, and the first timer is known."""
    if record.timed or record.entered:
        tidy(record)
        record.state.timer = first_fire_at(record.state)

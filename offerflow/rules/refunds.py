"""Events that take others back: their hits and watches go, and rewards that no longer hold are reversed."""

from __future__ import annotations

from offerflow.rules.asking import Condition
from offerflow.rules.events import Event
from offerflow.rules.hits import may_be_reversed
from offerflow.rules.ids import short_text
from offerflow.rules.instances import view_of
from offerflow.rules.measures import apart
from offerflow.rules.memory import REVERSIBLE_FOR, remember_reversal, was_reversed
from offerflow.rules.reading import Reading
from offerflow.rules.record import Record, prepared_of
from offerflow.rules.rewards import take_back
from offerflow.rules.ruleset import Prepared
from offerflow.rules.state import NEVER, Hit, Instance
from offerflow.rules.views import AtEntry, AtEntryOfKey, Leaves, OfInstance, View


def reverse(record: Record, reading: Reading, event: Event) -> None:
    """Take back what ``event`` reverses, and ask the rewards that counted it again."""
    back, state = reading.reverses, record.state
    value = None if back is None else short_text(event.properties.get(back.by))
    if back is None or value is None:
        return
    state.reversals = remember_reversal(state.reversals, back.event_type, back.by, value, event.time)
    reversed_type = record.rules.types.get(back.event_type)
    name = back.event_type if reversed_type is None else reversed_type.names[0]

    def taken(hit: Hit) -> bool:
        return (
            hit.kept is not None
            and apart(hit.kept.get(back.by)) == apart(value)
            and abs(event.time - hit.time) <= REVERSIBLE_FOR
            and (hit.event is None or hit.event == name)
        )

    removed: dict[int, list[Hit]] = {}
    system = reversed_type is not None and reversed_type.system
    for key in sorted(record.rules.usage.keys_of(back.event_type, system=system)):
        hits = state.leaves.get(key)
        gone = [hit for hit in hits or () if taken(hit)]
        if hits and gone:
            removed[key] = gone
            record.replaced.setdefault(key, list(hits))
            state.leaves[key] = [hit for hit in hits if not taken(hit)]
    _end_watches(record, back.event_type, back.by, value, name, event.time)
    for instance in state.runs():
        if may_be_reversed(instance, state.clock, record.rules.lateness):
            _ask_again(record, instance, removed)


def reversed_before(record: Record, reading: Reading, event: Event) -> bool:
    """Whether the event was taken back before it came."""
    return any(
        (value := short_text(event.properties.get(name))) is not None
        and was_reversed(record.state.reversals, event.type, name, value, event.time)
        for name in reading.reversed_by
    )


def _end_watches(record: Record, event_type: str, by: str, value: object, name: str, time: int) -> None:
    usage = record.rules.usage
    left = []
    for watch in record.state.watches:
        absent = usage.absent(watch.key)
        started = absent is not None and (absent.after.event_type == event_type or watch.event == name)
        same = watch.kept is not None and apart(watch.kept.get(by)) == apart(value)
        if not (started and same and abs(time - watch.time) <= REVERSIBLE_FOR):
            left.append(watch)
    if len(left) != len(record.state.watches):
        record.state.watches = left
        record.timed = True


def _ask_again(record: Record, instance: Instance, removed: Leaves) -> None:
    """Whether the reward of an instance that counted something that is gone still holds."""
    prepared = prepared_of(record.rules, instance)
    completion = prepared.completion(instance.variant)
    reward = instance.reward
    if reward is None or completion is None:
        return
    if isinstance(completion, Condition):
        view = view_of(record, instance, prepared)
        view.truths = instance.truths
        before = OfInstance(removed, view.traits, view.offers, view.horizon, instance, view.own)
        until = instance.expires_at
        if any(until is None or hit.time <= until for hit in completion.hits(before)):
            moments = sorted({hit.time for hit in completion.hits(view)})
            moments = [at for at in moments if at >= instance.entered_at and (until is None or at <= until)]
            if completion.first(view, moments) is None:
                take_back(record, instance, "refund")
    elif prepared.entry is not None and not instance.by_request:
        before_entry = _at_entry(record, instance, prepared, removed)
        if any(hit.time <= instance.entered_at for hit in prepared.entry.hits(before_entry)):
            view_then = _at_entry(record, instance, prepared, record.state.leaves)
            view_then.truths = instance.truths
            if not prepared.entry.holds(view_then, instance.entered_at):
                take_back(record, instance, "refund")


def _at_entry(record: Record, instance: Instance, prepared: Prepared, leaves: Leaves) -> View:
    traits, offers, used = record.state.traits, record.state.offers, instance.used
    name = prepared.offer.key
    if name is not None and instance.key is not None:
        return AtEntryOfKey(leaves, traits, offers, NEVER, used, name, instance.key, instance.turn)
    return AtEntry(leaves, traits, offers, NEVER, used, instance.turn)

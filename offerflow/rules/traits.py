"""What is known of a user: each trait is that of the latest event that has it."""

from __future__ import annotations

from offerflow.rules.events import Event
from offerflow.rules.reading import Reading
from offerflow.rules.record import Record
from offerflow.rules.state import MAX_TRAIT


def learn(record: Record, reading: Reading, event: Event) -> None:
    """Set the traits that ``event`` has, unless a later one set them; null removes one, too long a text is missing."""
    state = record.state
    when = (event.time, record.turn)
    before = dict(state.traits)
    for name in reading.traits:
        if name not in event.properties or tuple(state.traits_set.get(name, ())) > when:
            continue
        value = event.properties[name]
        if value.__class__ is str and len(value) > MAX_TRAIT:
            continue
        state.traits_set[name] = when
        if value is None:
            state.traits.pop(name, None)
        else:
            state.traits[name] = value
        if before.get(name) != value:
            record.traits.add(name)
    record.before_traits = before

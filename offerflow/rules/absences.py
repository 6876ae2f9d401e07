"""Waiting for what does not happen: watches begin with an event, end with the other, and fire when time is up."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from offerflow.rules.conditions import Absent, Leaf
from offerflow.rules.events import Event
from offerflow.rules.ids import short_id, short_text
from offerflow.rules.measures import apart
from offerflow.rules.reading import Reading
from offerflow.rules.record import Record
from offerflow.rules.state import MAX_WATCHES, Watch
from offerflow.rules.views import TIME


def watch(record: Record, reading: Reading, event: Event, now: int) -> None:
    """End the watches that ``event`` disturbs, then start its own."""
    for absent in reading.ends:
        if _passes(absent.event, event):
            _end(record, absent, event)
    for absent in reading.starts:
        due = event.time + absent.within
        if _passes(absent.after, event) and not (event.exempt and due <= max(now, event.received_at)):
            _start(record, reading, absent, event, due)


def _passes(leaf: Leaf, event: Event) -> bool:
    return (leaf.test is None or leaf.test(event)) and (leaf.value is None or leaf.value(event) is not None)


def _value(leaf: Leaf, event: Event) -> Any:
    return None if leaf.value is None else leaf.value(event)


def _end(record: Record, absent: Absent, event: Event) -> None:
    value = _value(absent.event, event)
    left = [
        one for one in record.state.watches
        if one.key != absent.key or apart(one.value) != apart(value) or not one.time <= event.time <= one.due
    ]  # fmt: skip
    if len(left) != len(record.state.watches):
        record.state.watches = left
        record.timed = True


def _start(record: Record, reading: Reading, absent: Absent, event: Event, due: int) -> None:
    state, value = record.state, _value(absent.after, event)
    hits = state.leaves.get(absent.event.key, [])
    for hit in hits[bisect_left(hits, event.time, key=TIME) :]:
        if hit.time > due:
            break
        if apart(hit.value) == apart(value) and hit.turn != record.turn:
            return
    properties = event.properties
    fire_at = max(due, event.received_at) + record.rules.settings.grace
    kept = {name: short_text(properties[name]) for name in reading.kept if properties.get(name) is not None} or None
    name = reading.name if absent.after.event_type == "*" else None
    state.watches.append(
        Watch(
            absent.key, due, fire_at, event.time, record.turn, event.offset, short_id(event.event_id),
            event.received_at, value, name, kept,
        )
    )  # fmt: skip
    record.timed = True
    same = [one for one in state.watches if one.key == absent.key]
    if len(same) > MAX_WATCHES:
        state.watches.remove(min(same, key=lambda one: (one.time, one.turn)))

"""What is personal hidden in an event, by its event type as far as that is known."""

from __future__ import annotations

from typing import Any

from console.dead_letters.hiding import Hide, hidden_document, hiding, known_schema, versions_of
from console.events.sent import ABSENT
from console.events.verdicts import Verdict
from console.events.world import World
from schemas.plan import EventSchema
from schemas.raw import is_framed


def hiding_sent(world: World, verdict: Verdict) -> Hide:
    """Of what arrived: its event type by the name it came under; none of what cannot be read."""
    arrival = verdict.arrival
    if arrival is None or arrival.why is not None:
        return hiding(world.personal, world.plan, None)
    schema = _type_of(world, verdict)
    # An id may join two records of which only the other was stored.
    if schema is None or not any(arrival.event in one.names for one in versions_of(world.plan, schema)):
        schema = known_schema(world.plan, arrival.event)
    return hiding(world.personal, world.plan, schema)


def hiding_stored(world: World, verdict: Verdict) -> Hide:
    """Of the journal record: the event type it was stored as."""
    return hiding(world.personal, world.plan, _type_of(world, verdict))


def hidden_body(world: World, verdict: Verdict, body: Any, hide: Hide) -> Any:
    """A raw record as a JSON document with what is personal hidden; None where there is none."""
    if body is ABSENT:
        return None
    framed = verdict.arrival is not None and is_framed(verdict.arrival.value)
    return hidden_document(body, world.personal, hide, framed=framed)


def _type_of(world: World, verdict: Verdict) -> EventSchema | None:
    stored = verdict.stored
    return None if stored is None else world.plan.newest.get(stored.schema.name, stored.schema)

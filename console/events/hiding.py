"""What is personal hidden in an event, by its event type as far as that is known."""

from __future__ import annotations

from typing import Any

from console.dead_letters.hiding import Hide, hidden_document, hiding, known_schema
from console.events.sent import ABSENT
from console.events.verdicts import Verdict
from console.events.world import World


def hiding_of(world: World, verdict: Verdict) -> Hide:
    """Of a journal record its schema knows what is personal, and of what is dead the schema of its name."""
    stored = verdict.stored
    if stored is not None:
        schema = world.plan.newest.get(stored.schema.name, stored.schema)
        return hiding(world.personal, schema, judged=True)
    readable = verdict.arrival is not None and verdict.arrival.why is None
    schema_of_name = known_schema(world.plan, verdict.event) if readable else None
    return hiding(world.personal, schema_of_name, judged=False)


def hidden_body(world: World, body: Any, hide: Hide) -> Any:
    """A raw record as a JSON document with what is personal hidden; None where there is none."""
    return None if body is ABSENT else hidden_document(body, world.personal, hide)

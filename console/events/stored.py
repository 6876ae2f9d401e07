"""Journal records of events as validation stored them, and dead letters without what is personal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from console.dead_letters.masking import mask_letter
from console.events.world import World
from offerflow.runtime.kafka.consumer import Record
from schemas.codec import event_reader, schema_id_of
from schemas.dead_letter import StoredLetter, read_dead_letter
from schemas.plan import EventSchema


@dataclass(slots=True)
class Stored:
    """``meta`` is that of the record (events.Meta)."""

    partition: int
    offset: int
    appended: int
    schema: EventSchema
    meta: dict[str, Any]
    value: bytes

    @property
    def at(self) -> tuple[int, int]:
        return self.partition, self.offset

    @property
    def event(self) -> str:
        return self.schema.names[0]

    @property
    def entity(self) -> str:
        """The journal key."""
        user_id = self.meta["user_id"]
        return f"u:{user_id}" if user_id else f"a:{self.meta['anonymous_id']}"

    @property
    def joins(self) -> tuple[str, int]:
        """What it has in common with its arrival."""
        return self.meta["event_id"], self.meta["received_at"]

    def properties(self) -> dict[str, Any]:
        fields = event_reader(self.schema.definition, None)(self.value)
        del fields["meta"]
        return fields


def read_stored(world: World, record: Record) -> Stored | None:
    """None for what is no event: ticks, rulesets, signals, and what nobody of us wrote."""
    value = record.value()
    if value is None:
        return None
    try:
        schema = world.schema(schema_id_of(value))
        if schema is None:
            return None
        meta = world.meta(schema, value)
    except Exception:  # whatever a decoder makes of foreign bytes
        return None
    return Stored(record.partition(), record.offset(), record.timestamp()[1], schema, meta, value)


def read_letter(world: World, record: Record) -> StoredLetter | None:
    """Its detail hides what the plan calls personal by now; the original in it is as it came. None for what is no dead
    letter."""
    try:
        return mask_letter(read_dead_letter(record), world.personal)
    except ValueError:
        return None

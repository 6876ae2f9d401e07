"""Journal records told apart: events of the plan, and the records that offerflow itself writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from offerflow.rules.events import Event, EventType
from schemas.codec import RecordCodec, event_reader
from schemas.plan import EventSchema

RULESET_ACTIVATED = RecordCodec.shipped("internal", "RulesetActivated")
TICK = RecordCodec.shipped("internal", "Tick")


class EventReader:
    """Decodes events of one schema, only as far as rules read them."""

    def __init__(self, schema: EventSchema, reads: frozenset[str]) -> None:
        self.event_type: EventType = schema.event_type()
        self._type, self._version = schema.name, schema.version
        self._read: Callable[[bytes], dict[str, Any]] = event_reader(schema.definition, reads | set(schema.unique))

    def __call__(self, value: bytes, partition: int, offset: int) -> Event:
        fields = self._read(value)
        meta = fields.pop("meta")
        return Event(
            type=self._type,
            event_id=meta["event_id"],
            user_id=meta["user_id"],
            anonymous_id=meta["anonymous_id"],
            time=meta["time"],
            received_at=meta["received_at"],
            source=meta["source"],
            origin=meta["origin"],
            content_hash=meta["content_hash"],
            properties=fields,
            partition=partition,
            offset=offset,
            version=self._version,
            exempt=meta["lateness"] == "ignore",
        )

"""What one must know to read events: the plan, the sources and the channels. Pure; ``live`` keeps it up to date."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from console.dead_letters.masking import NOTHING, Personal, personal_in
from offerflow.catalog.view import Source
from schemas.channels import Channel
from schemas.codec import event_reader
from schemas.plan import EventSchema, Plan
from schemas.requests import REQUESTS_BY_ID, REQUESTS_BY_NAME
from schemas.step import Step


@dataclass
class World:
    """As of one moment. Topics by their full names. ``registered`` gives our schema id for that of another registry;
    without it they are the same. ``show_pii``: hide nothing."""

    plan: Plan
    sources: Mapping[str, Source]
    channels: Mapping[str, Channel]
    journal: str = "offerflow.journal"
    dead_letters: str = "offerflow.dead-letter"
    registered: Callable[[int], int | None] | None = None
    show_pii: bool = False
    _meta: dict[int, Callable[[bytes], dict[str, Any]]] = field(default_factory=dict)

    @cached_property
    def everything_personal(self) -> Personal:
        """Names of what is personal."""
        return personal_in(self.plan)

    @property
    def personal(self) -> Personal:
        """Names of what is to be hidden."""
        return NOTHING if self.show_pii else self.everything_personal

    @cached_property
    def step(self) -> Step:
        """What validation would say."""
        return Step(self.plan, self.sources, self.channels, self.our_id)

    def names_of(self, name: str) -> frozenset[str]:
        """Every name of the event type that has this one; itself alone if none has."""
        schema = self.plan.by_name.get(name) or REQUESTS_BY_NAME.get(name)
        return frozenset(schema.names) if schema is not None else frozenset((name,))

    def schema(self, schema_id: int) -> EventSchema | None:
        """The event schema with our id, those of requests included; None for other records of the journal."""
        return self.plan.by_id.get(schema_id) or REQUESTS_BY_ID.get(schema_id)

    def meta(self, schema: EventSchema, value: bytes) -> dict[str, Any]:
        """``events.Meta`` of a framed event. Raises whatever a decoder makes of broken bytes."""
        read = self._meta.get(schema.id)
        if read is None:
            read = self._meta[schema.id] = event_reader(schema.definition, ())
        meta: dict[str, Any] = read(value)["meta"]
        return meta

    def our_id(self, schema_id: int) -> int | None:
        """Our schema id for the one that a record from outside carries."""
        return schema_id if self.registered is None else self.registered(schema_id)

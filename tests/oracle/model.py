"""The values the oracle passes around: a record as read, a verdict on it, an event, an expected output."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Properties = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """A record of any topic as read. ``topic`` is the full name, ``topic_id`` as Kafka prints it, times are in ms."""

    topic: str
    topic_id: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def where(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


@dataclass(frozen=True)
class Dead:
    """The record cannot be used, for ``reason``; ``why`` is the oracle's own wording."""

    reason: str
    why: str


@dataclass(frozen=True)
class Dropped:
    """A system event that its source has switched off: counted, neither event nor dead letter."""

    why: str


@dataclass(frozen=True)
class Event:
    """A valid event. ``type`` is the record name of its schema, ``properties`` are as the journal must carry them."""

    type: str
    version: int
    event_id: str
    user_id: str | None
    anonymous_id: str | None
    time: int
    received_at: int
    source: str
    origin: str
    properties: Properties = field(hash=False)
    lateness: str = "normal"

    @property
    def entity(self) -> str:
        return f"u:{self.user_id}" if self.user_id is not None else f"a:{self.anonymous_id}"

    def canonical(self) -> str:
        """One text for one content: equal texts are the same event as far as the journal can tell."""
        who = [self.event_id, self.user_id, self.anonymous_id, self.source, self.origin]
        when = [self.time, self.received_at, self.lateness]
        return json.dumps([self.type, self.version, who, when, self.properties], sort_keys=True, default=repr)

    def content(self) -> str:
        """What a repetition under the same id must equal: type and properties, not meta."""
        return json.dumps([self.type, self.version, self.properties], sort_keys=True, default=repr)

    def repeats(self, other: Event) -> bool:
        """Whether this is ``other`` again, as the same id says; versions of a type cannot be compared."""
        return self.type == other.type and (self.version != other.version or self.content() == other.content())


Verdict = Event | Dead | Dropped


@dataclass(frozen=True)
class Placed:
    """An event with its place in the journal."""

    event: Event
    partition: int
    offset: int

    def item(self, name: str) -> dict[str, Any]:
        """What evidence says of it. ``name`` is the display name of its type."""
        told = {"event_id": self.event.event_id, "event": name, "time": self.event.time}
        return {**told, "journal_partition": self.partition, "journal_offset": self.offset}


@dataclass(frozen=True)
class Output:
    """An expected output. ``fields`` are those the oracle vouches for, ``offset`` is where the journal decided it.

    ``deciding`` is the evidence item that must be among its evidence, if one must; ``hits`` are the items, by event id,
    of all events that may be; ``proves`` tells whether some of the ids are evidence enough.
    """

    record: str
    id: str
    key: str
    fields: Mapping[str, Any] = field(hash=False)
    offset: int
    deciding: Mapping[str, Any] | None = field(default=None, hash=False)
    hits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    proves: Callable[[frozenset[str]], bool] = field(default=lambda _: True, hash=False, compare=False)
    ruleset: str = ""

"""What the rules know of events: the planned types they are checked against and the event that is folded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec


class Kind(StrEnum):
    """Type of a property as far as expressions care. ``ANY`` is a property that is planned without a type."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ENUM = "enum"
    TIME = "time"
    LIST = "list"
    MAP = "map"
    RECORD = "record"
    SPAN = "duration"
    ANY = "any"

    @property
    def said(self) -> str:
        """With its article: ``a number``, ``an enum``."""
        if self is Kind.ANY:
            return "a value whose type is not planned"
        return f"an {self}" if self is Kind.ENUM else f"a {self}"


@dataclass(frozen=True, slots=True)
class PropertyType:
    """One planned property. ``symbols`` for an enum, ``fields`` for a record; ``pii`` never reaches the rules.
    ``integer``: a whole number of at most 64 bits; ``required``: never missing nor null; ``minimum`` and ``maximum``
    as the plan bounds it, ``pattern`` what RE2 must find in a text."""

    kind: Kind
    symbols: tuple[str, ...] = ()
    fields: Mapping[str, PropertyType] = field(default_factory=dict)
    pii: bool = False
    integer: bool = False
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Reverses:
    """What an event takes back: events of the type ``event_type`` (record name) with the same value of ``by``."""

    event_type: str
    by: str


@dataclass(frozen=True, slots=True)
class EventType:
    """A planned event: ``name`` is its record name, ``names`` what arrives (first = display name)."""

    name: str
    names: tuple[str, ...]
    properties: Mapping[str, PropertyType]
    unique: tuple[str, ...] = ()
    system: bool = False
    sets_traits: bool = False
    reverses: Reverses | None = None
    reversed_by: frozenset[str] = frozenset()
    """Values of ``by`` with which other event types reverse this one: properties that hits of it must remember."""


class Event(msgspec.Struct, gc=False):
    """One valid event of one entity, as the journal has it. Times are milliseconds since 1970 UTC.

    ``properties`` holds at least the properties that rules read. ``partition`` and ``offset`` are journal
    coordinates; they go into evidence and nowhere else. ``version`` is that of the schema it was written with.
    ``exempt``: imported or replayed, so never too late.
    """

    type: str
    event_id: str
    user_id: str | None
    anonymous_id: str | None
    time: int
    received_at: int
    source: str
    origin: str
    content_hash: int
    properties: dict[str, Any]
    partition: int
    offset: int
    version: int = 1
    exempt: bool = False

"""Where samples of an event come from: dead letters of names that nobody planned, a file, and what entries by name
kept. The newest are taken, within bounds, so that a flood under one name costs neither time nor memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from console.dead_letters.reading import Progress, find, no_progress
from console.dead_letters.selection import Selection
from console.plan.entries import Entry
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.kafka.scan import read_spans, spans
from offerflow.runtime.settings import Settings
from schemas.codec import event_reader, schema_id_of
from schemas.dead_letter import StoredLetter
from schemas.envelope import MAX_DEPTH, TYPED, Envelope, Undecodable, depth
from schemas.raw import read

LIMIT = 1000
MAX_BYTES = 16 * 1024 * 1024
"""What is kept of one name before it is looked at."""
MAX_NAMES = 500
"""Names that are kept apart when all are asked for."""
JOURNAL_SPAN = 200_000
"""Newest offsets of each journal partition that are searched for what entries by name kept."""
CLIENT = "offerflow-plan"

Raw = TypeVar("Raw")
Properties = Mapping[str, Any]


@dataclass(slots=True)
class Pile(Generic[Raw]):
    """The newest samples of one name. ``total`` came in all, from ``sources``; ``bad`` could not be read."""

    decode: Callable[[Raw], Properties]
    limit: int = LIMIT
    total: int = 0
    bad: int = 0
    sources: set[str] = field(default_factory=set)
    _kept: deque[tuple[tuple[int, ...], Raw, int]] = field(default_factory=deque)
    _bytes: int = 0

    def add(self, raw: Raw, size: int, order: tuple[int, ...], source: str | None = None) -> None:
        """``size`` in bytes; ``order`` sorts the samples, since partitions are read at once."""
        self.total += 1
        if source:
            self.sources.add(source)
        self._kept.append((order, raw, size))
        self._bytes += size
        while len(self._kept) > self.limit or (self._bytes > MAX_BYTES and len(self._kept) > 1):
            self._bytes -= self._kept.popleft()[2]

    def samples(self) -> list[Properties]:
        """The properties of each, oldest first."""
        found = []
        self.bad = 0
        for _, raw, _ in sorted(self._kept, key=lambda kept: kept[0]):
            try:
                found.append(self.decode(raw))
            except (Undecodable, ValueError):
                self.bad += 1
        return found


Piles = dict[str, Pile[Any]]


def from_dead_letters(
    settings: Settings,
    names: Iterable[str] = (),
    sources: Iterable[str] = (),
    limit: int = LIMIT,
    progress: Progress = no_progress,
) -> Piles:
    """Samples of every unhandled dead letter of ``unknown_event``, by event name; all ``names`` if none is given."""
    selection = Selection(reasons=frozenset({"unknown_event"}), events=frozenset(names), sources=frozenset(sources))
    piles: Piles = {}
    for letter in find(settings, selection, progress):
        if letter.event in piles or len(piles) < MAX_NAMES:
            pile_up(piles, letter, limit)
    return piles


def pile_up(piles: Piles, letter: StoredLetter, limit: int = LIMIT) -> None:
    """Put a dead letter on the pile of its event's name, if it has one."""
    if letter.event is not None:
        pile = piles.setdefault(letter.event, Pile(lambda raw: properties_of(read(*raw)), limit))
        order = (letter.timestamp, *letter.at)
        pile.add((letter.value, letter.headers), len(letter.value or b""), order, letter.source)


def from_file(path: Path, name: str | None, limit: int = LIMIT, sources: frozenset[str] = frozenset()) -> Piles:
    """Samples of a file with one JSON object per line: events as they are sent, or with ``name`` the properties of
    that event alone. ``sources``: only events that name one of them. Raises OfferflowError that names the line."""
    piles: Piles = {}
    for number, line in _lines(path):
        try:
            event, properties, source = _sample(line, name)
        except (Undecodable, msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
            hint = "" if name else "; lines that hold properties alone need --name"
            raise OfferflowError(f"{path}:{number}: {error}{hint}") from None
        if sources and source not in sources:
            continue
        pile = piles.setdefault(event, Pile(lambda raw: dict(raw), limit))
        pile.add(properties, len(line), (number,), source)
    return piles


def from_journal(settings: Settings, entries: Iterable[Entry], limit: int = LIMIT) -> Piles:
    """What events of ``entries`` kept as unplanned properties, as the JSON that came, by record name."""
    readers = {
        version.id: (entry.record, event_reader(version.definition, {"extra"}))
        for entry in entries
        for version in entry.versions
        if version.id is not None and any(one["name"] == "extra" for one in version.definition["fields"])
    }

    def decode(value: bytes) -> Properties:
        fields = readers[schema_id_of(value)][1](value)
        return {name: msgspec.json.decode(text) for name, text in (fields.get("extra") or {}).items()}

    piles: Piles = {}
    there = spans(settings, [settings.topic("journal")], CLIENT) if readers else {}
    newest = {place: (max(first, end - JOURNAL_SPAN), end) for place, (first, end) in there.items()}
    for record in read_spans(settings, newest, CLIENT):
        value = record.value()
        if value is not None and value[:1] == b"\x00" and (schema_id := schema_id_of(value)) in readers:
            pile = piles.setdefault(readers[schema_id][0], Pile(decode, limit))
            pile.add(value, len(value), (record.timestamp()[1], record.partition(), record.offset()))
    return piles


def properties_of(envelope: Envelope) -> Properties:
    """The properties as validation would judge them."""
    properties = dict(envelope.properties or {})
    if envelope.type == "alias" and envelope.previous_id is not None:
        properties["previous_id"] = envelope.previous_id
    return properties


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.strip()
    except OSError as error:
        raise OfferflowError(f"{path} cannot be read: {error.strerror}") from None


def _sample(line: bytes, name: str | None) -> tuple[str, Properties, str | None]:
    if name is not None:
        properties = msgspec.json.decode(line.decode(), type=dict[str, Any])
        if depth(properties) > MAX_DEPTH:
            raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
        return name, properties, None
    envelope = read(line, [])
    event = TYPED.get(envelope.type or "track", envelope.event)
    if not event:
        raise ValueError("names no event; expected a member event")
    return event, properties_of(envelope), envelope.source

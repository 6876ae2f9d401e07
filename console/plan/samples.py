"""Where samples of an event come from: dead letters of names that nobody planned, a file, and what entries by name
kept. All of it is read, as a stream; of what is read no more than MAX_BYTES is kept, the newest samples of each name.
"""

from __future__ import annotations

import heapq
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
MAX_BYTES = 128 * 1024 * 1024
"""What is kept of all names together, as it came, before it is looked at."""
SHARES = 8
"""One name has at most this part of MAX_BYTES; where there are more names each has less."""
MAX_NAMES = 500
"""Names that are kept apart when all are asked for."""
JOURNAL_SPAN = 200_000
"""Newest offsets of each journal partition that are searched for what entries by name kept."""
CLIENT = "offerflow-plan"

Raw = TypeVar("Raw")
Properties = Mapping[str, Any]


class Room:
    """The bytes that the piles of one search share."""

    def __init__(self, most: int = MAX_BYTES) -> None:
        self.most = most
        self.used = 0
        self._piles: list[Pile[Any]] = []

    @property
    def share(self) -> int:
        """What each pile may hold."""
        return self.most // max(SHARES, len(self._piles))

    def enter(self, pile: Pile[Any]) -> None:
        self._piles.append(pile)
        for one in self._piles:
            one.trim()

    def leave(self, pile: Pile[Any]) -> None:
        self._piles.remove(pile)
        self.used -= pile.bytes

    def make(self) -> None:
        """Keep to ``most``, where single samples are larger than their share: the largest go."""
        while self.used > self.most:
            max(self._piles, key=lambda pile: pile.bytes).drop()


@dataclass(slots=True, eq=False)
class Pile(Generic[Raw]):
    """The newest samples of one name. ``total`` came in all, from ``sources``; ``bad`` could not be read. One that is
    larger than its share is kept as long as there is room."""

    decode: Callable[[Raw], Properties]
    limit: int = LIMIT
    room: Room = field(default_factory=Room)
    total: int = 0
    bad: int = 0
    bytes: int = 0
    sources: set[str] = field(default_factory=set)
    _kept: list[tuple[tuple[int, ...], int, int, Raw]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.room.enter(self)

    def add(self, raw: Raw, size: int, order: tuple[int, ...], source: str | None = None) -> None:
        """``size`` in bytes; ``order`` sorts the samples, since partitions are read at once."""
        self.total += 1
        if source:
            self.sources.add(source)
        heapq.heappush(self._kept, (order, self.total, size, raw))
        self.bytes += size
        self.room.used += size
        self.trim()
        self.room.make()

    def trim(self) -> None:
        """Drop what is beyond the limit and the share, but for the last sample."""
        while len(self._kept) > self.limit or (self.bytes > self.room.share and len(self._kept) > 1):
            self.drop()

    def drop(self) -> None:
        """Forget the oldest sample."""
        size = heapq.heappop(self._kept)[2]
        self.bytes -= size
        self.room.used -= size

    def samples(self) -> list[Properties]:
        """The properties of each, oldest first."""
        found = []
        self.bad = 0
        for *_, raw in sorted(self._kept, key=lambda kept: kept[:2]):
            try:
                found.append(self.decode(raw))
            except (Undecodable, ValueError):
                self.bad += 1
        return found


class Piles(Mapping[str, Pile[Any]]):
    """Samples by name, of at most ``names`` of them; those that come first have a pile."""

    def __init__(
        self, decode: Callable[[Any], Properties], limit: int = LIMIT, names: int = MAX_NAMES, room: Room | None = None
    ) -> None:
        self._decode = decode
        self._limit = limit
        self._names = names
        self._room = Room() if room is None else room
        self._piles: dict[str, Pile[Any]] = {}

    def __getitem__(self, name: str) -> Pile[Any]:
        return self._piles[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._piles)

    def __len__(self) -> int:
        return len(self._piles)

    def add(self, name: str, raw: Any, size: int, order: tuple[int, ...], source: str | None = None) -> None:
        """As ``Pile.add``."""
        pile = self._piles.get(name)
        if pile is None:
            if len(self._piles) >= self._names:
                return
            pile = self._piles[name] = Pile(self._decode, self._limit, self._room)
        pile.add(raw, size, order, source)

    def discard(self, *names: str) -> None:
        """Forget their samples."""
        for name in names:
            self._room.leave(self._piles.pop(name))


class LetterPiles(Piles):
    """Samples of dead letters, under the names of their events."""

    def __init__(self, limit: int = LIMIT, names: int = MAX_NAMES, room: Room | None = None) -> None:
        super().__init__(lambda raw: properties_of(read(*raw)), limit, names, room)

    def take(self, letter: StoredLetter) -> None:
        """Put a dead letter on the pile of its event's name, if it has one."""
        if letter.event is not None:
            size = len(letter.value or b"") + sum(len(name) + len(value or b"") for name, value in letter.headers)
            raw = (letter.value, letter.headers)
            self.add(letter.event, raw, size, (letter.timestamp, *letter.at), letter.source)


def from_dead_letters(
    settings: Settings,
    names: Iterable[str] = (),
    sources: Iterable[str] = (),
    limit: int = LIMIT,
    progress: Progress = no_progress,
    room: Room | None = None,
) -> Piles:
    """Samples of every unhandled dead letter of ``unknown_event``, by event name; all ``names`` if none is given."""
    selection = Selection(reasons=frozenset({"unknown_event"}), events=frozenset(names), sources=frozenset(sources))
    piles = LetterPiles(limit, room=room)
    for letter in find(settings, selection, progress):
        piles.take(letter)
    return piles


def from_file(
    path: Path,
    name: str | None,
    limit: int = LIMIT,
    sources: frozenset[str] = frozenset(),
    names: frozenset[str] = frozenset(),
) -> Piles:
    """Samples of a file with one JSON object per line: events as they are sent, or with ``name`` the properties of
    that event alone. ``sources``: only events that name one of them; ``names``: only these, if there are any. Raises
    OfferflowError that names the line."""
    piles = Piles(lambda line: _sample(line, name)[1], limit)
    for number, line in _lines(path):
        try:
            event, _, source = _sample(line, name)
        except (Undecodable, msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
            hint = "" if name else "; lines that hold properties alone need --name"
            raise OfferflowError(f"{path}:{number}: {error}{hint}") from None
        if (not sources or source in sources) and (not names or event in names):
            piles.add(event, line, len(line), (number,), source)
    return piles


def from_journal(settings: Settings, entries: Iterable[Entry], limit: int = LIMIT, room: Room | None = None) -> Piles:
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

    piles = Piles(decode, limit, room=room)
    there = spans(settings, [settings.topic("journal")], CLIENT) if readers else {}
    newest = {place: (max(first, end - JOURNAL_SPAN), end) for place, (first, end) in there.items()}
    for record in read_spans(settings, newest, CLIENT):
        value = record.value()
        if value is not None and value[:1] == b"\x00" and (schema_id := schema_id_of(value)) in readers:
            order = (record.timestamp()[1], record.partition(), record.offset())
            piles.add(readers[schema_id][0], value, len(value), order)
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

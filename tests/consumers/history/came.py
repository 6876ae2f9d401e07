"""Records of the journal and of the dead letters for tests of the index, and an index of their own to put them in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select

from consumers.history.arrivals import JournalReader, LetterReader
from consumers.history.arrivals import Rows as Arrivals
from consumers.history.index import EventIndex
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.claims import Position
from offerflow.runtime.store.events import event_counts, events
from offerflow.runtime.store.feed import Readers
from offerflow.runtime.store.transactions import reading
from schemas.codec import EventEncoder
from schemas.dead_letter import DeadLetter, write_dead_letter

SETTINGS = Settings()
JOURNAL, LETTERS = SETTINGS.topic("journal"), SETTINGS.topic("dead-letter")
NAMES = {1000: "Purchase Completed", 1001: "Identified"}
HOUR = 3_600_000
NOW = 500_000 * HOUR


@dataclass(frozen=True)
class Lying:
    """A record as the client hands it out."""

    in_topic: str
    in_partition: int
    at: int
    holds: bytes | None
    named: bytes | None = None
    beside: tuple[tuple[str, bytes | None], ...] = ()
    appended: int = NOW

    def topic(self) -> str:
        return self.in_topic

    def partition(self) -> int:
        return self.in_partition

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.named

    def value(self) -> bytes | None:
        return self.holds

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self.beside) or None

    def timestamp(self) -> tuple[int, int]:
        return 2, self.appended


def valid(at: int, partition: int = 0, schema: int = 1000, **meta: Any) -> Lying:
    """An event of the journal; ``meta`` says what differs from Anna's."""
    given: dict[str, Any] = {
        "event_id": f"e-{partition}-{at}", "user_id": "anna", "anonymous_id": None, "time": NOW - 1000,
        "received_at": NOW, "source": "shop", "origin": "backend", "properties": b"\x06abc", **meta,
    }  # fmt: skip
    return Lying(JOURNAL, partition, at, EventEncoder(schema).encode(**given))


def dead(at: int, raw: bytes | None, letter: DeadLetter, partition: int = 0, **lying: Any) -> Lying:
    """A dead letter of ``raw``, which lay in raw.backend 3/40 unless ``lying`` says otherwise."""
    record = Lying(**{"in_topic": SETTINGS.topic("raw.backend"), "in_partition": 3, "at": 40, "holds": raw, **lying})
    written = write_dead_letter(LETTERS, record, letter, "validation", NOW)
    return Lying(LETTERS, partition, at, written.value if isinstance(written.value, bytes) else None)


class Index:
    """``take`` folds records as one batch, each partition's position going on behind its last."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.index = EventIndex(SETTINGS, engine)
        self._readers: Readers[Arrivals] = {
            JOURNAL: JournalReader(NAMES.__getitem__), LETTERS: LetterReader(SETTINGS.topic_prefix),
        }  # fmt: skip

    def rows_of(self, records: Iterable[Lying]) -> Arrivals:
        rows = self.index.batch()
        for record in records:
            self._readers[record.topic()](record, rows)
        return rows

    def take(self, *records: Lying, topic_id: str = "id") -> None:
        before = dict(self.index.positions())
        after = {(one.topic(), one.partition()): Position(topic_id, one.offset() + 1) for one in records}
        self.index.write(self.rows_of(records), {place: before[place] for place in after if place in before}, after)

    def rows(self, **where: Any) -> list[dict[str, Any]]:
        """As they are, by their place."""
        asked = select(events).filter_by(**where).order_by(events.c.dead, events.c.partition, events.c.offset)
        with reading(self.engine) as connection:
            return [dict(row) for row in connection.execute(asked).mappings()]

    def counts(self) -> dict[tuple[int, str, str, str], int]:
        with reading(self.engine) as connection:
            found = [tuple(row) for row in connection.execute(select(event_counts))]
        return {(hour, event, source, reason): count for hour, event, source, reason, count, _ in found}

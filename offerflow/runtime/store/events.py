"""Tables of what arrived: of every event who, what, when and its verdict, and where its body lies; and counts by hour.

A row is told by where its body is: a partition and an offset of the journal, or (``dead`` is 1) of the dead letters.
Bodies stay in Kafka. Times are milliseconds since 1970. Nothing but people's questions is answered from here.
Ids are indexed in segments of some ten thousand rows: what is written then lies close together, however many rows there
are, and a look-up asks each segment.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Select,
    SmallInteger,
    String,
    Table,
    case,
    delete,
    func,
    insert,
    select,
    text,
)

from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.store.claims import Position
from offerflow.runtime.store.outcomes import positions, storable
from offerflow.runtime.store.positions import forget_positions, positions_in
from offerflow.runtime.store.tables import METADATA
from offerflow.runtime.store.upsert import merge

HOUR_MS = 3_600_000
SEGMENT_ROWS = 50_000
MAX_NAME = 200
"""Characters of an event's or a source's name: what is indexed must fit in a third of a page of PostgreSQL."""
MOST_NAMES = 1_000
"""Of one hour, how many rows of counts dead letters may have: their names are whatever was sent."""
JOURNAL, DEAD_LETTERS = "journal", "dead-letter"
"""Topics that the index is of, by their short names. In rows: ``dead`` is 0 for the first and 1 for the second."""


class EventRow(NamedTuple):
    """One row. ``time`` is the event's own, ``received_at`` when the raw record was appended, of a replay or an import
    as its headers say. ``reason`` is that of a dead letter, None for what is valid; the ``raw_`` ones say where a dead
    letter's record was read, the topic by its short name."""

    dead: int
    partition: int
    offset: int
    segment: int
    event_id: str | None
    event: str | None
    user_id: str | None
    anonymous_id: str | None
    time: int | None
    received_at: int
    source: str | None
    origin: str | None
    reason: str | None
    raw_topic: str | None = None
    raw_partition: int | None = None
    raw_offset: int | None = None


_Sum = tuple[int, str, str, str]
"""Hour, event, source, reason."""
_EVENT, _RECEIVED_AT, _SOURCE, _REASON = map(EventRow._fields.index, ("event", "received_at", "source", "reason"))


def _index_of_ids(name: str, column: str) -> Index:
    """Of those that have one: most have no anonymous id, or no other."""
    there = text(f"{column} IS NOT NULL")
    return Index(name, "segment", column, sqlite_where=there, postgresql_where=there)


events = Table(
    "event", METADATA,
    Column("dead", SmallInteger, primary_key=True, autoincrement=False),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("segment", Integer, nullable=False),
    Column("event_id", String),
    Column("event", String),
    Column("user_id", String),
    Column("anonymous_id", String),
    Column("time", BigInteger),
    Column("received_at", BigInteger, nullable=False),
    Column("source", String),
    Column("origin", String),
    Column("reason", String),
    Column("raw_topic", String),
    Column("raw_partition", Integer),
    Column("raw_offset", BigInteger),
    _index_of_ids("event_by_id", "event_id"),
    _index_of_ids("event_of_user", "user_id"),
    _index_of_ids("event_of_anonymous", "anonymous_id"),
    Index("event_by_name", "event", "received_at"),
    Index("event_by_arrival", "received_at"),
    sqlite_with_rowid=False,  # kept in the order of the log, so that old ones go in ranges
)  # fmt: skip

event_segments = Table(
    "event_segment", METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("rows", BigInteger, nullable=False),  # added to it
    Column("first", BigInteger, nullable=False),  # the oldest received_at
    Column("last", BigInteger, nullable=False),  # the newest
)  # fmt: skip

event_counts = Table(
    "event_count", METADATA,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),  # its first millisecond, of received_at
    Column("event", String, primary_key=True),  # empty where it could not be read, as the next two
    Column("source", String, primary_key=True),
    Column("reason", String, primary_key=True),  # empty: valid
    Column("count", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),  # the newest received_at
)  # fmt: skip

_head = Table(
    "event_head", METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("complete_since", BigInteger),
)  # fmt: skip


def segments_since(since: int | None = None) -> Select[tuple[int]]:
    """Of segments that may have rows received then or later, the ids: what ``event.segment`` must be in, beside a
    condition on an id. Without it SQLite reads the whole table."""
    asked = select(event_segments.c.id)
    return asked if since is None else asked.where(event_segments.c.last >= since)


def add_events(connection: Connection, rows: Sequence[EventRow]) -> None:
    """Add rows, of each partition in the order of the log, and count them. Those that are there already, as after
    positions were lost, are neither added nor counted again."""
    segment = _segment(connection)
    new: list[tuple[Any, ...]] = [(*row[:3], segment, *row[4:]) for row in _new(connection, rows)]
    if not new:
        return
    statement = insert(events)
    if connection.dialect.positional:
        # Past SQLAlchemy's own work on parameters, which costs more than the database does.
        connection.exec_driver_sql(str(statement.compile(dialect=connection.dialect)), new)
    else:
        connection.execute(statement, [dict(zip(EventRow._fields, row, strict=True)) for row in new])
    _count(connection, new)
    arrived: list[int] = [row[_RECEIVED_AT] for row in new]
    said = {"id": segment, "rows": len(new), "first": min(arrived), "last": max(arrived)}
    known = event_segments.c
    merge(connection, event_segments, [said], {
        "rows": lambda more: known["rows"] + more["rows"],
        "first": lambda more: _least(known["first"], more["first"]),
        "last": lambda more: _most(known["last"], more["last"]),
    })  # fmt: skip


def shown_name(text: str) -> str:
    """The name of an event or a source as rows have it, and as whoever looks for one must write it."""
    return storable(text[:MAX_NAME])


def _segment(connection: Connection) -> int:
    """The one that rows go to now."""
    newest = select(event_segments.c.id, event_segments.c.rows).order_by(event_segments.c.id.desc()).limit(1)
    found = connection.execute(newest).first()
    if found is None:
        return 1
    return int(found.id) + int(found.rows >= SEGMENT_ROWS)


def _new(connection: Connection, rows: Sequence[EventRow]) -> Sequence[EventRow]:
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    for dead, partition, offset, *_ in rows:
        first, last = spans.get((dead, partition), (offset, offset))
        spans[dead, partition] = (min(first, offset), max(last, offset))
    there: set[tuple[int, int, int]] = set()
    for (dead, partition), (first, last) in spans.items():
        found = select(events.c.offset).where(*_in(dead, partition), events.c.offset.between(first, last))
        there.update((dead, partition, known) for known in connection.scalars(found))
    return [row for row in rows if row[:3] not in there] if there else rows


def _count(connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    counted: dict[_Sum, tuple[int, int]] = {}
    for row in rows:
        at = row[_RECEIVED_AT]
        key = (at - at % HOUR_MS, row[_EVENT] or "", row[_SOURCE] or "", row[_REASON] or "")
        count, last = counted.get(key, (0, 0))
        counted[key] = (count + 1, max(last, at))
    counted = _bounded(connection, counted)
    said = [
        {"hour": hour, "event": event, "source": source, "reason": reason, "count": count, "last": last}
        for (hour, event, source, reason), (count, last) in counted.items()
    ]
    known = event_counts.c
    merge(connection, event_counts, said, {
        "count": lambda more: known["count"] + more["count"], "last": lambda more: _most(known["last"], more["last"]),
    })  # fmt: skip


def _bounded(connection: Connection, counted: dict[_Sum, tuple[int, int]]) -> dict[_Sum, tuple[int, int]]:
    """Beyond MOST_NAMES of an hour dead letters are counted without the event's name, and those of an unknown source
    without that one's."""
    hours = {hour for hour, _, _, reason in counted if reason}
    if not hours:
        return counted
    c = event_counts.c
    asked = select(c.hour, c.event, c.source, c.reason).where(c.hour.in_(hours), c.reason != "")
    there = {(hour, event, source, reason) for hour, event, source, reason in connection.execute(asked)}
    room = {hour: MOST_NAMES - sum(1 for known in there if known[0] == hour) for hour in hours}
    bounded: dict[_Sum, tuple[int, int]] = {}
    for key, (number, newest) in counted.items():
        hour, _, source, reason = key
        if reason and key not in there:
            room[hour] -= 1
            if room[hour] < 0:
                key = (hour, "", "" if reason == "unknown_source" else source, reason)
        count, last = bounded.get(key, (0, 0))
        bounded[key] = (count + number, max(last, newest))
    return bounded


def _least(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((other < one, other), else_=one)


def _most(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((other > one, other), else_=one)


def remove_events(connection: Connection, dead: int, partition: int, below: int, at_most: int) -> int:
    """Remove up to ``at_most`` of the oldest rows of one partition, with offsets below ``below``; how many are gone.
    Counts stay."""
    mine = (*_in(dead, partition), events.c.offset < below)
    last = select(events.c.offset).where(*mine).order_by(events.c.offset).limit(at_most)
    oldest = list(connection.scalars(last))
    if oldest:
        connection.execute(delete(events).where(*_in(dead, partition), events.c.offset <= oldest[-1]))
    return len(oldest)


def remove_ended(connection: Connection, before: int) -> None:
    """Remove the counts of hours that ended by then, and segments without rows but the newest, where rows go."""
    connection.execute(delete(event_counts).where(event_counts.c.hour <= before - HOUR_MS))
    newest = select(func.max(event_segments.c.id)).scalar_subquery()
    kept = select(events.c.segment).where(events.c.segment == event_segments.c.id).exists()
    connection.execute(delete(event_segments).where(event_segments.c.id < newest, ~kept))


def empty_events(connection: Connection, topics: Collection[str]) -> None:
    """Remove everything, so that whoever fills the index begins again. ``topics``: the full names of what it is of."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("TRUNCATE TABLE event, event_segment, event_count, event_head"))
    else:
        for table in (events, event_segments, event_counts, _head):
            connection.execute(delete(table))
    forget_positions(connection, positions, topics)


def event_positions(connection: Connection, topics: Collection[str]) -> dict[Place, Position]:
    """How far the index is in each partition of ``topics`` (full names) that was ever read into it."""
    return {place: at for place, at in positions_in(connection, positions).items() if place[0] in topics}


def events_complete(connection: Connection) -> bool:
    """Whether the index once held all there was. Until then what is not in it may have arrived all the same."""
    return connection.scalar(select(_head.c.complete_since)) is not None


def mark_events_complete(connection: Connection) -> None:
    connection.execute(delete(_head))
    connection.execute(insert(_head).values(id=1, complete_since=int(time.time() * 1000)))


def _in(dead: int, partition: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return events.c.dead == dead, events.c.partition == partition

"""Past events from the history's index: who sent what, when, with which verdict, and where the body lies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, case, func, select

from console.events.stored import Stored
from console.events.verdicts import DUPLICATE, VALID
from offerflow.runtime.store.events import (
    HOUR_MS,
    JOURNAL,
    EventRow,
    event_counts,
    events,
    events_complete,
    segments_since,
    shown_name,
)
from offerflow.runtime.store.outcomes import storable
from offerflow.runtime.store.transactions import reading
from schemas.announce import rfc3339

Coordinates = tuple[int, int]
_Who = tuple[int, str, str | None, str | None]
"""Partition, event id, user and, of whom there is none, the anonymous id."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Past:
    """All that is given must hold; of several values of one kind any. ``since_ms`` and ``until_ms`` bound when an event
    was received; ``events`` has every name of an event type."""

    users: Sequence[str] = ()
    visitors: Sequence[str] = ()
    sources: Sequence[str] = ()
    events: Sequence[str] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    bad: bool = False


def newest(connection: Connection, past: Past, limit: int) -> list[EventRow]:
    """At most ``limit`` of the newest, newest last."""
    found: list[EventRow] = []
    for since_ms, until_ms in _windows(connection, past, limit):
        found += _newest(connection, replace(past, since_ms=since_ms, until_ms=until_ms), limit - len(found))
        if len(found) >= limit:
            break
    return found[::-1]


def _newest(connection: Connection, past: Past, limit: int) -> list[EventRow]:
    """Newest first."""
    columns = events.c
    found = (
        select(*(columns[name] for name in EventRow._fields))
        .where(*_conditions(past))
        .order_by(columns.received_at.desc(), _turn().desc(), columns.partition.desc(), columns["offset"].desc())
        .limit(limit)
    )
    return [EventRow(*row) for row in connection.execute(found)]


def _turn() -> ColumnElement[int]:
    """Of what became of one arrival the order: dead, then valid after a replay, then dead for the rules."""
    return case((events.c.dead == 0, 1), (events.c.raw_topic == JOURNAL, 2), else_=0)


def _windows(connection: Connection, past: Past, limit: int) -> Iterator[tuple[int | None, int | None]]:
    """Where to look, the newest first. Sources and verdicts have no index of their own, and what is rare would be
    looked for in every row there is: the counts by the hour say where ``limit`` of them are. What is counted without
    a name may be of any."""
    if past.users or past.visitors or not (past.sources or past.bad):
        yield past.since_ms, past.until_ms
        return
    counts = event_counts.c
    asked = select(counts.hour, func.sum(counts["count"])).group_by(counts.hour).order_by(counts.hour.desc())
    if past.sources:
        asked = asked.where(counts.source.in_(["", *map(shown_name, past.sources)]))
    if past.events:
        asked = asked.where(counts.event.in_(["", *map(shown_name, past.events)]))
    if past.bad:
        asked = asked.where(counts.reason != "")
    if past.since_ms is not None:
        asked = asked.where(counts.hour > past.since_ms - HOUR_MS)
    if past.until_ms is not None:
        asked = asked.where(counts.hour <= past.until_ms)
    hours = [(int(hour), int(count)) for hour, count in connection.execute(asked)]
    end, expected = past.until_ms, 0
    for at, (hour, count) in enumerate(hours, start=1):
        expected += count
        if expected >= limit or at == len(hours):
            yield (hour if past.since_ms is None else max(hour, past.since_ms)), end
            end, expected = hour - 1, 0


def of_id(connection: Connection, event_id: str) -> list[EventRow]:
    """Every arrival of an event id and what became of each, in the order of their arrival."""
    columns = events.c
    found = (
        select(*(columns[name] for name in EventRow._fields))
        .where(columns.event_id == storable(event_id), columns.segment.in_(segments_since()))
        .order_by(columns.received_at, _turn(), columns.partition, columns["offset"])
        .limit(100)
    )
    return [EventRow(*row) for row in connection.execute(found)]


def complete(connection: Connection) -> bool:
    """Whether the index once held all there was; until then it is being filled."""
    return events_complete(connection)


class Earlier:
    """Finds the journal record of the same user and id that came before one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __call__(self, stored: Stored) -> Coordinates | None:
        """Raises StoreDown."""
        event_id, user, visitor = (
            storable(stored.meta[name] or "") for name in ("event_id", "user_id", "anonymous_id")
        )
        with reading(self._engine) as connection:
            first = _firsts(connection, [event_id]).get((stored.partition, event_id, *_entity(user, visitor)))
        return (stored.partition, first) if first is not None and first < stored.offset else None


def repeated(connection: Connection, rows: Sequence[EventRow]) -> dict[Coordinates, Coordinates]:
    """Of valid ones that are not the first with their user and id, where in the journal the first is."""
    valid = [row for row in rows if not row.dead and row.event_id is not None]
    found: dict[Coordinates, Coordinates] = {}
    for some in (valid[at : at + _AT_ONCE] for at in range(0, len(valid), _AT_ONCE)):
        firsts = _firsts(connection, {row.event_id for row in some if row.event_id is not None})
        for row in some:
            first = firsts.get((row.partition, row.event_id or "", *_entity(row.user_id, row.anonymous_id)))
            if first is not None and first < row.offset:
                found[row.partition, row.offset] = (row.partition, first)
    return found


def _firsts(connection: Connection, ids: Collection[str]) -> dict[_Who, int]:
    """The first offset of each of these event ids in each partition and of each user there."""
    c = events.c
    visitor = case((c.user_id.is_(None), c.anonymous_id))
    asked = (
        select(c.partition, c.event_id, c.user_id, visitor, func.min(c["offset"]))
        .where(c.event_id.in_(ids), c.segment.in_(segments_since()), c.dead == 0)
        .group_by(c.partition, c.event_id, c.user_id, visitor)
    )
    return {
        (at, event_id, user, anonymous): first for at, event_id, user, anonymous, first in connection.execute(asked)
    }


def _entity(user_id: str | None, anonymous_id: str | None) -> tuple[str | None, str | None]:
    return (user_id, None) if user_id else (None, anonymous_id)


def row_json(row: EventRow, first: Coordinates | None = None) -> dict[str, Any]:
    """For programs, with where the body lies: in the journal, or in the dead letters. ``first`` is where the first
    record with its user and id is, of which it is a duplicate."""
    return {
        "verdict": row.reason or (DUPLICATE if first else VALID),
        "event": row.event,
        "user_id": row.user_id,
        "anonymous_id": row.anonymous_id,
        "source": row.source,
        "event_id": row.event_id,
        "time": None if row.time is None else rfc3339(row.time),
        "received_at": rfc3339(row.received_at),
        "journal": None if row.dead else f"{row.partition}/{row.offset}",
        "dead_letter": f"{row.partition}/{row.offset}" if row.dead else None,
        "first": f"{first[0]}/{first[1]}" if first else None,
    }


def _conditions(past: Past) -> list[ColumnElement[bool]]:
    columns = events.c
    wanted: list[ColumnElement[bool]] = [
        column.in_([written(value) for value in values])
        for column, values, written in (
            (columns.user_id, past.users, storable), (columns.anonymous_id, past.visitors, storable),
            (columns.source, past.sources, shown_name), (columns.event, past.events, shown_name),
        ) if values
    ]  # fmt: skip
    if past.users or past.visitors:
        wanted.append(columns.segment.in_(segments_since(past.since_ms)))
    if past.since_ms is not None:
        wanted.append(columns.received_at >= past.since_ms)
    if past.until_ms is not None:
        wanted.append(columns.received_at <= past.until_ms)
    if past.bad:
        wanted.append(columns.dead == 1)
    return wanted

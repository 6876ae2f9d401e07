"""Past events from the history's index: who sent what, when, with which verdict, and where the body lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, case, func, select

from console.events.stored import Stored
from console.events.verdicts import VALID
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
        meta, columns = stored.meta, events.c
        whose = columns.user_id == storable(meta["user_id"]) if meta["user_id"] else columns.user_id.is_(None)
        found = (
            select(columns.partition, columns["offset"])
            .where(
                columns.event_id == storable(meta["event_id"]), columns.segment.in_(segments_since()),
                columns.dead == 0, whose,
                columns.partition == stored.partition, columns["offset"] < stored.offset,
            )
            .order_by(columns["offset"])
            .limit(1)
        )  # fmt: skip
        with reading(self._engine) as connection:
            row = connection.execute(found).first()
        return None if row is None else (row[0], row[1])


def row_json(row: EventRow) -> dict[str, Any]:
    """For programs; ``at`` is where the body lies: in the journal, or in the dead letters."""
    return {
        "verdict": row.reason or VALID,
        "event": row.event,
        "user_id": row.user_id,
        "anonymous_id": row.anonymous_id,
        "source": row.source,
        "event_id": row.event_id,
        "time": None if row.time is None else rfc3339(row.time),
        "received_at": rfc3339(row.received_at),
        "journal": None if row.dead else f"{row.partition}/{row.offset}",
        "dead_letter": f"{row.partition}/{row.offset}" if row.dead else None,
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

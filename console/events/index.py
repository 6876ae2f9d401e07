"""Past events from the history's index: who sent what, when, with which verdict, and where the body lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, select

from console.events.stored import Stored
from console.events.verdicts import VALID
from offerflow.runtime.store.events import EventRow, event_positions, events, events_complete, segments_since
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
    columns = events.c
    found = (
        select(*(columns[name] for name in EventRow._fields))
        .where(*_conditions(past))
        .order_by(columns.received_at.desc(), columns.dead.desc(), columns.partition.desc(), columns["offset"].desc())
        .limit(limit)
    )
    return [EventRow(*row) for row in connection.execute(found)][::-1]


def of_id(connection: Connection, event_id: str) -> list[EventRow]:
    """Every arrival of an event id and what became of each, in the order of their arrival."""
    columns = events.c
    found = (
        select(*(columns[name] for name in EventRow._fields))
        .where(columns.event_id == storable(event_id), columns.segment.in_(segments_since()))
        .order_by(columns.received_at, columns.dead, columns.partition, columns["offset"])
        .limit(100)
    )
    return [EventRow(*row) for row in connection.execute(found)]


def complete(connection: Connection) -> bool:
    """Whether the index once held all there was; until then it is being filled."""
    return events_complete(connection)


def indexed_to(connection: Connection, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """The next offset of each partition of ``topics`` (full names) that the index has not."""
    return {place: position.next for place, position in event_positions(connection, topics).items()}


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
        column.in_([storable(value) for value in values])
        for column, values in (
            (columns.user_id, past.users), (columns.anonymous_id, past.visitors), (columns.source, past.sources),
            (columns.event, past.events),
        ) if values
    ]  # fmt: skip
    if past.users or past.visitors:
        wanted.append(columns.segment.in_(segments_since(past.since_ms)))
    if past.since_ms is not None:
        wanted.append(columns.received_at >= past.since_ms)
    if past.until_ms is not None:
        wanted.append(columns.received_at <= past.until_ms)
    if past.bad:
        wanted.append(columns.reason.is_not(None))
    return wanted

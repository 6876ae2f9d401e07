"""What became of messages, for people: the log of tries, what is queued and what is parked, and sending again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, delete, func, insert, select, update

from offerflow.runtime.store.webhooks import PARKED, WAITING, attempts, deliveries, endpoints
from offerflow.runtime.webhooks.answer import Answer


class Count(msgspec.Struct, frozen=True):
    """How many deliveries of an endpoint wait and are parked, and how long the oldest has waited."""

    waiting: int = 0
    parked: int = 0
    oldest_ms: int = 0


def counts(connection: Connection, now: int) -> dict[str, Count]:
    """By endpoint, also of those with nothing queued."""
    of, state = deliveries.c.endpoint, deliveries.c.state
    grouped = select(of, state, func.count().label("rows"), func.min(deliveries.c.id).label("first"))
    found = dict.fromkeys(connection.scalars(select(endpoints.c.name)), Count())
    for row in connection.execute(grouped.where(state.in_((WAITING, PARKED))).group_by(of, state)).all():
        count = found.get(row.endpoint, Count())
        if row.state == PARKED:
            found[row.endpoint] = msgspec.structs.replace(count, parked=row.rows)
            continue
        since = connection.scalar(select(deliveries.c.created_at).where(deliveries.c.id == row.first)) or now
        found[row.endpoint] = msgspec.structs.replace(count, waiting=row.rows, oldest_ms=max(0, now - since))
    return found


def tries(connection: Connection, name: str, limit: int, message_id: str | None = None) -> list[dict[str, Any]]:
    """The newest of an endpoint, newest last."""
    columns = (c for c in attempts.c if c.name not in ("id", "endpoint"))
    chosen = select(*columns).where(attempts.c.endpoint == name)
    if message_id is not None:
        chosen = chosen.where(attempts.c.message_id == message_id)
    return _newest_last(connection, chosen.order_by(attempts.c.id.desc()).limit(limit))


def parked(connection: Connection, name: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest that were given up, of one endpoint or all, newest last."""
    wanted = ("endpoint", "message_id", "type", "offer", "attempts", "created_at", "done_at", "error")
    chosen = select(*(deliveries.c[column] for column in wanted)).where(deliveries.c.state == PARKED)
    if name is not None:
        chosen = chosen.where(deliveries.c.endpoint == name)
    return _newest_last(connection, chosen.order_by(deliveries.c.id.desc()).limit(limit))


def replay(connection: Connection, name: str, message_ids: Sequence[str], now: int) -> list[str]:
    """Queue again, as if new: the messages named, delivered ones too, or all that are parked. Returns the ids that
    were named and are not there."""
    mine = deliveries.c.endpoint == name
    which = deliveries.c.message_id.in_(message_ids) if message_ids else deliveries.c.state == PARKED
    if message_ids:
        there = set(connection.scalars(select(deliveries.c.message_id).where(mine, which)))
        missing = [one for one in message_ids if one not in there]
        if missing:
            return missing
    again = {"state": WAITING, "attempts": 0, "due": now, "deadline": None, "done_at": None, "error": ""}
    connection.execute(update(deliveries).where(mine, which).values(**again))
    return []


def log_test(
    connection: Connection, name: str, message_id: str, kind: str, at: int, answer: Answer, error: str
) -> None:
    """A test is no delivery, but it is in the log."""
    connection.execute(
        insert(attempts).values(
            endpoint=name, message_id=message_id, type=kind, at=at, ms=answer.ms, outcome=answer.outcome,
            status=answer.status, error=error,
        )
    )  # fmt: skip


def forget(connection: Connection, name: str) -> int:
    """Remove the queue and the log of an endpoint. Returns how many deliveries had not arrived."""
    mine = (deliveries.c.endpoint == name, deliveries.c.state.in_((WAITING, PARKED)))
    lost = connection.scalar(select(func.count()).select_from(deliveries).where(*mine)) or 0
    connection.execute(delete(deliveries).where(deliveries.c.endpoint == name))
    connection.execute(delete(attempts).where(attempts.c.endpoint == name))
    return lost


def _newest_last(connection: Connection, chosen: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in reversed(connection.execute(chosen).mappings().all())]

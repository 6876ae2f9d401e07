"""Who is watched closely: users, devices and sources in debug mode, each until a moment.

A flag changes nothing about how events are taken in and judged; it only says whose events somebody wants to see.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, Engine, String, Table, delete, insert, select

from offerflow.runtime.store.outcomes import storable
from offerflow.runtime.store.tables import METADATA
from offerflow.runtime.store.transactions import reading, writing

USER, DEVICE, SOURCE = "user", "device", "source"
KINDS = (USER, DEVICE, SOURCE)

flags = Table(
    "debug_flag", METADATA,
    Column("kind", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("until", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("by", String, nullable=False),
)  # fmt: skip
"""``at`` and ``until``: milliseconds since 1970."""


class Flag(NamedTuple):
    """``id`` of a user, a device or a source; ``by`` says who set it, for others to ask."""

    kind: str
    id: str
    until: int
    at: int
    by: str


def set_flag(engine: Engine, kind: str, whom: str, seconds: float, by: str) -> Flag:
    """Watch somebody from now on for ``seconds``; who is watched already is from now on for that long."""
    now = int(time.time() * 1000)
    flag = Flag(kind, storable(whom), now + int(seconds * 1000), now, by)
    with writing(engine) as connection:
        _end(connection, kind, flag.id, now)
        connection.execute(insert(flags).values(flag._asdict()))
    return flag


def end_flag(engine: Engine, kind: str, whom: str) -> bool:
    """Whether there was one to end."""
    with writing(engine) as connection:
        return _end(connection, kind, storable(whom), int(time.time() * 1000))


def current_flags(engine: Engine) -> list[Flag]:
    """Those that are not over, the one that ends first at the front."""
    now = int(time.time() * 1000)
    with reading(engine) as connection:
        found = connection.execute(select(flags).where(flags.c.until > now).order_by(flags.c.until, flags.c.id))
        return [Flag(row.kind, row.id, row.until, row.at, row.by) for row in found]


def _end(connection: Connection, kind: str, whom: str, now: int) -> bool:
    """Also of all whose time is over, so that none is kept for ever."""
    mine = (flags.c.kind == kind) & (flags.c.id == whom)
    there = connection.scalar(select(flags.c.until).where(mine & (flags.c.until > now))) is not None
    connection.execute(delete(flags).where(mine | (flags.c.until <= now)))
    return there

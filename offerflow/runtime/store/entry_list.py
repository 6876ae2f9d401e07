"""Questions about entries: the offers somebody is in, and how many came and went."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, and_, case, func, or_, select

from offerflow.runtime.store.outcomes import entries, storable

Entry = dict[str, Any]
"""A row of the table ``entry`` with attributes and evidence decoded."""


class Numbers(NamedTuple):
    """Of one offer: how many entered, are inside now, and completed it."""

    entered: int
    inside: int
    completed: int


def open_entries(connection: Connection, user: str, now: int) -> list[Entry]:
    """What the user entered and has not left, the oldest first; at most 1,000."""
    still = or_(entries.c.expires_at.is_(None), entries.c.expires_at > now)
    mine = and_(entries.c.user_id == storable(user), entries.c.entered_at.is_not(None), entries.c.exited_at.is_(None))
    found = connection.execute(
        select(entries).where(mine, still).order_by(entries.c.entered_at, entries.c.instance).limit(1000)
    )
    return [
        {**row, "attributes": msgspec.json.decode(row["attributes"]), "evidence": msgspec.json.decode(row["evidence"])}
        for row in found.mappings()
    ]


def entry_numbers(connection: Connection) -> dict[str, Numbers]:
    """By offer, those that are no longer defined included."""

    def count(condition: Any) -> Any:
        return func.sum(case((condition, 1), else_=0))

    counted = select(
        entries.c.offer,
        count(entries.c.entered_at.is_not(None)),
        count(entries.c.exited_at.is_(None)),
        count(entries.c.exit_reason == "completed"),
    ).group_by(entries.c.offer)
    return {offer: Numbers(*map(int, numbers)) for offer, *numbers in connection.execute(counted)}

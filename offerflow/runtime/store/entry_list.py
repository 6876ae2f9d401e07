"""Questions about entries: how many came and went."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, case, func, select

from offerflow.runtime.store.outcomes import entries


class Numbers(NamedTuple):
    """Of one offer: how many entered, are inside now, and completed it."""

    entered: int
    inside: int
    completed: int


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

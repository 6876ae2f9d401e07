"""What an offer's arms cost besides rewards, as somebody imported it: the whole of it, replaced by the next import."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import BigInteger, Column, Connection, String, Table, delete, insert, select

from offerflow.amounts import amount
from offerflow.runtime.store.tables import METADATA

spend = Table(
    "spend", METADATA, Column("offer", String, primary_key=True), Column("arm", String, primary_key=True),
    Column("currency", String, primary_key=True), Column("amount", String, nullable=False),
    Column("at", BigInteger, nullable=False), Column("by", String, nullable=False),
)  # fmt: skip
"""``amount`` as ``outcomes.amount`` writes it; ``at``: milliseconds since 1970."""

Spent = tuple[str, str, Decimal]
"""Arm, currency, amount."""


def spent_on(connection: Connection, offer: str) -> list[Spent]:
    """What is there for an offer, by arm and currency."""
    asked = select(spend.c.arm, spend.c.currency, spend.c.amount).where(spend.c.offer == offer)
    rows = connection.execute(asked.order_by(spend.c.arm, spend.c.currency))
    return [(arm, currency, Decimal(value)) for arm, currency, value in rows]


def replace_spend(connection: Connection, offer: str, spent: Sequence[Spent], by: str) -> None:
    """From now on this is all that was spent on the offer. ``by`` says who, for others to ask."""
    now = int(time.time() * 1000)
    connection.execute(delete(spend).where(spend.c.offer == offer))
    rows = [
        {"offer": offer, "arm": arm, "currency": currency, "amount": amount(value), "at": now, "by": by}
        for arm, currency, value in spent
    ]
    if rows:
        connection.execute(insert(spend), rows)

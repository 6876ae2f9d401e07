"""Offers on hold: what concerns them is neither delivered nor listed until they are released. For emergencies, so it is
outside the fold and works at once."""

from __future__ import annotations

import time

from sqlalchemy import BigInteger, Column, Connection, Engine, String, Table, delete, insert, select

from offerflow.runtime.store.outcomes import list_again
from offerflow.runtime.store.tables import METADATA
from offerflow.runtime.store.transactions import writing

holds = Table(
    "hold", METADATA, Column("offer_id", String, primary_key=True), Column("at", BigInteger, nullable=False),
    Column("by", String, nullable=False),
)  # fmt: skip
"""``at``: milliseconds since 1970."""


def held_offers(connection: Connection) -> set[str]:
    """Ids of the offers on hold now."""
    return set(connection.scalars(select(holds.c.offer_id)))


def holds_now(connection: Connection) -> dict[str, tuple[int, str]]:
    """Since when each offer is on hold, and by whom."""
    return {row.offer_id: (row.at, row.by) for row in connection.execute(select(holds))}


def hold(engine: Engine, offer: str, by: str) -> bool:
    """Put an offer on hold; False if it was already, and is still as it was. ``by`` says who, for others to ask."""
    with writing(engine) as connection:
        if offer in held_offers(connection):
            return False
        connection.execute(insert(holds).values(offer_id=offer, at=int(time.time() * 1000), by=by))
        return True


def release(engine: Engine, offer: str) -> bool:
    """End the hold; False if there was none. Rewards of the offer are listed again for everybody who asks for new
    ones, since some were passed by."""
    with writing(engine) as connection:
        ended = bool(connection.execute(delete(holds).where(holds.c.offer_id == offer)).rowcount)
        if ended:
            list_again(connection, offer)
        return ended

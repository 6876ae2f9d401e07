"""The right to send, which one worker has at a time. It is kept by renewing it; a worker that dies leaves it to the
next process of its own name at once, and to others when it has run out."""

from __future__ import annotations

from sqlalchemy import Engine, insert, select, update

from offerflow.runtime.store.transactions import writing
from offerflow.runtime.store.webhooks import sender

LEASE_MS = 15_000
RENEW_MS = 5_000


def take(engine: Engine, worker: str, now: int) -> bool:
    """Get or keep the right until LEASE_MS from now; False while another worker has it."""
    with writing(engine) as connection:
        row = connection.execute(select(sender).with_for_update()).first()
        mine = {"holder": worker, "until": now + LEASE_MS}
        if row is None:
            connection.execute(insert(sender).values(id=1, **mine))
        elif row.holder == worker or row.until <= now:
            connection.execute(update(sender).values(**mine))
        else:
            return False
    return True


def give_back(engine: Engine, worker: str) -> None:
    """Let another have it at once."""
    with writing(engine) as connection:
        connection.execute(update(sender).where(sender.c.holder == worker).values(until=0))

"""What is done to the queues now and then: cleared of what is old, parked where an endpoint is disabled. In pieces of
CHUNK rows, so that no transaction makes others wait."""

from __future__ import annotations

from sqlalchemy import Engine, delete, func, or_, select, true, update

from offerflow.runtime.store.transactions import reading, writing
from offerflow.runtime.store.webhooks import DELIVERED, DISABLED, PARKED, WAITING, attempts, deliveries, endpoints

CHUNK = 5000


def park_disabled(engine: Engine, now: int) -> bool:
    """Park some of what waits for disabled endpoints; True if there may be more."""
    with reading(engine) as connection:
        disabled = connection.execute(select(endpoints.c.name, endpoints.c.why).where(endpoints.c.state == DISABLED))
        whys = {row.name: row.why for row in disabled}
        waiting = select(deliveries.c.id, deliveries.c.endpoint).where(
            deliveries.c.endpoint.in_(whys), deliveries.c.state == WAITING
        )
        found = connection.execute(waiting.limit(CHUNK)).all() if whys else []
    for name in sorted({row.endpoint for row in found}):
        mine = [row.id for row in found if row.endpoint == name]
        still = (deliveries.c.id.in_(mine), deliveries.c.state == WAITING)
        error = f"the endpoint is disabled: {whys[name]}"
        with writing(engine) as connection:
            connection.execute(update(deliveries).where(*still).values(state=PARKED, done_at=now, error=error))
    return len(found) == CHUNK


def prune(engine: Engine, before: int, rows: int) -> bool:
    """Forget tries, and what was delivered, from before a moment or beyond the newest ``rows``; True if there may be
    more. What waits or is parked stays."""
    most = 0
    for table, at, done in (
        (attempts, attempts.c.at, true()),
        (deliveries, deliveries.c.done_at, deliveries.c.state == DELIVERED),
    ):
        with reading(engine) as connection:
            newest = connection.scalar(select(func.max(table.c.id))) or 0
            old = select(table.c.id).where(or_(at < before, table.c.id <= newest - rows), done)
            some = connection.scalars(old.limit(CHUNK)).all()
        if some:
            with writing(engine) as connection:
                connection.execute(delete(table).where(table.c.id.in_(some)))
        most = max(most, len(some))
    return most == CHUNK

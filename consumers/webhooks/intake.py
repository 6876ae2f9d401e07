"""Messages into the queues, with the position they were read at, in one transaction: so nothing is left out and nothing
goes in twice, wherever the worker dies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects import postgresql, sqlite

from consumers.webhooks.messages import Message
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.store.claims import Position
from offerflow.runtime.store.positions import move, positions_in
from offerflow.runtime.store.transactions import reading, writing
from offerflow.runtime.store.webhooks import WAITING, deliveries, endpoints, positions

SKEW_MS = 60_000
"""How far the clocks of the broker and of who makes endpoints may differ."""


class Intake:
    """Raises StoreDown when the store does not answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def positions(self) -> dict[Place, Position]:
        """Of every partition that was ever read."""
        with reading(self._engine) as connection:
            return positions_in(connection, positions)

    def enqueue(
        self, messages: Sequence[Message], before: Mapping[Place, Position], after: Mapping[Place, Position], now: int
    ) -> bool:
        """One delivery of each message for each endpoint that subscribed to its type, and was there when it was
        announced: a worker that reads the past of a topic tells it to nobody. Returns whether there was any. Raises
        Disturbed if a position is not where it was ``before``: then another worker reads this partition."""
        with writing(self._engine) as connection:
            move(connection, positions, before, after)
            rows = _rows(connection, messages, now) if messages else []
            if rows:
                dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
                # The same output twice is met only where positions were lost and a topic is read again.
                connection.execute(dialect.insert(deliveries).on_conflict_do_nothing(), rows)
        return bool(rows)


def _rows(connection: Connection, messages: Sequence[Message], now: int) -> list[dict[str, object]]:
    owners = connection.execute(select(endpoints.c.name, endpoints.c.types, endpoints.c.created_at))
    subscribed = [(owner.name, frozenset(owner.types.split()), owner.created_at - SKEW_MS) for owner in owners]
    return [
        {
            "endpoint": name, "message_id": message.id, "type": message.type, "offer": message.offer,
            "reward": message.reward, "body": message.body, "state": WAITING, "created_at": now, "due": now,
        }
        for message in messages for name, types, since in subscribed if message.type in types and message.at >= since
    ]  # fmt: skip

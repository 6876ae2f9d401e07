"""The queues as the sender sees them: what was tried is written down, what is due comes out, for all endpoints in one
transaction. What was not written down is tried again, under the same id."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec
from sqlalchemy import Boolean, Connection, Engine, bindparam, func, insert, or_, select, update

from consumers.webhooks.settling import Delivery, Settled
from offerflow.runtime.store.holds import held_offers
from offerflow.runtime.store.outcomes import rewards
from offerflow.runtime.store.transactions import reading, writing
from offerflow.runtime.store.webhooks import DELIVERED, WAITING, attempts, deliveries, endpoints
from offerflow.runtime.webhooks.answer import error_of
from offerflow.runtime.webhooks.breaker import Breaker
from offerflow.runtime.webhooks.deliveries import Count, counts
from offerflow.runtime.webhooks.endpoints import Endpoint, disable, every, write_breaker

_columns = [deliveries.c[name] for name in Delivery.__struct_fields__]
_settle = (
    update(deliveries)
    # A delivery may have been parked while it was tried: that it arrived is true all the same.
    .where(deliveries.c.id == bindparam("of"), or_(deliveries.c.state == WAITING, bindparam("arrived", type_=Boolean)))
    .values(
        state=bindparam("to_state"), attempts=bindparam("to_attempts"), due=bindparam("to_due"),
        deadline=bindparam("to_deadline"), done_at=bindparam("to_done_at"), error=bindparam("to_error"),
    )
)  # fmt: skip


class Wanted(msgspec.Struct, frozen=True):
    """How many deliveries of an endpoint can be begun now, besides those that are ``busy``."""

    room: int
    busy: Collection[int]


class Due(msgspec.Struct, frozen=True):
    """What is to be tried now, and when more will be due; None if nothing is planned."""

    deliveries: Sequence[Delivery]
    more_at: int | None


class Queue:
    """Its calls block and are short. Raises StoreDown when the store does not answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def endpoints(self, now: int) -> list[Endpoint]:
        with reading(self._engine) as connection:
            return every(connection, now)

    def counts(self, now: int) -> dict[str, Count]:
        with reading(self._engine) as connection:
            return counts(connection, now)

    def exchange(
        self, settled: Sequence[Settled], breakers: Mapping[str, Breaker], disabled: Mapping[str, str],
        wanted: Mapping[str, Wanted], now: int,
    ) -> dict[str, Due]:  # fmt: skip
        """Write down what was tried, what the breakers are, and which endpoints are disabled and why; then give out
        what is due. What concerns an offer on hold is not."""
        changed = bool(settled or breakers or disabled)
        with writing(self._engine) if changed else reading(self._engine) as connection:
            if changed:
                _write(connection, settled)
                write_breaker(connection, breakers)
                for name, why in disabled.items():
                    disable(connection, name, why)
            held = held_offers(connection) if wanted else ()
            return {name: _due(connection, name, want, held, now) for name, want in wanted.items()}


def _write(connection: Connection, settled: Sequence[Settled]) -> None:
    there = set(connection.scalars(select(endpoints.c.name))) if settled else set()
    known = [one for one in settled if one.delivery.endpoint in there]
    if known:
        connection.execute(_settle, [_outcome(one) for one in known])
        connection.execute(insert(attempts), [_attempt(one) for one in known])


def _outcome(one: Settled) -> dict[str, object]:
    return {
        "of": one.delivery.id, "arrived": one.state == DELIVERED, "to_state": one.state,
        "to_attempts": one.delivery.attempts + 1, "to_due": one.due, "to_deadline": one.deadline,
        "to_done_at": None if one.state == WAITING else one.ended,
        "to_error": "" if one.state == DELIVERED else error_of(one.answer),
    }  # fmt: skip


def _attempt(one: Settled) -> dict[str, object]:
    delivery, answer = one.delivery, one.answer
    return {
        "endpoint": delivery.endpoint, "message_id": delivery.message_id, "type": delivery.type, "at": one.began,
        "ms": answer.ms, "outcome": answer.outcome, "status": answer.status, "error": error_of(answer),
    }  # fmt: skip


def _due(connection: Connection, name: str, want: Wanted, held: Collection[str], now: int) -> Due:
    waiting = (deliveries.c.endpoint == name, deliveries.c.state == WAITING)
    chosen = select(*_columns).where(*waiting, deliveries.c.due <= now, deliveries.c.id.not_in(want.busy))
    if held:
        # Of a reward that the history does not know yet nobody can say whose it is: it waits until that or the release.
        free = or_(rewards.c.offer.is_(None), rewards.c.offer.not_in(held))
        of_another = select(rewards.c.id).where(rewards.c.id == deliveries.c.reward, free).exists()
        chosen = chosen.where(
            or_(deliveries.c.offer.is_(None), deliveries.c.offer.not_in(held)),
            or_(deliveries.c.reward.is_(None), of_another),
        )
    found = [Delivery(*row) for row in connection.execute(chosen.order_by(deliveries.c.due).limit(want.room))]
    if len(found) == want.room:
        return Due(found, now)
    return Due(found, connection.scalar(select(func.min(deliveries.c.due)).where(*waiting, deliveries.c.due > now)))

"""What becomes of a delivery after a try: delivered, tried again later, or parked.

The n-th wait is drawn evenly from 0 to min(FIRST_MS * 2**n, LONGEST_MS), "full jitter"; a receiver that asks for more
by Retry-After gets it. A delivery has its days from its first failure on, and its last try comes when they end.
Whatever it waited beyond its own time, because the breaker was open, the endpoint paused, the offer on hold, or the
worker away, is added to them: three days are three days of trying.
"""

from __future__ import annotations

import msgspec

from offerflow.runtime.store.webhooks import DELIVERED, PARKED, WAITING
from offerflow.runtime.webhooks.answer import Answer

FIRST_MS = 5_000
LONGEST_MS = 6 * 3600 * 1000


class Delivery(msgspec.Struct, frozen=True):
    """One message for one endpoint, as far as a try needs it. ``attempts`` are those before this one."""

    id: int
    endpoint: str
    message_id: str
    type: str
    body: str
    attempts: int
    due: int
    deadline: int | None


class Settled(msgspec.Struct, frozen=True):
    """A try that ended, and what the delivery is from now on."""

    delivery: Delivery
    began: int
    answer: Answer
    state: str
    due: int
    deadline: int | None
    ended: int


def settle(delivery: Delivery, answer: Answer, began: int, ended: int, patience_ms: int, draw: float) -> Settled:
    """``draw`` is the chance of the jitter, from 0 to 1; ``patience_ms`` the days a delivery has."""
    if answer.outcome == "delivered":
        return Settled(delivery, began, answer, DELIVERED, delivery.due, delivery.deadline, ended)
    late = max(0, began - delivery.due)
    deadline = ended + patience_ms if delivery.deadline is None else delivery.deadline + late
    if answer.outcome == "gone" or ended >= deadline:
        return Settled(delivery, began, answer, PARKED, delivery.due, deadline, ended)
    due = min(ended + backoff(delivery.attempts, answer, draw), deadline)
    return Settled(delivery, began, answer, WAITING, due, deadline, ended)


def backoff(attempts: int, answer: Answer, draw: float) -> int:
    """Milliseconds to wait after a failure that ``attempts`` others came before."""
    longest = min(FIRST_MS << min(attempts, 32), LONGEST_MS)
    return round(max(draw * longest, 1000 * (answer.retry_after_s or 0.0)))

"""One endpoint at work: how many requests it may have now, and what its answers change. No lane knows of another.

The window begins small and grows with each success up to ``in_flight``, and is halved by a failure: an endpoint that is
dead from the start costs a few connections, one that is well soon has all it can use.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from standardwebhooks import Webhook

from consumers.webhooks.settling import Delivery, Settled
from offerflow.runtime.store.webhooks import ACTIVE, DISABLED
from offerflow.runtime.webhooks.endpoints import Endpoint
from offerflow.runtime.webhooks.signing import signer

FIRST_WINDOW = 8
FAR = 1 << 62


class Lane:
    """``busy``: ids of the deliveries being tried. ``look_at``: when to ask the store for more. ``stored``: the
    breaker as it is in the store."""

    def __init__(self, endpoint: Endpoint, in_flight: int) -> None:
        self._most = in_flight
        self._window = min(FIRST_WINDOW, in_flight)
        self._probe: int | None = None
        self._not_before = 0
        self.endpoint = endpoint
        self.breaker = self.stored = endpoint.breaker
        self.signers: Sequence[Webhook] = tuple(map(signer, endpoint.secrets))
        self.busy: set[int] = set()
        self.look_at = 0

    def follow(self, endpoint: Endpoint) -> None:
        """Take over what commands changed: also the breaker, where it is not as we left it in the store."""
        if endpoint.secrets != self.endpoint.secrets:
            self.signers = tuple(map(signer, endpoint.secrets))
        if endpoint.breaker != self.stored:
            self.breaker = self.stored = endpoint.breaker
            self._not_before = 0
        self.endpoint = endpoint
        self.look_at = 0

    def stop(self, why: str) -> None:
        """Begin nothing more: the endpoint is disabled."""
        self.endpoint = msgspec.structs.replace(self.endpoint, state=DISABLED, why=why)

    def room(self, now: int) -> int:
        """How many requests may begin now."""
        if self.endpoint.state != ACTIVE or now < self._not_before or not self.signers:
            return 0
        state = self.breaker.state(now)
        if state == "closed":
            return max(0, self._window - len(self.busy))
        return 1 if state == "half_open" and self._probe is None else 0

    def wake_at(self, now: int) -> int:
        """When there may be something to do, with no answer coming in before."""
        if self.endpoint.state != ACTIVE:
            return FAR
        until = self.breaker.open_until if self.breaker.trips else 0
        blocked = max(self._not_before, until)
        if self.room(now) == 0 and blocked <= now:
            return FAR  # full: an answer is what comes next
        return max(self.look_at, blocked)

    def begin(self, delivery: Delivery, now: int) -> None:
        self.busy.add(delivery.id)
        if self.breaker.state(now) == "half_open":
            self._probe = delivery.id

    def end(self, settled: Settled) -> None:
        """Take in the outcome of a try."""
        probe = self._probe == settled.delivery.id
        self.busy.discard(settled.delivery.id)
        self._probe = None if probe else self._probe
        self.look_at = 0
        if settled.answer.outcome == "delivered":
            self._window = min(self._window + 1, self._most)
            self.breaker = self.breaker.after_success()
            return
        self._window = max(min(FIRST_WINDOW, self._most), self._window // 2)
        self.breaker = self.breaker.after_failure(settled.ended, probe=probe)
        if settled.answer.retry_after_s:
            self._not_before = max(self._not_before, settled.ended + round(1000 * settled.answer.retry_after_s))

"""The circuit breaker of one endpoint.

closed      everything is tried; THRESHOLD failures with no success between open it
open        nothing is tried until ``open_until``: FIRST_MS after the first time, doubled each time to LONGEST_MS
half open   one delivery is tried; its success closes the breaker, its failure opens it again

Deliveries wait in their queue meanwhile. What the breaker makes a delivery wait is not counted against the days it has
(consumers.webhooks.settling). Any success closes it, also that of a request begun before it opened.
"""

from __future__ import annotations

from typing import Literal

import msgspec

THRESHOLD = 10
FIRST_MS = 5_000
LONGEST_MS = 5 * 60_000
State = Literal["closed", "open", "half_open"]


class Breaker(msgspec.Struct, frozen=True):
    """``failures`` in a row, ``trips`` in a row, and since when there is nothing but failures; all as kept in the
    store. Times are milliseconds since 1970."""

    failures: int = 0
    trips: int = 0
    open_until: int = 0
    failing_since: int | None = None

    def state(self, now: int) -> State:
        if self.trips == 0:
            return "closed"
        return "open" if now < self.open_until else "half_open"

    def after_success(self) -> Breaker:
        return _CLOSED

    def after_failure(self, now: int, *, probe: bool) -> Breaker:
        """``probe``: the request was the one that is tried half open; others that end late open nothing again."""
        failures, since = self.failures + 1, now if self.failing_since is None else self.failing_since
        if probe or (self.trips == 0 and failures >= THRESHOLD):
            wait = min(FIRST_MS << min(self.trips, 16), LONGEST_MS)
            return Breaker(failures, self.trips + 1, now + wait, since)
        return Breaker(failures, self.trips, self.open_until, since)


_CLOSED = Breaker()

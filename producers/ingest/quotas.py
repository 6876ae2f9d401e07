"""How many events a key may send: a bucket per key that fills at its rate, up to its burst.

Local to the process and divided by ``ingest.processes``: no request waits for another machine to count it. Where a load
balancer spreads unevenly, a key may be stopped a little before its rate.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from offerflow.runtime.metrics import ingest_quota_refusals
from producers.ingest.answers import Refusal
from producers.ingest.keyring import Source, Terms

_LONGEST_WAIT = 3600


class _Bucket:
    """``left`` may be below zero: a request larger than the burst is taken from a full bucket, and paid off after."""

    __slots__ = ("at", "left", "rate", "room")

    def __init__(self, pace: _Pace, now: float) -> None:
        self.rate, self.room = pace
        self.left = self.room
        self.at = now

    def fill(self, pace: _Pace, now: float) -> None:
        self.rate, self.room = pace
        self.left = min(self.room, self.left + max(0.0, now - self.at) * self.rate)
        self.at = now


class _Pace(NamedTuple):
    rate: float
    room: float


class Quotas:
    """Belongs to one event loop. ``processes``: how many of them share the load. ``now`` in seconds, of any origin."""

    def __init__(self, processes: int = 1, now: Callable[[], float] = time.monotonic) -> None:
        self._processes = max(1, processes)
        self._now = now
        self._buckets: dict[str, _Bucket] = {}

    def exhausted(self, source: Source) -> Refusal | None:
        """429 if the key may not send even one event now: told before anything of the request is read. Counts none."""
        if not source.terms.rate:
            return None
        return self._over(source, self._bucket(source.terms), 1, 0)

    def refusal(self, source: Source, events: int) -> Refusal | None:
        """None if the key may send this many now, which are then counted; else 429 with when to send them again."""
        if not source.terms.rate:
            return None
        bucket = self._bucket(source.terms)
        refused = self._over(source, bucket, events, events)
        if refused is None:
            bucket.left -= events
        return refused

    def give_back(self, source: Source, events: int) -> None:
        """What was counted was not taken after all, and will come again."""
        bucket = self._buckets.get(source.terms.id)
        if source.terms.rate and bucket is not None:
            bucket.left = min(bucket.room, bucket.left + events)

    def _over(self, source: Source, bucket: _Bucket, events: int, count: int) -> Refusal | None:
        missing = min(float(events), bucket.room) - bucket.left
        if missing <= 0:
            return None
        terms = source.terms
        ingest_quota_refusals.labels(source.id).inc()
        wait = min(_LONGEST_WAIT, max(1, math.ceil(missing / bucket.rate)))
        return Refusal(
            HTTPStatus.TOO_MANY_REQUESTS,
            "over_quota",
            f"key {terms.id} of source {source.id} may send {terms.rate:g} events a second, {terms.burst} at once, and"
            f" has; nothing was taken, send it again in {wait} s. `offerflow keys change {terms.id} --rate …` changes"
            " the quota",
            headers=((b"retry-after", b"%d" % wait),),
            count=count,
        )

    def _bucket(self, terms: Terms) -> _Bucket:
        rate = terms.rate / self._processes
        pace = _Pace(rate, max(1.0, (terms.burst or terms.rate) / self._processes))
        now = self._now()
        bucket = self._buckets.get(terms.id)
        if bucket is None:
            bucket = self._buckets[terms.id] = _Bucket(pace, now)
        else:
            bucket.fill(pace, now)
        return bucket

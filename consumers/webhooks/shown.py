"""What the metrics say of webhooks. Labels are the names of endpoints, which operators choose."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from consumers.webhooks.lane import Lane
from consumers.webhooks.settling import Settled
from offerflow.runtime import metrics
from offerflow.runtime.store.webhooks import PARKED
from offerflow.runtime.webhooks.deliveries import Count

OUTCOMES = ("delivered", "failed", "parked")
_BREAKER = {"closed": 0, "half_open": 1, "open": 2}


def count(settled: Settled) -> None:
    """``failed`` is a try that is followed by another, ``parked`` one that is not."""
    delivered = settled.answer.outcome == "delivered"
    outcome = "delivered" if delivered else "parked" if settled.state == PARKED else "failed"
    metrics.webhook_deliveries.labels(settled.delivery.endpoint, outcome).inc()


def show(lanes: Mapping[str, Lane], counts: Mapping[str, Count], now: int) -> None:
    for name, lane in lanes.items():
        of = counts.get(name, Count())
        metrics.webhook_queue.labels(name, "waiting").set(of.waiting)
        metrics.webhook_queue.labels(name, "parked").set(of.parked)
        metrics.webhook_oldest_seconds.labels(name).set(of.oldest_ms / 1000)
        metrics.webhook_breaker.labels(name).set(_BREAKER[lane.breaker.state(now)])


def forget(name: str) -> None:
    """The endpoint is no more."""
    for metric, labels in (
        *((metrics.webhook_deliveries, (name, outcome)) for outcome in OUTCOMES),
        *((metrics.webhook_queue, (name, state)) for state in ("waiting", "parked")),
        (metrics.webhook_oldest_seconds, (name,)),
        (metrics.webhook_breaker, (name,)),
    ):
        with contextlib.suppress(KeyError):
            metric.remove(*labels)

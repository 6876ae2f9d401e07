"""Metrics of a batch of the rules stage, added once its outputs are published: replays are not counted twice."""

from __future__ import annotations

from collections import Counter

from consumers.rules.partition import Work
from offerflow.rules.outcomes import OfferEntered
from offerflow.runtime import metrics


def count(work: Work) -> None:
    """Add one partition's batch to the metrics."""
    for output in work.outputs:
        if isinstance(output, OfferEntered):
            metrics.offer_entries.labels(output.offer, output.variant).inc()
    for (reward, state), n in Counter(work.rewards).items():
        metrics.rewards.labels(reward, state).inc(n)
    for refusal in work.refusals:
        metrics.offer_refusals.labels(refusal.offer, refusal.reason).inc()
    for names, counter in (
        (work.duplicates, metrics.duplicates),
        (work.late, metrics.late_events),
        (work.too_late, metrics.too_late_events),
    ):
        for event, n in Counter(names).items():
            counter.labels(event).inc(n)
    for _, letter in work.dead_letters:
        metrics.dead_letters.labels(letter.reason, letter.event or "", "journal").inc()
    metrics.ticks.inc(work.ticks)


def count_replayed(work: Work) -> None:
    """Add what a batch folded again: records below the committed offset, and their outputs thrown away."""
    metrics.suppressed_outputs.inc(work.suppressed)
    metrics.replayed_records.inc(work.replayed)

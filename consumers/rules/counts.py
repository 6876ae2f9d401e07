"""Metrics of a batch of the rules stage, added once its outputs are published: replays are not counted twice."""

from __future__ import annotations

from collections import Counter

from consumers.rules.partition import Work
from offerflow.rules.outcomes import OfferEntered, RewardSatisfied
from offerflow.runtime import metrics


def count(work: Work) -> None:
    """Add one partition's batch to the metrics."""
    for output in work.outputs:
        if isinstance(output, OfferEntered):
            metrics.offer_entries.labels(output.offer, output.variant).inc()
        elif isinstance(output, RewardSatisfied):
            metrics.rewards.labels(output.reward, "satisfied").inc()
    for refusal in work.refusals:
        metrics.offer_refusals.labels(refusal.offer, refusal.reason).inc()
    for event, n in Counter(work.duplicates).items():
        metrics.duplicates.labels(event).inc(n)
    for _, letter in work.dead_letters:
        metrics.dead_letters.labels(letter.reason, letter.event or "", "journal").inc()


def count_replayed(work: Work) -> None:
    """Add what a batch folded again: records below the committed offset, and their outputs thrown away."""
    metrics.suppressed_outputs.inc(work.suppressed)
    metrics.replayed_records.inc(work.replayed)

"""Metrics of a batch of the rules stage, and what failed in it, once its outputs are published: nothing is counted or
told twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

from offerflow.rules.outcomes import OfferEntered
from offerflow.runtime import metrics
from offerflow.runtime.logs import get_logger
from schemas.folding.partition import Work


def count(work: Work, offers: Container[str]) -> None:
    """Add one partition's batch to the metrics. ``offers``: ids that the ruleset knows; what else a request named is
    counted under none, since metrics keep every name for ever."""
    for output in work.outputs:
        if isinstance(output, OfferEntered):
            metrics.offer_entries.labels(output.offer, output.variant).inc()
    for (reward, state), n in Counter(work.rewards).items():
        metrics.rewards.labels(reward, state).inc(n)
    for refusal in work.refusals:
        metrics.offer_refusals.labels(refusal.offer if refusal.offer in offers else "", refusal.reason).inc()
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
    if work.failed:
        first = work.failed[0]  # where, and nothing of whom: the dead letters have the rest
        get_logger().error("the rules failed on records; dead letters say why", partition=first.partition(),
                           offset=first.offset(), records=len(work.failed))  # fmt: skip


def count_replayed(work: Work) -> None:
    """Add what a batch folded again: records below the committed offset, and their outputs thrown away."""
    metrics.suppressed_outputs.inc(work.suppressed)
    metrics.replayed_records.inc(work.replayed)

"""Counts of one batch, added to the metrics only once its transaction is committed: a metric lock per batch and
label, not per event."""

from __future__ import annotations

from collections import Counter

from offerflow.runtime import metrics


class Counts:
    """Labels are channel names, display names from the plan (or empty) and the closed set of reasons."""

    def __init__(self) -> None:
        self._events: Counter[tuple[str, str, str]] = Counter()
        self._dead: Counter[tuple[str, str, str]] = Counter()

    def valid(self, channel: str, event: str) -> None:
        self._events[channel, event, "valid"] += 1

    def dropped(self, channel: str, event: str) -> None:
        self._events[channel, event, "dropped"] += 1

    def dead(self, channel: str, event: str, reason: str) -> None:
        self._events[channel, event, "dead_letter"] += 1
        self._dead[reason, event, channel] += 1

    def commit(self) -> None:
        for labels, n in self._events.items():
            metrics.events.labels(*labels).inc(n)
        for labels, n in self._dead.items():
            metrics.dead_letters.labels(*labels).inc(n)
        self.discard()

    def discard(self) -> None:
        """The batch did not happen."""
        self._events.clear()
        self._dead.clear()

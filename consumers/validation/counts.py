"""Counts of one batch, added to the metrics only once its transaction is committed: a metric lock per batch and
label, not per event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set

from consumers.validation.judging import Judged
from consumers.validation.seen import Ledger
from offerflow.runtime import metrics
from offerflow.runtime.topics import CHANNELS
from schemas.dead_letter import REASONS

_NOT_DEAD = frozenset({"valid", "dropped"})
_MET_IDS = 4096
"""Whoever sends so many ids that nobody registered sends garbage; one more is no news."""


class Counts:
    """Labels are channel names, display names from the plan (or empty) and the closed set of reasons."""

    def __init__(self) -> None:
        self._events: Counter[tuple[str, str, str]] = Counter()
        self._dead: Counter[tuple[str, str, str]] = Counter()
        self._stripped: Counter[str] = Counter()
        self._schema_ids: set[int] = set()
        self._met: tuple[set[str], set[int]] = set(), set()
        # A series that begins at 1 shows no increase.
        for kind in ("reason", "schema_id"):
            metrics.first_seen.labels(kind)
        for channel in CHANNELS:
            for reason in REASONS:
                metrics.dead_letters.labels(reason, "", channel)

    def meet(self, ledger: Ledger) -> None:
        """What the ledger knows is nothing new."""
        reasons, schema_ids = ledger.known()
        self._met[0].update(reasons)
        self._met[1].update(schema_ids)

    def add(self, channel: str, batch: Judged, planned: Set[str]) -> None:
        for (name, _, outcome), (count, _, _) in batch.tally.items():
            event = name if name in planned else ""
            if outcome in _NOT_DEAD:
                self._events[channel, event, outcome] += count
            else:
                self._events[channel, event, "dead_letter"] += count
                self._dead[outcome, event, channel] += count
        self._schema_ids.update(batch.schema_ids)
        self._stripped.update(batch.stripped)

    def commit(self) -> None:
        for labels, n in self._events.items():
            metrics.events.labels(*labels).inc(n)
        for labels, n in self._dead.items():
            metrics.dead_letters.labels(*labels).inc(n)
        for event, n in self._stripped.items():
            metrics.unplanned_properties.labels(event).inc(n)
        reasons, schema_ids = self._met
        if new_reasons := {reason for reason, _, _ in self._dead} - reasons:
            metrics.first_seen.labels("reason").inc(len(new_reasons))
            reasons |= new_reasons
        if (new_ids := self._schema_ids - schema_ids) and len(schema_ids) < _MET_IDS:
            metrics.first_seen.labels("schema_id").inc(len(new_ids))
            schema_ids |= new_ids
        self.discard()

    def discard(self) -> None:
        """The batch did not happen."""
        self._events.clear()
        self._dead.clear()
        self._stripped.clear()
        self._schema_ids.clear()

"""How often each event came from each source, and how much of it was good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from console.dead_letters.offsets import OffsetSet
from console.events.verdicts import DROPPED, VALID
from offerflow.runtime.store.events import HOUR_MS, event_counts, events
from schemas.seen import Seen


@dataclass(slots=True)
class Count:
    """Of one event from one source (None: unknown). Records are counted: one that was sent again counts again.
    ``dead`` by reason; ``replayed`` says how many of these were replayed since, and ``dropped`` how many were dropped,
    each None where that is not known; ``last`` is the newest arrival, milliseconds since 1970."""

    event: str | None
    source: str | None
    valid: int = 0
    dead: dict[str, int] = field(default_factory=dict)
    dropped: int | None = 0
    replayed: int | None = None
    last: int = 0

    @property
    def bad(self) -> int:
        return sum(self.dead.values())

    @property
    def share(self) -> float:
        """Of those that were judged, how many are dead letters."""
        judged = self.valid + self.bad
        return self.bad / judged if judged else 0.0

    def add(self, outcome: str, count: int, last: int) -> None:
        if outcome == VALID:
            self.valid += count
        elif outcome == DROPPED:
            self.dropped = (self.dropped or 0) + count
        else:
            self.dead[outcome] = self.dead.get(outcome, 0) + count
        self.last = max(self.last, last)


def of_all_time(seen: Iterable[Seen]) -> list[Count]:
    """What validation has counted since there are topics."""
    counts: dict[tuple[str, str], Count] = {}
    for one in seen:
        count = counts.setdefault((one.name, one.source), Count(one.name or None, one.source or None))
        count.add(one.outcome, one.count, one.last)
    return _sorted(counts)


def since(connection: Connection, moment_ms: int) -> list[Count]:
    """From the history's counts by the hour: that of the moment counts whole. The history does not hear of what was
    dropped."""
    found = (
        select(
            event_counts.c.event, event_counts.c.source, event_counts.c.reason,
            func.sum(event_counts.c["count"]), func.max(event_counts.c.last),
        )
        .where(event_counts.c.hour >= moment_ms - moment_ms % HOUR_MS)
        .group_by(event_counts.c.event, event_counts.c.source, event_counts.c.reason)
    )  # fmt: skip
    counts: dict[tuple[str, str], Count] = {}
    for event, source, reason, number, last in connection.execute(found):
        count = counts.setdefault((event, source), Count(event or None, source or None, dropped=None))
        count.add(reason or VALID, int(number), int(last))
    return _sorted(counts)


def count_replayed(connection: Connection, counts: Iterable[Count], replayed: OffsetSet, moment_ms: int = 0) -> None:
    """Fill ``replayed`` in, from the dead letters that the history has since the beginning of that hour."""
    found: Counter[tuple[str | None, str | None]] = Counter()
    columns = events.c
    for partition, first, end in replayed.blocks():
        asked = select(columns["offset"], columns.event, columns.source).where(
            columns.dead == 1, columns.partition == partition, columns["offset"].between(first, end - 1),
            columns.received_at >= moment_ms - moment_ms % HOUR_MS,
        )  # fmt: skip
        found.update(
            (event or None, source or None)
            for offset, event, source in connection.execute(asked)
            if (partition, offset) in replayed
        )
    for count in counts:
        count.replayed = found[count.event, count.source]


def _sorted(counts: Mapping[tuple[str, str], Count]) -> list[Count]:
    return [counts[key] for key in sorted(counts)]

"""The fuse: did a change of the event plan or of the sources, rather than the senders, make events bad?

Bad events from outside only alarm, however many. But when the bad share of *every* source that can be compared grew by
more than ``jump`` since the change, the change is to blame, and validation holds before it writes the batch that shows
it. Compared are sources with enough events before and since; without one there is no baseline and no fuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from offerflow.runtime.settings import FuseSettings
from schemas.seen import Share, Watch

WINDOW = 10_000
"""Events per source and partition that a share looks back on: beyond it both numbers are halved."""
SURE = 10
"""A source with so many times ``min_events`` since the change, and no jump, proves the plan good."""
WATCH_MS = 3600 * 1000
"""What goes wrong later than this after a change is not blamed on it."""
Shares = Mapping[str, Share]


@dataclass(frozen=True, slots=True)
class Jump:
    """The bad shares of one source before and since the change, between 0 and 1."""

    source: str
    before: float
    since: float

    def __str__(self) -> str:
        return f"{self.source} {self.before:.0%} -> {self.since:.0%}"


def count(shares: dict[str, Share], more: Shares) -> None:
    """Add ``more`` to ``shares``, within the window."""
    for source, share in more.items():
        whole = shares.setdefault(source, Share())
        whole.events += share.events
        whole.bad += share.bad
        while whole.events > WINDOW:
            whole.events //= 2
            whole.bad //= 2


def total(shares: Iterable[Shares]) -> dict[str, Share]:
    """The sums per source."""
    sums: dict[str, Share] = {}
    for one in shares:
        for source, share in one.items():
            whole = sums.setdefault(source, Share())
            whole.events += share.events
            whole.bad += share.bad
    return sums


def compare(before: Shares, since: Shares, limits: FuseSettings) -> list[Jump]:
    """Every source with enough events on both sides."""
    found = []
    for source in sorted(before.keys() & since.keys()):
        old, new = before[source], since[source]
        if old.events >= limits.min_events and new.events >= limits.min_events:
            found.append(Jump(source, old.bad / old.events, new.bad / new.events))
    return found


def verdict(watches: Iterable[Watch], pending: Shares, limits: FuseSettings) -> str | None:
    """Why to hold rather than to write a batch with the shares ``pending``, or None. ``watches`` are those of all
    partitions at hand."""
    watched = [watch for watch in watches if not watch.over]
    if not watched or not limits.enabled:
        return None
    held = next((watch.held for watch in watched if watch.held is not None), None)
    if held is not None:
        return held
    before = total(watch.before for watch in watched)
    compared = compare(before, total([pending, *(watch.since for watch in watched)]), limits)
    if not compared or any(jump.since - jump.before <= limits.jump for jump in compared):
        return None
    shares = ", ".join(map(str, compared))
    return (
        f"since the event plan or the sources changed, the bad share of every source that can be compared grew by more"
        f" than {limits.jump:.0%} ({shares}): holding before more becomes dead letters. Go back with"
        " `offerflow rulesets rollback`, mend the plan and apply it, or let it be with `offerflow fuse release`"
    )


def settle(watches: Iterable[Watch], now_ms: int, limits: FuseSettings) -> bool:
    """Stop watching once the plan has proved good, or the change is long ago. Whether any watch ended."""
    watched = [watch for watch in watches if not watch.over and watch.held is None]
    if not watched:
        return False
    since = total(watch.since for watch in watched)
    compared = compare(total(watch.before for watch in watched), since, limits)
    sure = SURE * limits.min_events
    good = any(jump.since - jump.before <= limits.jump and since[jump.source].events >= sure for jump in compared)
    for watch in watched:
        watch.over = good or now_ms - watch.changed_at > WATCH_MS
    return any(watch.over for watch in watched)


def change(watches: Iterable[Watch], plan: str, released: bool, now_ms: int, limits: FuseSettings) -> bool:
    """Put the plan with the fingerprint ``plan`` in force, in place; whether that is new to any of them. What was
    normal until now is the new baseline, unless it is what a fuse would hold for: then the baseline before it stays.
    What went wrong after the watch was over came from outside, and is normal."""
    mine = list(watches)
    changed = [watch for watch in mine if watch.plan != plan]
    before, since = total(w.before for w in changed), total(w.since for w in changed)
    for watch in changed:
        for source in {*watch.before, *watch.since}:
            old, new = before.get(source, Share()), since.get(source, Share())
            own = watch.since.get(source, Share())
            enough = new.events >= limits.min_events
            if not enough and old.events < limits.min_events:
                count(watch.before, {source: own})
            elif enough and (watch.over or not _jumped(old, new, limits)):
                watch.before[source] = own
        watch.plan, watch.since, watch.changed_at, watch.released = plan, {}, now_ms, False
        watch.held, watch.pending = None, {}
    for watch in changed:
        watch.over = not any(one.before for one in changed)
    let_be = [watch for watch in mine if released and not watch.released]
    for watch in let_be:
        watch.over, watch.released, watch.held, watch.pending = True, True, None, {}
    return bool(changed or let_be)


def _jumped(old: Share, new: Share, limits: FuseSettings) -> bool:
    return old.events >= limits.min_events and new.bad / new.events - old.bad / old.events > limits.jump

"""The journal against Redis: whether what is lost of one could be had from the other, and for how long."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from console.doctor.brokers import CLIENT
from console.doctor.finding import Check, Finding, days
from console.doctor.redis_server import never_saved
from console.doctor.topics import RETENTION
from console.state.standing import RULES, look
from offerflow.runtime.kafka.inspection import Inspection
from offerflow.runtime.redis.server import ServerReader
from offerflow.runtime.settings import Settings

AREA = "journal"
DAY_MS = 24 * 3600 * 1000
NEAR_MS = 14 * DAY_MS
FOR_EVER = float("inf")

REACHES = Check("journal-reaches-redis", AREA, "it begins at or below the position of Redis, in every partition")
COVERS = Check(
    "journal-covers-copy", AREA,
    f"it begins at 0, or goes on reaching the last save of Redis for {NEAR_MS // DAY_MS} days or more",
)  # fmt: skip
CHECKS = (REACHES, COVERS)


@dataclass(frozen=True, slots=True)
class Journal:
    """``positions``: per partition where the log starts, and how far Redis is folded. ``retention_ms``: None for ever.
    ``ending``: partitions whose beginning goes within NEAR_MS. ``saved``: when Redis last wrote an RDB file, ms since
    1970; None if it has not since it started. ``passed``: partitions cut so far that nothing is left from before that;
    retention does not tell of those that were cut by size or by hand."""

    positions: dict[int, tuple[int, int]]
    retention_ms: int | None
    ending: int
    saved: int | None
    passed: int = 0


def look_journal(settings: Settings) -> Iterator[Finding]:
    now, admin = int(time.time() * 1000), Inspection(settings, CLIENT)
    found = look(settings, RULES)
    places = [one.place for one in found.standings]
    told = int(admin.topic_configs([settings.topic("journal")])[settings.topic("journal")][RETENTION])
    retention = told if told >= 0 else None
    ending = 0
    if retention is not None:
        moment = datetime.fromtimestamp(max(0, now - retention + NEAR_MS) / 1000, UTC)
        starts, left = admin.starts(places), admin.at(places, moment)
        ending = sum(starts[place] < left[place] for place in places)
    with closing(ServerReader(settings)) as server:
        saved = saved_at(server.info(), now)
    passed = 0
    if saved is not None:
        before = admin.at(places, datetime.fromtimestamp(saved / 1000, UTC))
        passed = sum(0 < start >= before[place] for place, start in admin.starts(places).items())
    positions = {one.place[1]: (one.start, one.meta.next if one.meta else 0) for one in found.standings}
    yield from judge(Journal(positions, retention, ending, saved, passed), now)


def saved_at(info: Mapping[str, Any], now: int) -> int | None:
    """From INFO: when the last RDB file was written, if any was since the server started (it says its start else)."""
    at = int(info.get("rdb_last_save_time") or 0)
    return at * 1000 if at and not never_saved(info, now / 1000) else None


def judge(journal: Journal, now: int) -> Iterator[Finding]:
    short = [number for number, (start, folded) in journal.positions.items() if folded < start]
    if short:
        yield REACHES.bad(
            f"in {len(short)} partitions the journal begins after the position of Redis: what lies between is gone",
            "restore a copy of Redis that reaches the journal (docs/runbook.md#journal_short)",
        )
    else:
        margin = min((folded - start for start, folded in journal.positions.values()), default=0)
        cut = any(start for start, _ in journal.positions.values())
        yield REACHES.ok(f"it begins {margin:,} offsets before it at least" if cut else "it begins at 0")
    yield _covers(journal, now)


def _covers(journal: Journal, now: int) -> Finding:
    cut = any(start for start, _ in journal.positions.values())
    if journal.retention_ms is None and not cut:
        return COVERS.ok("it begins at 0, and keeps everything")
    copy = "take a copy of Redis and check it (docs/backups.md), each day"
    left: float | None = None
    if journal.saved is not None:
        left = FOR_EVER if journal.retention_ms is None else journal.saved + journal.retention_ms - now
    if journal.passed and left is not None and left >= DAY_MS:
        return COVERS.warn(
            f"in {journal.passed} partitions nothing is left from before the last save of Redis: the journal was cut by"
            " size or by hand, and may not reach that save",
            copy,
        )
    if left is not None and left >= NEAR_MS:
        longer = "" if left == FOR_EVER else f" for another {days(left)}"
        return COVERS.ok(f"it reaches the last save of Redis{longer}")
    if not cut and not journal.ending:
        return COVERS.ok("it begins at 0, so states can be folded from nothing")
    if left is not None:
        gone = "the journal no longer reaches the last save of Redis"
        told = f"retention reaches the last save of Redis in {days(left)}" if left > 0 else gone
        return COVERS.bad(told, copy) if left < DAY_MS else COVERS.warn(told, copy)
    unsaved = "this Redis has saved no copy since it started"
    if cut:
        return COVERS.warn(
            f"the journal no longer begins at 0, and {unsaved}", f"{copy}; if copies are taken elsewhere, all is well"
        )
    return COVERS.warn(
        f"the beginning of {journal.ending} partitions goes within {NEAR_MS // DAY_MS} days, and {unsaved}", copy
    )

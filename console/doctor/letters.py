"""Dead letters that nobody has dealt with, and how long the oldest has before Kafka removes it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from console.dead_letters.handled import HandledLetters
from console.doctor.brokers import CLIENT
from console.doctor.finding import Check, Finding, days
from console.doctor.topics import RETENTION
from offerflow.runtime import outside
from offerflow.runtime.kafka.inspection import Inspection
from offerflow.runtime.kafka.scan import read_spans, spans
from offerflow.runtime.settings import Settings

AREA = "dead letters"
DAY_MS = 24 * 3600 * 1000
ENDING_MS = 3 * DAY_MS
READ_S = 4.0
"""Reading goes on for this long: what comes later makes more of them, never an older one of the same partition."""

UNHANDLED = Check("dead-letters-unhandled", AREA, "none that has waited for over a day")


@dataclass(frozen=True, slots=True)
class Letters:
    """``unhandled``: how many, and ``oldest``: since when, ms since 1970. ``whole``: all were looked at."""

    unhandled: int
    oldest: int | None
    whole: bool
    retention_ms: int | None


def look_letters(settings: Settings) -> Iterator[Finding]:
    topic = settings.topic("dead-letter")
    handled = HandledLetters(settings, CLIENT)
    handled.refresh()
    unhandled, oldest, whole = 0, None, True
    until = outside.monotonic() + READ_S
    with closing(read_spans(settings, spans(settings, [topic], CLIENT), CLIENT)) as records:  # type: ignore[type-var]
        for record in records:
            if (record.partition(), record.offset()) not in handled:
                unhandled += 1
                at = record.timestamp()[1]
                oldest = at if oldest is None else min(oldest, at)
            if outside.monotonic() > until:
                whole = False
                break
    config = Inspection(settings, CLIENT).topic_configs([topic]).get(topic, {})
    retention = int(config.get(RETENTION, -1))
    yield judge(Letters(unhandled, oldest, whole, retention if retention >= 0 else None), int(time.time() * 1000))


def judge(letters: Letters, now: int) -> Finding:
    if letters.oldest is None:
        return UNHANDLED.ok("none" if letters.whole else "none among those that could be looked at in time")
    age = max(0, now - letters.oldest)
    found = f"{'' if letters.whole else 'at least '}{letters.unhandled:,}, the oldest {days(age)} old"
    do = "`offerflow dlq stats`, then replay, patch or purge each group (docs/alerts.md#deadlettersunattended)"
    left = None if letters.retention_ms is None else letters.retention_ms - age
    if left is not None and left < ENDING_MS and age > DAY_MS:
        return UNHANDLED.bad(f"{found}; Kafka removes it in {days(max(0, left))}", do)
    return UNHANDLED.warn(found, do) if age > DAY_MS else UNHANDLED.ok(found)

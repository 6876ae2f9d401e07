"""Catching up: raw records wait while no worker runs, then both stages run, exactly once, to the last commit."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from bench.job import TOPIC, events
from bench.stack import Meter, Positions, Stack, running

LOOK_S = 0.1


def catch_up(count: int, validation: int, rules: int) -> dict[str, Any]:
    """Events per second from the first commit to the last, CPU seconds per million events and peak sizes."""
    with running(workers=0) as stack:
        size = load(stack, events(count))
        raw, journal = Positions(stack, "validation", [TOPIC]), Positions(stack, "rules", ["journal"])
        before, end = raw.committed(), raw.ends()
        stack.up(validation, rules)
        meter = Meter(stack.processes())
        began = _first(raw, before, meter)
        done_validation = None
        while True:
            meter.look()
            if done_validation is None and raw.committed() >= end:
                done_validation = time.monotonic()
            if done_validation and journal.committed() >= journal.ends():
                break
            time.sleep(LOOK_S)
        seconds = time.monotonic() - began
        cost = meter.cost()
        raw.close()
        journal.close()
    million = 1e6 / count
    return {
        "events": count,
        "bytes_per_event": round(size / count, 1),
        "validation_workers": validation,
        "rules_workers": rules,
        "seconds": round(seconds, 2),
        "events_per_second": round(count / seconds),
        "validation_events_per_second": round(count / (done_validation - began)),
        "cpu_seconds_per_million": {name: round(cpu * million, 2) for name, cpu in cost.cpu.items()},
        "peak_rss_mb": {name: round(size) for name, size in cost.rss_mb.items()},
    }


def load(stack: Stack, records: Iterable[tuple[bytes, bytes]]) -> int:
    """Publish (key, value) to the raw topic; the sum of the values' sizes."""
    producer, size = stack.producer(**{"linger.ms": 50, "queue.buffering.max.messages": 500_000}), 0
    topic = stack.topic(TOPIC)
    for key, value in records:
        size += len(value)
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    if producer.flush(120):
        raise SystemExit("the raw topic could not be loaded")
    return size


def _first(raw: Positions, before: int, meter: Meter) -> float:
    """The moment of the first commit, or of the start if the workers were quicker than the first look."""
    began = time.monotonic()
    while raw.committed() <= before:
        began = time.monotonic()
        meter.look()
        time.sleep(LOOK_S / 10)
    return began

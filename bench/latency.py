"""Steady traffic: from the append of a raw record to its output in the hands of a read_committed reader."""

from __future__ import annotations

import time
from threading import Event, Thread
from typing import Any

from confluent_kafka import Consumer, Message, TopicPartition

from bench.job import TOPIC, opened
from bench.stack import Meter, Stack, running

TICK_S = 0.005
WARM_UP_S = 3.0
PATIENCE_S = 30.0


def latency(rate: int, seconds: float) -> dict[str, Any]:
    """Percentiles in milliseconds at ``rate`` events per second, each of which has an output. A warm-up goes before."""
    with running(workers=1) as stack:
        reader = _Reader(stack)
        meter = Meter(stack.processes())
        appended = _send(stack, rate, seconds + WARM_UP_S, meter)
        seen = reader.finish(len(appended))
        cost = meter.cost()
    warm = int(rate * WARM_UP_S)
    waits = sorted(
        seen[key] - at for number, (key, at) in enumerate(appended.items()) if number >= warm and key in seen
    )
    return {
        "events_per_second": rate,
        "seconds": seconds,
        "measured": len(waits),
        "missing": len(appended) - len(seen),
        "p50_ms": round(_percentile(waits, 0.50), 1),
        "p95_ms": round(_percentile(waits, 0.95), 1),
        "p99_ms": round(_percentile(waits, 0.99), 1),
        "max_ms": round(waits[-1], 1),
        "cpu_share": {name: round(cpu / (seconds + WARM_UP_S), 3) for name, cpu in cost.cpu.items()},
        "peak_rss_mb": {name: round(size) for name, size in cost.rss_mb.items()},
    }


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _send(stack: Stack, rate: int, seconds: float, meter: Meter) -> dict[bytes, int]:
    """Publish evenly. Answers with the append time (ms) of each key, in the order of sending."""
    appended: dict[bytes, int] = {}

    def delivered(error: Any, message: Message) -> None:
        if error is None:
            appended[message.key() or b""] = message.timestamp()[1]

    producer, topic = stack.producer(**{"linger.ms": 0}), stack.topic(TOPIC)
    began, sent, looked = time.monotonic(), 0, 0.0
    while (now := time.monotonic() - began) < seconds:
        while sent < now * rate:
            key, value = opened(sent)
            producer.produce(topic, value, key, on_delivery=delivered)
            sent += 1
        producer.poll(0)
        if now - looked > 1:
            meter.look()
            looked = now
        time.sleep(TICK_S)
    producer.flush(30)
    return dict(sorted(appended.items(), key=lambda item: int(item[0].removeprefix(b"new-"))))


class _Reader:
    """Notes when each output came in, on a thread of its own."""

    def __init__(self, stack: Stack) -> None:
        self._consumer = Consumer({
            "bootstrap.servers": stack.told["kafka"], "group.id": "bench", "enable.auto.commit": False,
            "isolation.level": "read_committed", "fetch.wait.max.ms": 10, "fetch.queue.backoff.ms": 5,
        })  # fmt: skip
        topic = stack.topic("offer-entry")
        partitions = self._consumer.list_topics(topic, timeout=10).topics[topic].partitions
        self._consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
        self._seen: dict[bytes, float] = {}
        self._stop = Event()
        self._thread = Thread(target=self._read, name="reader")
        self._thread.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            messages = self._consumer.consume(1, 0.05)
            now = time.time() * 1000
            for message in messages:
                if message.error() is None:
                    self._seen.setdefault(message.key() or b"", now)

    def finish(self, expected: int) -> dict[bytes, float]:
        """Wait for the last outputs. Answers with the time (ms) each key was seen at."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self._seen) < expected and time.monotonic() < deadline:
            time.sleep(0.1)
        self._stop.set()
        self._thread.join()
        self._consumer.close()
        return self._seen

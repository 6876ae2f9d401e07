"""History: one program indexes a journal that waits for it, and shows steady traffic, on SQLite."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

from sqlalchemy import create_engine, text

from bench.catchup import load
from bench.job import TOPIC, events
from bench.stack import Meter, Stack, running

WORKER = "history"
LOOK_S = 0.1
MARK = 30_000
"""Events per second that the index must keep up with."""
TICK_S = 0.005
WARM_UP_S = 3.0
PATIENCE_S = 60.0


def history(count: int, rate: int, seconds: float) -> dict[str, Any]:
    """Catching up with ``count`` events, then from the append of a raw record to a row that others see, at ``rate``."""
    with running(workers=0) as stack:
        result = {"catch_up": _catch_up(stack, count)}
    with running(workers=1) as stack:
        result["visible"] = _visible(stack, rate, seconds)
    return result


def _catch_up(stack: Stack, count: int) -> dict[str, Any]:
    """The index is emptied once all is there, and filled again from the journal."""
    load(stack, events(count))
    stack.up(1, 0)
    rows = _Rows(stack)
    while rows.count() < count:
        time.sleep(LOOK_S)
    stack.up(0, 0)
    meter = Meter({WORKER: stack.processes()[WORKER]})
    stack.run("history", "rebuild", "events", "--yes")
    began, before = time.monotonic(), 0
    while (before := rows.count()) == 0:
        began = time.monotonic()
        time.sleep(LOOK_S / 10)
    while (done := rows.count()) < count:
        meter.look()
        time.sleep(LOOK_S)
    taken = time.monotonic() - began
    cost = meter.cost()
    size = rows.size()
    rows.close()
    return {
        "events": done,
        "per_second": round((done - before) / taken),
        "per_second_mark": MARK,
        "cpu_seconds_per_million": round(cost.cpu[WORKER] * 1e6 / done, 1),
        "per_core": round(done / cost.cpu[WORKER]),
        "bytes_per_row": round(size / done),
        "rss_mb": round(cost.rss_mb[WORKER]),
    }


def _visible(stack: Stack, rate: int, seconds: float) -> dict[str, Any]:
    watch, meter = _Watch(stack), Meter(stack.processes())
    appended = _send(stack, rate, seconds + WARM_UP_S)
    seen = watch.finish(len(appended))
    cost = meter.cost()
    warm = int(rate * WARM_UP_S)
    waits = sorted(seen[name] - at for n, (name, at) in enumerate(appended.items()) if n >= warm and name in seen)
    return {
        "events_per_second": rate,
        "measured": len(waits),
        "missing": len(appended) - len(seen),
        **{f"p{share}_ms": round(waits[min(len(waits) - 1, len(waits) * share // 100)]) for share in (50, 95, 99)},
        "cpu_share": {name: round(cpu / (seconds + WARM_UP_S), 3) for name, cpu in cost.cpu.items()},
    }


def _send(stack: Stack, rate: int, seconds: float) -> dict[str, int]:
    """Publish evenly. Answers with the append time (ms) of each event id, in the order of sending."""
    appended: dict[str, int] = {}
    producer, topic = stack.producer(**{"linger.ms": 0}), stack.topic(TOPIC)
    made = _numbered()
    began, sent = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds:
        while sent < now * rate:
            name, key, value = next(made)

            def delivered(error: Any, message: Any, name: str = name) -> None:
                if error is None:
                    appended[name] = message.timestamp()[1]

            producer.produce(topic, value, key, on_delivery=delivered)
            sent += 1
        producer.poll(0)
        time.sleep(TICK_S)
    producer.flush(30)
    return dict(sorted(appended.items(), key=lambda item: item[1]))


def _numbered() -> Iterator[tuple[str, bytes, bytes]]:
    for key, value in events(10_000_000):
        yield json.loads(value)["event_id"], key, value


class _Rows:
    """The index, looked at from outside."""

    def __init__(self, stack: Stack) -> None:
        self.file = stack.directory.resolve() / ".offerflow" / "store.db"
        self._engine = create_engine(f"sqlite:///{self.file}")

    def count(self) -> int:
        with self._engine.connect() as connection:
            return int(connection.scalar(text('select coalesce(sum("count"), 0) from event_count')) or 0)

    def size(self) -> int:
        return self.file.stat().st_size

    def since(self, known: dict[int, int]) -> list[str]:
        """Ids of the rows behind ``known``, the last offset of each partition, which moves on."""
        found = []
        with self._engine.connect() as connection:
            for partition, last in known.items():
                asked = text('select "offset", event_id from event where dead=0 and "partition"=:p and "offset">:o')
                for offset, name in connection.execute(asked, {"p": partition, "o": last}):
                    known[partition] = max(known[partition], offset)
                    found.append(name)
        return found

    def close(self) -> None:
        self._engine.dispose()


class _Watch:
    """Notes when each row can be seen, on a thread of its own."""

    def __init__(self, stack: Stack) -> None:
        self._rows = _Rows(stack)
        self._seen: dict[str, float] = {}
        self._stop = Event()
        self._thread = Thread(target=self._look, name="watch")
        self._thread.start()

    def _look(self) -> None:
        known = dict.fromkeys(range(8), -1)
        while not self._stop.is_set():
            found = self._rows.since(known)
            now = time.time() * 1000
            for name in found:
                self._seen.setdefault(name, now)
            time.sleep(0.02)

    def finish(self, expected: int) -> dict[str, float]:
        deadline = time.monotonic() + PATIENCE_S
        while len(self._seen) < expected and time.monotonic() < deadline:
            time.sleep(LOOK_S)
        self._stop.set()
        self._thread.join()
        self._rows.close()
        return self._seen

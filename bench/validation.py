"""Validation alone: one worker catches up with a backlog, exactly once, for each form of input; and its memory over
millions of events."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from typing import Any

import fastavro
import psutil

from bench.catchup import load
from bench.job import TOPIC, bad, events, framed, whole
from bench.stack import Positions, Stack, running
from offerflow.catalog.follower import CatalogFollower
from offerflow.runtime.settings import load_settings

LOOK_S = 0.1
WORKER = "validation-1"
MARKS = {"json": 60_000, "avro": 100_000}
"""Events per second and core that validation must reach."""
Records = Iterable[tuple[bytes, bytes]]


def validation(count: int) -> dict[str, Any]:
    """Per form: events per second by the clock and per second of CPU, the worker's threads inside librdkafka
    included."""
    results: dict[str, Any] = {}
    with running(workers=0) as stack:
        schemas = _schemas(stack)
        forms: dict[str, Callable[[], Records]] = {
            "json": lambda: events(count), "avro": lambda: framed(count, schemas), "bad": lambda: bad(count),
        }  # fmt: skip
        for form, made in forms.items():
            results[form] = _catch_up(stack, made())
        results["fastavro alone, per core"] = _fastavro(schemas)
    for form, mark in {**MARKS, "bad": results["json"]["per_core"] // 2}.items():
        results[form]["mark_per_core"] = mark
    return results


def _catch_up(stack: Stack, records: Records) -> dict[str, Any]:
    load(stack, records)
    raw = Positions(stack, "validation", [TOPIC])
    stack.up(1, 0)
    worker = stack.processes()[WORKER]
    began, before, cpu = time.monotonic(), raw.committed(), _cpu(worker)
    end = raw.ends()
    while (done := raw.committed()) < end:
        time.sleep(LOOK_S)
    seconds, spent = time.monotonic() - began, _cpu(worker) - cpu
    raw.close()
    rss = worker.memory_info().rss
    stack.up(0, 0)
    count = done - before
    return {
        "measured": count,
        "per_second": round(count / seconds),
        "per_core": round(count / spent),
        "cpu_seconds_per_million": round(spent * 1e6 / count, 2),
        "rss_mb": round(rss / 1e6),
    }


def _fastavro(schemas: dict[int, dict[str, Any]], count: int = 50_000) -> dict[str, int]:
    """What fastavro takes to read the same Avro records, and to write them, in memory and without a broker."""
    parsed = {schema_id: fastavro.parse_schema(whole(schema)) for schema_id, schema in schemas.items()}
    bodies = [(parsed[int.from_bytes(value[1:5], "big")], value[5:]) for _, value in framed(count, schemas)]
    began = time.process_time()
    records = [fastavro.schemaless_reader(BytesIO(body), schema, None) for schema, body in bodies]
    read = time.process_time()
    for (schema, _), record in zip(bodies, records, strict=True):
        fastavro.schemaless_writer(BytesIO(), schema, record)
    return {"read": round(count / (read - began)), "write": round(count / (time.process_time() - read))}


def memory(millions: int) -> dict[str, Any]:
    """Resident megabytes of one worker after each million of events, one in ten of them bad and under a name of its
    own."""
    with running(workers=1) as stack:
        worker = stack.processes()[WORKER]
        raw = Positions(stack, "validation", [TOPIC])
        sizes = {"before": round(worker.memory_info().rss / 1e6)}
        for million in range(millions):
            load(stack, _mixed(1_000_000, million))
            while raw.committed() < raw.ends():
                time.sleep(LOOK_S)
            sizes[f"after {million + 1} million"] = round(worker.memory_info().rss / 1e6)
        raw.close()
    return sizes


def _mixed(count: int, seed: int) -> Iterator[tuple[bytes, bytes]]:
    good = events(count, seed)
    for number in itertools.count():
        pair = next(good, None)
        if pair is None:
            return
        key, value = pair
        yield key, value if number % 10 else value.replace(b'"event":"', b'"event":"%d-%d ' % (seed, number), 1)


def _schemas(stack: Stack) -> dict[int, dict[str, Any]]:
    """The event schemas of the bench's workspace by the ids that `apply` gave them."""
    kafka = {"bootstrap_servers": stack.told["kafka"]}
    follower = CatalogFollower(load_settings(kafka=kafka, topic_prefix=stack.told["topic_prefix"]), "bench")
    try:
        return {one["schema_id"]: one["schema"] for one in follower.start().of_kind("event").values()}
    finally:
        follower.close()


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)

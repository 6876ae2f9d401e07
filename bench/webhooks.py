"""Webhooks: one worker delivers announced rewards to endpoints that take 100 ms, from Kafka through the store to the
receivers and back into the store."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from bench.stack import Meter, Stack, running
from offerflow.rules.outcomes import Evidence, RewardSatisfied
from offerflow.runtime.settings import Settings, load_settings
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.transactions import reading, writing
from offerflow.runtime.store.webhooks import DELIVERED, deliveries
from offerflow.runtime.webhooks import endpoints
from schemas.announce import Announcer

SECONDS = 0.1
MARK = 1000
"""Deliveries per second that one worker must reach."""
WORKER = "webhooks"


def webhooks(count: int) -> dict[str, Any]:
    """``count`` deliveries to one endpoint, then as many to ten of them together."""
    results: dict[str, Any] = {}
    with running(workers=0) as stack:
        settings = _settings(stack)
        for number in (1, 10):
            with _receivers(number) as (ports, process):
                results[f"{number} endpoint{'s' * (number > 1)}"] = _run(stack, settings, ports, process, count)
    results["mark"] = {"per_second": MARK}
    return results


def _run(stack: Stack, settings: Settings, ports: list[int], receiver: Any, count: int) -> dict[str, Any]:
    engine = open_store(settings)
    with writing(engine) as connection:
        for port in ports:
            endpoints.add(connection, f"e{port}", f"http://127.0.0.1:{port}/hook", ["reward.satisfied"], _now())
    worker = stack.processes()[WORKER]
    time.sleep(2)  # the worker looks for new endpoints once a second
    meter = Meter({WORKER: worker})
    began = time.monotonic()
    _announce(stack, settings, count // len(ports))
    answered, first = 0, None
    while answered < count:
        answered = int(receiver.stdout.readline())
        first = time.monotonic() if answered and first is None else first
        meter.look()
    seconds = time.monotonic() - began
    recorded = _recorded(engine, count)
    cost = meter.cost()
    with writing(engine) as connection:
        for port in ports:
            endpoints.remove(connection, f"e{port}")
    engine.dispose()
    return {
        "deliveries": count,
        "per_second": round(count / seconds),
        "recorded after the last answer, s": round(recorded, 2),
        "worker_cpu_seconds_per_1000": round(1000 * cost.cpu[WORKER] / count, 3),
        "rss_mb": round(cost.rss_mb[WORKER]),
    }


def _recorded(engine: Any, count: int) -> float:
    """Seconds until the store knows of all of them."""
    began = time.monotonic()
    while True:
        with reading(engine) as connection:
            done = connection.scalar(
                select(func.count()).select_from(deliveries).where(deliveries.c.state == DELIVERED)
            )
        if done == count:
            return time.monotonic() - began
        time.sleep(0.05)


def _announce(stack: Stack, settings: Settings, count: int) -> None:
    """Rewards as the rules announce them."""
    announce, producer = Announcer(settings), stack.producer()
    run = time.time_ns()
    for number in range(count):
        written = announce(_reward(f"{run:x}-{number}", number))
        while True:
            try:
                producer.produce(written.topic, written.value, written.key, headers=written.headers)
                break
            except BufferError:
                producer.poll(0.05)
    assert producer.flush(60) == 0


def _reward(reward_id: str, number: int) -> RewardSatisfied:
    evidence = [Evidence(f"e-{number}", "Purchase Completed", _now(), 0, number)]
    return RewardSatisfied(
        id=reward_id, user_id=f"u{number}", reward="voucher", value=Decimal("10.00"), currency="EUR", offer="upgrade",
        variant="plain", attributes={"headline": "Save 10"}, instance=f"i-{number}", satisfied_at=_now(),
        ruleset="0" * 16, evidence=evidence, evidence_count=1,
    )  # fmt: skip


@contextmanager
def _receivers(number: int) -> Iterator[tuple[list[int], Any]]:
    command = [sys.executable, "-m", "bench.receiver", str(number), str(SECONDS)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield [int(port) for port in process.stdout.readline().split()], process
    finally:
        process.kill()
        process.communicate()


def _settings(stack: Stack) -> Settings:
    store = stack.directory.resolve() / ".offerflow" / "store.db"
    return load_settings(
        kafka={"bootstrap_servers": stack.told["kafka"]}, topic_prefix=stack.told["topic_prefix"],
        store={"url": f"sqlite:///{store}"},
    )  # fmt: skip


def _now() -> int:
    return int(time.time() * 1000)

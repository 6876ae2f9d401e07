"""What the guards of the protocol cost: the same work by workers that have them and by workers without, in turn.

Half of the pieces are done by either, in the order A B B A, so that whatever else grows or wanes in the meantime
weighs on both alike.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from bench.catchup import load
from bench.job import TOPIC, events
from bench.stack import Meter, Positions, Stack, running

ORDER = ("guarded", "bare", "bare", "guarded")
LOOK_S = 0.02
STAGES = {"validation-1": "consumers.validation", "rules-1": "consumers.rules"}


def guards(count: int, rounds: int) -> dict[str, Any]:
    """Events per second and CPU seconds per million events with and without guards, from first commit to last."""
    rates: dict[str, list[float]] = {kind: [] for kind in ORDER}
    costs: dict[str, list[float]] = {kind: [] for kind in ORDER}
    with running(workers=0) as stack:
        raw, journal = Positions(stack, "validation", [TOPIC]), Positions(stack, "rules", ["journal"])
        for number, kind in enumerate(ORDER * rounds):
            load(stack, events(count, seed=100 + number))
            rate, cost = _piece(stack, kind, count, raw, journal)
            if number >= len(ORDER):  # the first round warms broker and Redis up
                rates[kind].append(rate)
                costs[kind].append(cost)
        raw.close()
        journal.close()
    rate = {kind: statistics.median(found) for kind, found in rates.items()}
    cost = {kind: statistics.median(found) for kind, found in costs.items()}
    return {
        "events_per_piece": count,
        "pieces_of_each": len(rates["bare"]),
        "events_per_second": {kind: round(found) for kind, found in rate.items()},
        "cpu_seconds_per_million": {kind: round(found, 2) for kind, found in cost.items()},
        "throughput_lost_percent": round(100 * (1 - rate["guarded"] / rate["bare"]), 1),
        "cpu_added_percent": round(100 * (cost["guarded"] / cost["bare"] - 1), 1),
        "load_average": round(os.getloadavg()[1], 1),
    }


def _piece(stack: Stack, kind: str, count: int, raw: Positions, journal: Positions) -> tuple[float, float]:
    before, end = raw.committed(), raw.ends()
    services = {name: one for name, one in stack.processes().items() if name in ("kafka", "valkey")}
    with _workers(stack, kind) as workers:
        while raw.committed() <= before:
            time.sleep(LOOK_S)
        meter = Meter(services | workers)
        while raw.committed() < end or journal.committed() < journal.ends():
            time.sleep(LOOK_S)
        seconds = time.monotonic() - meter.started
        return count / seconds, sum(meter.cost().cpu.values()) / count * 1e6


@contextmanager
def _workers(stack: Stack, kind: str) -> Iterator[dict[str, psutil.Process]]:
    started = []
    for name, module in STAGES.items():
        own = {
            "KAFKA__BOOTSTRAP_SERVERS": stack.told["kafka"], "REDIS__URL": stack.told["redis"], "WORKER": name,
            "TOPIC_PREFIX": stack.told["topic_prefix"], "LOCAL__SERVER_KEY": stack.told["api_key"],
        }  # fmt: skip
        with (stack.directory / f"{name}-{kind}.log").open("ab") as log:
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "bench.unguarded", module, kind], stdout=log, stderr=log,
                    env={**os.environ, **{f"OFFERFLOW_{key}": value for key, value in own.items()}},
                )
            )  # fmt: skip
    try:
        yield {name: psutil.Process(process.pid) for name, process in zip(STAGES, started, strict=True)}
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)

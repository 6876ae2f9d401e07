"""The journal folded again, as `verify` and `state rebuild` do, against the rate at which workers folded it live."""

from __future__ import annotations

import json
import time
from typing import Any

from bench.catchup import load
from bench.job import TOPIC, events
from bench.stack import Meter, Positions, Stack, running

LOOK_S = 0.05


def refold(count: int, workers: int) -> dict[str, Any]:
    """Journal records per second over ``count`` events: ``workers`` rules workers with the broker's transactions and
    Redis, and as many processes that fold elsewhere, on the same machine one after the other."""
    with running(workers=0) as stack:
        load(stack, events(count))
        raw, journal = Positions(stack, "validation", [TOPIC]), Positions(stack, "rules", ["journal"])
        stack.up(1, 0)
        end = raw.ends()
        while raw.committed() < end:
            time.sleep(LOOK_S)
        live, cost = _live(stack, journal, workers)
        stack.run("wait", "--idle")
        stack.up(0, 0)
        processes = ("--processes", workers)
        proved = json.loads(stack.run("verify", "--state", *processes, "--output", "json"))
        outputs = json.loads(stack.run("verify", "--outputs", *processes, "--output", "json"))
        began = time.monotonic()
        stack.run("state", "rebuild", *processes, "--yes")
        rebuilt = time.monotonic() - began
        raw.close()
        journal.close()
    assert proved["identical"], proved["differences"]
    assert outputs["identical"], outputs["differences"]
    verified = proved["records"] / proved["seconds"]
    return {
        "events": count,
        "workers_and_processes": workers,
        "live_per_second": round(count / live),
        "live_cpu_seconds_per_million": cost,
        "verify_state_per_second": round(verified),
        "verify_state_times_live": round(verified * live / count, 2),
        "verify_outputs_per_second": round(outputs["records"] / outputs["seconds"]),
        "verify_outputs_times_live": round(outputs["records"] / outputs["seconds"] * live / count, 2),
        "state_rebuild_per_second": round(count / rebuilt),
        "state_rebuild_times_live": round(live / rebuilt, 2),
    }


def _live(stack: Stack, journal: Positions, workers: int) -> tuple[float, dict[str, float]]:
    """Seconds from the first commit to the last, and CPU seconds of the rules workers per million events."""
    before, end = journal.committed(), journal.ends()
    stack.up(0, workers)
    meter = Meter({name: one for name, one in stack.processes().items() if name.startswith("rules")})
    began = time.monotonic()
    while journal.committed() <= before:
        began = time.monotonic()
        time.sleep(LOOK_S)
    while journal.committed() < end:
        time.sleep(LOOK_S)
    seconds = time.monotonic() - began
    return seconds, {name: round(cpu * 1e6 / end, 2) for name, cpu in meter.cost().cpu.items()}

"""The journal folded again, as `verify` and `state rebuild` do, against the rate at which workers folded it live.

Beside the rates, which depend on what else the machine does at that moment, the CPU that each costs over all processes:
where the cores are the limit, the ratio of these is that of the rates.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from typing import Any

from bench.catchup import load
from bench.job import TOPIC, events
from bench.stack import Meter, Positions, Stack, running

LOOK_S = 0.05


def refold(count: int, workers: int) -> dict[str, Any]:
    """Journal records per second over ``count`` events, and CPU seconds per million: ``workers`` rules workers with
    the broker's transactions and Redis, and as many processes that fold elsewhere, one after the other."""
    with running(workers=0) as stack:
        load(stack, events(count))
        raw, journal = Positions(stack, "validation", [TOPIC]), Positions(stack, "rules", ["journal"])
        stack.up(1, 0)
        end = raw.ends()
        while raw.committed() < end:
            time.sleep(LOOK_S)
        stack.up(0, 0)
        live = _live(stack, journal, workers)
        stack.run("wait", "--idle")
        stack.up(0, 0)
        processes = ("--processes", workers)
        found = {
            "verify --state": _again(stack, lambda: _verified(stack, "--state", *processes)),
            "verify --outputs": _again(stack, lambda: _verified(stack, "--outputs", *processes)),
            "state rebuild": _again(stack, lambda: _rebuilt(stack, *processes)),
        }
        raw.close()
        journal.close()
    told: dict[str, Any] = {"events": count, "workers_and_processes": workers}
    told["per_second"] = {"live": round(count / live[0])}
    told["cpu_seconds_per_million"] = {"live": round(live[1] * 1e6 / count, 2)}
    told["times_live_by_time"] = {}
    told["times_live_by_cpu"] = {}
    for name, (seconds, cpu) in found.items():
        told["per_second"][name] = round(count / seconds)
        told["cpu_seconds_per_million"][name] = round(cpu * 1e6 / count, 2)
        told["times_live_by_time"][name] = round(live[0] / seconds, 2)
        told["times_live_by_cpu"][name] = round(live[1] / cpu, 2)
    return told


def _live(stack: Stack, journal: Positions, workers: int) -> tuple[float, float]:
    """Seconds from the first commit to the last, and CPU seconds of everything meanwhile."""
    before, end = journal.committed(), journal.ends()
    stack.up(0, workers)
    meter = Meter(stack.processes())
    began = time.monotonic()
    while journal.committed() <= before:
        began = time.monotonic()
        time.sleep(LOOK_S)
    while journal.committed() < end:
        time.sleep(LOOK_S)
    seconds = time.monotonic() - began
    return seconds, sum(meter.cost().cpu.values())


def _again(stack: Stack, work: Callable[[], float]) -> tuple[float, float]:
    """The seconds that ``work`` says, and CPU seconds of its processes, the broker and Redis."""
    meter, before = Meter(stack.processes()), _children()
    seconds = work()
    return seconds, _children() - before + sum(meter.cost().cpu.values())


def _verified(stack: Stack, *arguments: object) -> float:
    told = json.loads(stack.run("verify", *arguments, "--output", "json"))
    assert told["identical"], told["differences"]
    return float(told["seconds"])


def _rebuilt(stack: Stack, *arguments: object) -> float:
    began = time.monotonic()
    stack.run("state", "rebuild", *arguments, "--yes")
    return time.monotonic() - began


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

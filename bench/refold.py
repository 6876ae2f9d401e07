"""The journal folded again, as `verify` and `state rebuild` do, against the rate at which workers folded it live.

Beside the rates, which depend on what else the machine does at that moment, the CPU that each costs over all processes,
without that of starting them: where the cores are the limit, the ratio of these is that of the rates.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

from bench.catchup import load
from bench.job import TOPIC, events
from bench.stack import Meter, Positions, Stack, running

LOOK_S = 0.05


def refold(count: int, workers: int) -> dict[str, Any]:
    """Journal records per second over ``count`` events, and CPU seconds per million: ``workers`` rules workers with
    the broker's transactions and Redis, and as many processes that fold elsewhere, one after the other."""
    processes = ("--processes", workers)
    ways: dict[str, Callable[[Stack], float]] = {
        "verify --state": lambda stack: _verified(stack, "--state", *processes),
        "verify --outputs": lambda stack: _verified(stack, "--outputs", *processes),
        "state rebuild": lambda stack: _rebuilt(stack, *processes),
    }
    with running(workers=0) as stack:
        # Of a journal without events: what it costs to start.
        starting = {name: _again(stack, way)[1] for name, way in ways.items()}
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
        found = {name: _again(stack, way) for name, way in ways.items()}
        raw.close()
        journal.close()
    told: dict[str, Any] = {"events": count, "workers_and_processes": workers}
    told["per_second"] = {"live": round(count / live[0])}
    told["cpu_seconds_per_million"] = {"live": round(live[1] * 1e6 / count, 2)}
    told["times_live_by_time"] = {}
    told["times_live_by_cpu"] = {}
    for name, (seconds, used) in found.items():
        cpu = used - starting[name]
        told["per_second"][name] = round(count / seconds)
        told["cpu_seconds_per_million"][name] = round(cpu * 1e6 / count, 2)
        told["times_live_by_time"][name] = round(live[0] / seconds, 2)
        told["times_live_by_cpu"][name] = round(live[1] / cpu, 2)
    return told


def _live(stack: Stack, journal: Positions, workers: int) -> tuple[float, float]:
    """Seconds from the first commit to the last, and CPU seconds of everything meanwhile, without what it costs the
    workers to start."""
    before, end = journal.committed(), journal.ends()
    meter = Meter(stack.processes())
    # `up` returns when they work, which is too late to begin to look.
    starting = Thread(target=stack.up, args=(0, workers))
    starting.start()
    began = time.monotonic()
    while journal.committed() <= before:
        began = time.monotonic()
        time.sleep(LOOK_S)
    while journal.committed() < end:
        time.sleep(LOOK_S)
    seconds = time.monotonic() - began
    starting.join()
    services = sum(meter.cost().cpu.values())
    cpu = _rules_cpu(stack)
    stack.up(0, 0)
    stack.up(0, workers)
    return seconds, services + cpu - _rules_cpu(stack)


def _rules_cpu(stack: Stack) -> float:
    """CPU seconds of the rules workers since they were started."""
    times = [one.cpu_times() for name, one in stack.processes().items() if name.startswith("rules")]
    return float(sum(one.user + one.system for one in times))


def _again(stack: Stack, work: Callable[[Stack], float]) -> tuple[float, float]:
    """The seconds that ``work`` says, and CPU seconds of its processes, the broker and Redis."""
    meter, before = Meter(stack.processes()), _children()
    seconds = work(stack)
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

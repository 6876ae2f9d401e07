"""``python -m bench``: everything, or the parts named."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.catchup import catch_up
from bench.guards import guards
from bench.history import history
from bench.ingest import ingest
from bench.latency import latency
from bench.pure import pure
from bench.recovery import recovery
from bench.refold import refold
from bench.stack import running
from bench.timers import timers
from bench.validation import memory, validation
from bench.webhooks import webhooks

PARTS = (
    "pure",
    "timers",
    "validation",
    "catch-up",
    "latency",
    "webhooks",
    "history",
    "recovery",
    "guards",
    "refold",
    "ingest",
)
BY_HAND = ("memory",)
"""Too long to run each time."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all), or memory")
    parser.add_argument("--events", type=int, default=500_000, help="raw records to catch up with (%(default)s)")
    parser.add_argument("--millions", type=int, default=10, help="how far memory is watched (%(default)s)")
    parser.add_argument("--validation-workers", type=int, default=1)
    parser.add_argument("--rules-workers", type=int, default=1)
    parser.add_argument("--kills", type=int, default=6, help="workers that die, one after the other (%(default)s)")
    parser.add_argument("--brokers", type=int, default=1, help="brokers of the stack whose workers die (%(default)s)")
    parser.add_argument("--rate", type=int, default=1000, help="events per second of the steady load (%(default)s)")
    parser.add_argument("--seconds", type=float, default=25, help="length of the steady load (%(default)s)")
    parser.add_argument("--deliveries", type=int, default=20_000, help="webhooks per measurement (%(default)s)")
    parser.add_argument("--requests", type=int, default=4000, help="requests per second to the edge (%(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="processes of the edge (%(default)s)")
    given = parser.parse_args()
    unknown = set(given.parts) - {*PARTS, *BY_HAND}
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join((*PARTS, *BY_HAND))}")
    parts, console, results = given.parts or PARTS, Console(stderr=True), dict[str, Any]()
    if "pure" in parts:
        results["pure"] = _shown(console, "pure pieces", pure(100_000))
    if "timers" in parts:
        console.print("a million timers …")
        with running() as stack:
            results["timers"] = _shown(console, "waiting timers", timers(200_000, stack.told["redis"]))
    if "validation" in parts:
        console.print(f"validation alone, {given.events:,} events of each form …")
        results["validation"] = _shown(console, "validation alone, one worker", validation(given.events))
    if "memory" in parts:
        console.print(f"validation alone, {given.millions} million events …")
        results["memory"] = _shown(console, "resident megabytes of one validation worker", memory(given.millions))
    if "catch-up" in parts:
        console.print(f"catching up with {given.events:,} events …")
        result = catch_up(given.events, given.validation_workers, given.rules_workers)
        results["catch_up"] = _shown(console, "catch-up, both stages", result)
    if "refold" in parts:
        console.print(f"folding {given.events:,} events again …")
        result = refold(given.events, os.cpu_count() or 1)
        results["refold"] = _shown(console, "folding again, against live", result)
    if "latency" in parts:
        console.print(f"{given.rate:,} events/s for {given.seconds:g} s …")
        results["latency"] = _shown(console, "raw append to output", latency(given.rate, given.seconds))
    if "ingest" in parts:
        console.print(f"the HTTP edge, {given.processes} process(es), and {given.requests:,} requests/s …")
        result = ingest(given.requests, given.seconds, given.processes)
        results["ingest"] = _shown(console, "the HTTP edge, broker and load generator on the same machine", result)
    if "webhooks" in parts:
        console.print(f"{given.deliveries:,} deliveries to endpoints that take 100 ms …")
        results["webhooks"] = _shown(console, "webhooks, one worker", webhooks(given.deliveries))
    if "history" in parts:
        console.print(f"an index of {given.events:,} events, then {given.rate:,} events/s …")
        result = history(given.events, given.rate, given.seconds)
        results["history"] = _shown(
            console, "history, one program, SQLite", {**result["catch_up"], **result["visible"]}
        )
    if "recovery" in parts:
        console.print(f"{given.kills} workers killed under {given.rate:,} events/s …")
        result = recovery(given.kills, given.rate, 3, given.brokers, console.print)
        results["recovery"] = _shown(console, "from kill -9 to full rate", result)
    if "guards" in parts:
        count = given.events // 5
        console.print(f"pieces of {count:,} events with and without guards …")
        results["guards"] = _shown(console, "what the guards cost, one worker of each stage", guards(count, 4))
    print(json.dumps(results, indent=2))
    return 0


def _shown(console: Console, title: str, result: dict[str, Any]) -> dict[str, Any]:
    table = Table("", "", title=title, show_header=False)
    for name, value in result.items():
        for label, one in value.items() if isinstance(value, dict) else [(None, value)]:
            text = f"{one:,}" if isinstance(one, int | float) else str(one)
            table.add_row(f"{name.replace('_', ' ')}{'' if label is None else ': ' + label}", text)
    console.print(table)
    return result


if __name__ == "__main__":
    sys.exit(main())

"""Random schedules of faults over the real workers: ``python -m tests.schedules [--only NAME] [--runs N] [--table]``.

Prints, for every guard that is switched off, how many schedules go wrong; with ``--seed`` one schedule, and with
``--trace`` every step of it. Exit code 1 if a schedule with all guards on went wrong, or one that was asked for.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import click

from tests.schedules.mutations import MUTATIONS, Mutation
from tests.schedules.schedule import run
from tests.schedules.table import chosen, count, markdown


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.schedules", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="schedules of each row (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="NAME", help="rows whose name is or has this")
    parser.add_argument("--seed", type=int, help="run the schedule of this seed alone, of the first row chosen")
    parser.add_argument("--first", type=int, default=0, help="the seed to begin with (default: %(default)s)")
    parser.add_argument("--trace", action="store_true", help="with --seed: every step, on stdout")
    parser.add_argument("--table", action="store_true", help="as a table in Markdown, instead of lines")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the counts there as well")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="default: one for each core")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing new after so many")
    given = parser.parse_args()
    mutations = chosen(given.only) if given.only else list(MUTATIONS)
    if not mutations:
        parser.error(f"no row is or has {given.only!r}; there are: " + "; ".join(one.name for one in MUTATIONS))
    if given.seed is not None:
        return _one(mutations[0], given.seed, trace=given.trace)
    started, seeds = time.monotonic(), range(given.first, given.first + given.runs)
    with click.progressbar(length=given.runs * len(mutations), label="Schedules", file=sys.stderr) as bar:
        rows = count(mutations, seeds, given.processes, 60 * given.minutes, bar.update)
    seconds = time.monotonic() - started
    if given.table:
        print(markdown(rows))
    else:
        for row in rows:
            print(f"{row.name:42} {row.bad:6}/{row.runs}  {dict(row.kinds.most_common(4))}  seeds {row.seeds}")
    print(f"{sum(row.runs for row in rows)} schedules in {seconds:.0f} s", file=sys.stderr)
    if given.json is not None:
        whole = {"date": time.strftime("%Y-%m-%d"), "seconds": round(seconds), "processes": given.processes}
        given.json.write_text(json.dumps({**whole, "rows": [row.brief() for row in rows]}, indent=1) + "\n")
    intact = {one.name for one in mutations if one.patch is None}
    return int(any(row.bad for row in rows if row.name in intact))


def _one(mutation: Mutation, seed: int, *, trace: bool) -> int:
    result = run(seed, mutation.scene, mutation.patch, trace=trace)
    for line in result.trace:
        print(line)
    told = f"{result.decisions} decisions, {result.records} journal records"
    print(f"{mutation.name}, seed {seed}: {result.kind}; {told}, faults: {', '.join(result.injected) or 'none'}")
    for kind, lines in result.wrong.items():
        for line in lines[:20]:
            print(f"  {kind}: {line[:600]}")
    return int(result.bad)


if __name__ == "__main__":
    sys.exit(main())

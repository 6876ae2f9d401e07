"""``python -m tests.chaos``: break everything for some minutes, then judge what is left."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.chaos.kinds import every
from tests.chaos.lanes import Limits, judge_again, run
from tests.chaos.table import table
from tests.chaos.world import Size


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=35, help="at most so long, judging aside (%(default)g)")
    parser.add_argument("--faults", type=int, help="stop once so many were injected (those 35 minutes have: 300)")
    parser.add_argument("--events", type=int, help="and so many events were sent (as they: 2 million)")
    parser.add_argument("--kinds", default="", help="only kinds whose names contain one of these, comma separated")
    parser.add_argument("--brokers", type=int, default=3, choices=(1, 3))
    parser.add_argument("--workers", type=int, default=3, help="of each stage (%(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the load and the faults (the time)")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    parser.add_argument("--json", type=Path, help="write what came of it to this file as well")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep data and logs in this new directory")
    parser.add_argument("--judge", type=Path, metavar="DIR", help="judge a run that was kept, and do nothing else")
    parser.add_argument("--list", action="store_true", help="print the kinds of faults and leave")
    given = parser.parse_args()
    parts = [part.strip() for part in given.kinds.split(",") if part.strip()]
    kinds = [kind for kind in every(given.brokers > 1) if not parts or any(part in kind.name for part in parts)]
    if not kinds:
        parser.error(f"no kind of fault is named like {given.kinds}; --list prints them")
    if given.list:
        print(*(kind.name for kind in kinds), sep="\n")
        return 0
    # So that whatever was started is ended as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    console = Console(stderr=True)
    if given.judge:
        result = judge_again(given.judge, console)
    else:
        directory = given.keep or Path(tempfile.mkdtemp(prefix="offerflow-chaos-")) / "run"
        size = Size(given.brokers, given.workers, given.seed)
        share = given.minutes / 35
        faults, events = given.faults or round(share * 300), given.events or round(share * 2_000_000)
        result = run(directory, size, Limits(given.minutes * 60, faults, events), kinds, console)
        if given.keep is None and result.good:
            shutil.rmtree(directory.parent)
        else:
            console.print(f"data and logs are in {directory}; --judge {directory} judges them again", soft_wrap=True)
    document = result.document()
    if given.json:
        given.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if given.output == "json":
        print(json.dumps(document, indent=2))
    else:
        out = Console()
        Console(width=max(out.width, 120)).print(table(result))
    for line in result.lines():
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0 if result.good else 1


if __name__ == "__main__":
    sys.exit(main())

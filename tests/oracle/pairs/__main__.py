"""A long run: so many pairs of a seed on every core. Disagreements are printed small, a report goes to stdout as JSON.

``--only N`` plays one pair of the run again and prints it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from random import Random

from rich.console import Console
from rich.progress import track

from tests.oracle.pairs.agree import Disagreement, Refused, run
from tests.oracle.pairs.pair import of_seed, written
from tests.oracle.pairs.shrink import smallest

CHUNK = 100


def main() -> int:
    """0 when all agree, 1 when some do not."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.pairs", description=__doc__)
    parser.add_argument("--pairs", type=int, default=2000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the run (default: %(default)s)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="number of the first (default: %(default)s)")
    parser.add_argument("--only", type=int, help="play this one and print it")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    parser.add_argument("--show", type=int, default=3, help="disagreements to shrink and print (default: %(default)s)")
    given = parser.parse_args()
    if given.only is not None:
        print(written(of_seed(given.seed, given.only)))
        given.first, given.pairs, given.workers = given.only, 1, 1
    began, reached, bad = time.monotonic(), Counter[str](), list[tuple[int, str]]()
    numbers = range(given.first, given.first + given.pairs)
    chunks = [(given.seed, list(numbers[at : at + CHUNK])) for at in range(0, len(numbers), CHUNK)]
    with ProcessPoolExecutor(given.workers, initializer=_uncollected) as workers:
        played = workers.map(play, chunks)
        for counted, failed in track(played, "pairs", total=len(chunks), console=Console(stderr=True)):
            reached += counted
            bad += failed
            for number, why in failed:
                print(f"pair {number} of seed {given.seed}: {why}", file=sys.stderr, flush=True)
    for number, _ in bad[: given.show]:
        small, differs = smallest(of_seed(given.seed, number))
        print(f"pair {number}, as small as it gets\n{small}\n{differs}\n", file=sys.stderr)
    report = {
        "seed": given.seed, "first": given.first, "pairs": given.pairs, "disagree": [number for number, _ in bad],
        "refused_by_the_compiler": reached.pop("refused by the compiler", 0),
        "seconds": round(time.monotonic() - began, 1), "reached": dict(sorted(reached.items())),
    }  # fmt: skip
    print(json.dumps(report, indent=1))
    return 1 if bad else 0


def _uncollected() -> None:
    """What a pair leaves behind is freed without the collector, which costs a fifth of the time."""
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


def play(chunk: tuple[int, list[int]]) -> tuple[Counter[str], list[tuple[int, str]]]:
    """What these pairs reached, and those that do not agree."""
    (seed, numbers), reached, bad = chunk, Counter[str](), []
    for number in numbers:
        try:
            reached += run(of_seed(seed, number), Random(number))
        except Refused:
            reached["refused by the compiler"] += 1
        except Disagreement as error:
            bad.append((number, str(error)))
        except Exception:
            bad.append((number, traceback.format_exc(limit=-3)))
    return reached, bad


if __name__ == "__main__":
    sys.exit(main())

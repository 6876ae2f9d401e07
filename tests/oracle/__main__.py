"""Prints what a deployment's topics must hold, as ``offerflow demo`` counts it, and how what they hold differs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.oracle.verdict import examine


def main() -> int:
    """0 when everything is as expected, 1 when something is missing, doubled or wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--bootstrap", required=True, help="Kafka's address, host:port")
    parser.add_argument("--prefix", default="offerflow.", help="topic prefix (default: %(default)s)")
    parser.add_argument("--show", type=int, default=10, help="differences to print of each kind (default: %(default)s)")
    parser.add_argument("workspace", nargs="+", type=Path, help="directories given to `offerflow apply`")
    given = parser.parse_args()
    examined = examine(given.bootstrap, given.prefix, given.workspace)
    print(json.dumps(examined.totals))
    for kind, lines in vars(examined.report).items():
        for line in lines[: given.show]:
            print(f"{kind}: {line}", file=sys.stderr)
    print(examined.report.counts(), file=sys.stderr)
    return 1 if examined.report else 0


if __name__ == "__main__":
    sys.exit(main())

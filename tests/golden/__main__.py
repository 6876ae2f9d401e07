"""``python -m tests.golden record`` keeps what the code as it is makes of a journal of all features."""

from __future__ import annotations

import argparse
import sys

from offerflow import __version__
from tests.golden.recording import record
from tests.golden.release import HERE, about


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    parser.add_argument("action", choices=["record"])
    parser.add_argument("--release", default=__version__, help="default: %(default)s, the version of this checkout")
    parser.add_argument("--again", action="store_true", help="replace what was recorded of a release not yet out")
    given = parser.parse_args()
    folder = HERE / given.release
    if folder.exists() and not given.again:
        print(f"{folder} is there: what a release decided never changes. --again replaces it, before it is out",
              file=sys.stderr)  # fmt: skip
        return 1
    record(folder)
    made = about(given.release)
    print(f"{folder}: {made['records']} records, {made['outputs']} outputs")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What `make demo` shows is what the raw topics say."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.deployment import ROOT
from tests.end_to_end.cli import Stack

pytestmark = [pytest.mark.broker, pytest.mark.slow]
APPLIED = (ROOT / "schemas" / "events", ROOT / "deploy" / "demo")


def test_the_demo_counts_right(cli: Callable[..., Stack]) -> None:
    """The totals printed equal those recomputed from the raw topics, and the topics hold exactly what they should."""
    stack = cli()
    done = stack.run("demo", "--detach", "--output", "json", seconds=300)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    stack.told = printed
    examined = stack.examine(*APPLIED)
    assert not examined.report, str(examined.report)
    assert {name: printed[name] for name in examined.totals} == examined.totals
    assert examined.totals["rewards"] > 0


def test_the_demo_exits_with_its_totals_and_leaves_nothing_running(cli: Callable[..., Stack]) -> None:
    """`--exit` prints one JSON object with the four totals, and no program is left."""
    stack = cli()
    done = stack.run("demo", "--exit", "--output", "json", seconds=300)
    assert done.returncode == 0, done.stderr
    totals = json.loads(done.stdout)
    assert totals.keys() >= {"events", "dead_letters", "entries", "rewards"}
    assert totals["events"] > sum(totals["dead_letters"].values()) > 0
    assert all(program["pid"] is None for program in stack.status()["programs"])

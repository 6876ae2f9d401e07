"""What `make demo` prints is what the raw topics say."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.deployment import ROOT, parse
from tests.end_to_end.cli import Stack
from tests.oracle.verdict import examine

pytestmark = [pytest.mark.broker, pytest.mark.slow]
APPLIED = (ROOT / "schemas" / "events", ROOT / "deploy" / "demo")


def test_the_demo_counts_right(cli: Callable[..., Stack]) -> None:
    """The totals equal those recomputed from the raw topics, the topics hold exactly what they should, and nothing is
    left running."""
    stack = cli(own=True)
    printed: Any = parse(stack.run("demo", "--exit", "--output", "json", seconds=300))
    data = stack.directory / ".offerflow" / "demo"
    assert stack.run("status", "--dir", data).returncode == 69
    services = [sys.executable, "-m", "console.stack.services"]
    up = subprocess.run([*services, "up", "--dir", data], cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        lying = parse(up)
        examined = examine(str(lying["kafka"]), str(lying["topic_prefix"]), APPLIED)
    finally:
        subprocess.run([*services, "down", "--dir", data, "--purge"], cwd=ROOT, capture_output=True, check=True)
    assert not examined.report, str(examined.report)
    assert printed == examined.totals
    assert printed["rewards"] > 0
    written = {(one.record, one.fields.get("variant") == "holdout") for one in examined.written}
    assert written >= {
        ("OfferEntered", False), ("OfferEntered", True), ("OfferExited", True), ("RewardSatisfied", False),
        ("RewardReversed", False),
    }  # fmt: skip
    assert ("RewardSatisfied", True) not in written
    assert {"unknown_event", "undecodable", "schema_violation", "duplicate_conflict"} <= printed["dead_letters"].keys()

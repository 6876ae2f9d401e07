"""The simulator as a program: what it prints is what is in Kafka, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from producers.simulator.__main__ import main
from tests.deployment import ROOT, Deployment
from tests.waiting import until

CHANNELS = ("raw.sdk", "raw.backend", "raw.integration")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "producers.simulator", *arguments]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--broken", "lots"], "percentage such as 2%"),
        (["--broken", "150%"], "0% to 90%"),
        (["--broken", "60%", "--repeated", "60%"], "90% together"),
        (["--start-time", "yesterday"], "RFC 3339"),
        (["--duration", "90"], "such as 45s"),
    ],
)
def test_wrong_options_say_what_was_expected(arguments: list[str], words: str) -> None:
    """Exit 2 and a line that names the form."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_no_broker_is_exit_69_and_one_line() -> None:
    """A batch run does not wait for a broker that is not there."""
    environment = {**os.environ, "OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    done = subprocess.run(command(), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (69, "")
    assert len(done.stderr.splitlines()) == 1
    assert "127.0.0.1:1" in done.stderr


@pytest.mark.broker
def test_the_summary_is_what_is_in_kafka(deployment: Callable[..., Deployment]) -> None:
    """Counts by channel equal the topics', and the same options on another prefix give the same bytes."""
    found: list[dict[str, Counter[tuple[bytes | None, bytes | None]]]] = []
    options = ("--users", "40", "--broken", "5%", "--repeated", "3%", "--start-time", "2026-03-05T10:00:00Z")
    for _ in range(2):
        here = deployment()
        here.create_topics()
        done = subprocess.run(
            command(*options, "--output", "json"), cwd=ROOT, env=here.environment(), capture_output=True, text=True,
            timeout=60, check=True,
        )  # fmt: skip
        summary = json.loads(done.stdout)
        records = {channel: here.read(channel) for channel in CHANNELS}
        assert summary["by_channel"] == {channel: len(read) for channel, read in sorted(records.items())}
        assert summary["records"] == summary["good"] + summary["repeated"] + sum(summary["broken"].values())
        assert sum(summary["expected_dead_letters"].values()) == sum(summary["broken"].values())
        found.append({channel: Counter((r.key, r.value) for r in read) for channel, read in records.items()})
    assert found[0] == found[1]


@pytest.mark.broker
def test_a_trickle_flows_until_it_is_told_to_stop(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """It waits for its topics, keeps sending, and ends with 0 and a summary on SIGTERM."""
    here = deployment()
    log = tmp_path / "trickle.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command("--trickle", "--rate", "50", "--output", "json"), cwd=ROOT, env=here.environment(),
            stdout=subprocess.PIPE, stderr=file,
        )  # fmt: skip
    try:
        until(lambda: "waiting for Kafka" in log.read_text(), "the simulator to wait", state=log.read_text)
        here.create_topics()
        until(lambda: sum(map(here.ends, CHANNELS)) > 20, "events to flow", state=log.read_text)
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert json.loads(printed)["records"] == sum(map(here.ends, CHANNELS))

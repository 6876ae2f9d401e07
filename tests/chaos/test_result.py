"""What a run says about itself."""

from __future__ import annotations

import json

from rich.console import Console

from tests.chaos.result import Anomaly, Fault, Result
from tests.chaos.table import table


def made(*anomalies: Anomaly) -> Result:
    faults = [Fault("broker: SIGKILL", 100.0, "kafka-1", 110.0, 7.5), Fault("redis: SIGKILL", 105.0, "", 107.0, 3.0),
              Fault("redis: SIGKILL", 200.0, "", 201.0, 4.25)]  # fmt: skip
    return Result(faults, list(anomalies))


def test_an_anomaly_counts_for_the_faults_around_it() -> None:
    """One record that went wrong is held against every fault that was not over, and once in all."""
    result = made(Anomaly("missing", "x", 106_000), Anomaly("wrong states", "y", 200_500), Anomaly("duplicated", "z"))
    rows = result.rows()
    assert [rows[kind].found["missing"] for kind in ("broker: SIGKILL", "redis: SIGKILL")] == [1, 1]
    assert [rows[kind].found["wrong states"] for kind in ("broker: SIGKILL", "redis: SIGKILL")] == [0, 1]
    assert result.total().found == {"missing": 1, "duplicated": 1, "wrong outputs": 0, "wrong states": 1}
    assert not result.good


def test_table_and_document_agree() -> None:
    """The table for people and the JSON for programs hold the same numbers, and the JSON gives the run again."""
    result = made(Anomaly("duplicated", "x", 105_500))
    result.totals = {"seconds": 1, "sent": 2, "webhooks": 3}
    console = Console(width=140, file=None, record=True, quiet=False, stderr=True)
    console.print(table(result))
    text = console.export_text()
    document = json.loads(json.dumps(result.document()))
    assert document["all"] == {
        "injected": 3, "missing": 0, "duplicated": 1, "wrong_outputs": 0, "wrong_states": 0, "longest_stall_s": 7.5,
    }  # fmt: skip
    assert document["kinds"]["redis: SIGKILL"]["injected"] == 2
    for kind in ("broker: SIGKILL", "redis: SIGKILL"):
        [line] = [line for line in text.splitlines() if kind in line]
        shown = [cell.strip() for cell in line.strip("│ ").split("│")][1:]
        row = document["kinds"][kind]
        assert shown == [*map(str, list(row.values())[:-1]), f"{row['longest_stall_s']:.1f} s"]
    assert Result.of(document).faults == result.faults

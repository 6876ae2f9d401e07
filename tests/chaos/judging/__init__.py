"""What must be there, recomputed from the raw topics by code that knows nothing of the workers', and held against what
is there: journal, outputs, dead letters, webhooks, and what Redis holds.

The work goes by partition to as many processes as there are cores: raw partitions first, which say what each journal
partition must hold; then journal partitions with their outputs and states; then all dead letters.
"""

from __future__ import annotations

import os
import pickle
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from rich.console import Console
from rich.progress import Progress

from tests.chaos.judging.case import Case
from tests.chaos.judging.journal import journal_partition
from tests.chaos.judging.letters import dead_letters
from tests.chaos.judging.raw import raw_partition
from tests.chaos.result import Anomaly, Result
from tests.chaos.world import PARTITIONS, PREFIX, World
from tests.oracle import topics, wire

LARGE = 200_000

__all__ = ["announced", "judged"]


def judged(world: World, result: Result, console: Console) -> None:
    """Fill in what is wrong. Nothing may be writing any more."""
    directory = world.directory / "judging"
    directory.mkdir(exist_ok=True)
    case = Case.of(world, directory)
    (directory / "case").write_bytes(pickle.dumps(case))
    # A process that is done with a large partition gives its memory back only by ending.
    tasks = 1 if result.totals.get("sent", 0) > LARGE else None
    # Clients do not survive a fork.
    with (
        ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"), max_tasks_per_child=tasks) as pool,
        Progress(console=console, disable=not console.is_terminal) as progress,
    ):
        for what, work, numbers in (
            ("raw partitions", raw_partition, range(PARTITIONS)),
            ("journal partitions", journal_partition, range(PARTITIONS)),
            ("dead letters", dead_letters, range(1)),
        ):
            shown = progress.add_task(what, total=len(numbers))
            for done in as_completed([pool.submit(work, directory, number) for number in numbers]):
                anomalies, totals = done.result()
                result.anomalies += anomalies
                _add(result.totals, totals)
                progress.advance(shown)
    if result.totals["outputs read"] != result.totals["outputs there"]:
        text = f"{result.totals['outputs there']} outputs are there, {result.totals['outputs read']} are about anybody"
        result.anomalies.append(Anomaly("wrong outputs", text))


def announced(world: World) -> set[str]:
    """Ids of the rewards that were taken back, of which the endpoint is told."""
    schemas = wire.output_schemas()
    found = set()
    for record in topics.stream(world.bootstrap, [PREFIX + "reward-reversed"]):
        schema_id, body = wire.unframe(record.value, record.where)
        found.add(str(wire.decode(body, schemas[schema_id], record.where)["id"]))
    return found


def _add(totals: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, dict):
            _add(totals.setdefault(name, {}), value)
        else:
            totals[name] = totals.get(name, 0) + value

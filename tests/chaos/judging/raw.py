"""Raw records judged: what must be in the journal, by partition and in which order, and what must be a dead letter."""

from __future__ import annotations

from array import array
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos.judging.case import Case, digest
from tests.chaos.result import Anomaly
from tests.chaos.world import PARTITIONS, PREFIX
from tests.oracle.identity import partition_of
from tests.oracle.judge import judge
from tests.oracle.model import Dead, Dropped, Record


def raw_partition(directory: Path, number: int) -> tuple[list[Anomaly], dict[str, Any]]:
    """One partition of every raw topic."""
    case = Case.load(directory)
    plan = case.plans()[0]
    due: list[dict[str, array[int]]] = [{} for _ in range(PARTITIONS)]
    deads: list[tuple[Record, Dead]] = []
    counted = Counter[str]()
    for record in case.stream(plan.topics(), number):
        verdict = judge(record, plan, PREFIX)
        counted["events"] += 1
        if isinstance(verdict, Dead):
            deads.append((record, verdict))
            counted[f"dead letters: {verdict.reason}"] += 1
        elif not isinstance(verdict, Dropped):
            found = due[partition_of(verdict.entity.encode(), PARTITIONS)]
            found.setdefault(record.topic, array("Q")).append(digest(verdict))
    for partition, by_topic in enumerate(due):
        case.put(f"due-{number}-{partition}", by_topic)
    case.put(f"deads-raw-{number}", deads)
    return [], dict(counted)

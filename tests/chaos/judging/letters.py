"""Dead letters of both stages: one for each record that deserves it, saying what it must."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chaos.judging.case import Case
from tests.chaos.result import Anomaly
from tests.chaos.world import PARTITIONS, PREFIX
from tests.oracle import wire
from tests.oracle.letters import judge_letter
from tests.oracle.model import Dead, Record
from tests.oracle.verdict import WRITTEN


def dead_letters(directory: Path, _: int) -> tuple[list[Anomaly], dict[str, Any]]:
    case = Case.load(directory)
    due: dict[tuple[str, int, int], tuple[Record, Dead]] = {}
    for number in range(PARTITIONS):
        for record, dead in [*case.get(f"deads-raw-{number}"), *case.get(f"deads-journal-{number}")]:
            due[record.topic, record.partition, record.offset] = record, dead
    anomalies = list(_differences(case, due))
    return anomalies, {"dead letters": len(due), "outputs there": sum(1 for _ in case.stream(list(WRITTEN)))}


def _differences(case: Case, due: dict[tuple[str, int, int], tuple[Record, Dead]]) -> Iterator[Anomaly]:
    schemas = wire.output_schemas()
    seen: dict[tuple[str, int, int], str] = {}
    for record in case.stream(["dead-letter"]):
        schema_id, body = wire.unframe(record.value, record.where)
        letter = wire.decode(body, schemas[schema_id], record.where)
        at = letter["topic"], letter["partition"], letter["offset"]
        if at in seen:
            text = f"dead letter of {at} at {seen[at]} and {record.where}"
            yield Anomaly("duplicated", text, record.timestamp)
        elif at not in due:
            text = f"dead letter {record.where} of {at} was not due: {letter['reason']}, {letter['detail']}"
            yield Anomaly("wrong outputs", text, record.timestamp)
        else:
            original, dead = due[at]
            for line in judge_letter(letter, record, dead, original, PREFIX):
                yield Anomaly("wrong outputs", f"dead letter {record.where} of {at}: {line}", record.timestamp)
        seen[at] = record.where
    for at, (original, dead) in due.items():
        if at not in seen:
            yield Anomaly("missing", f"dead letter of {at}: {dead.reason} ({dead.why})", original.timestamp)

"""A deployment judged: its topics read, the raw ones recomputed, every difference collected."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.oracle import topics, wire
from tests.oracle.compare import TOPIC_OF, Report, Written, outputs
from tests.oracle.journal import Journal, check_journal
from tests.oracle.judge import judge
from tests.oracle.letters import check_dead_letters
from tests.oracle.model import Dead, Output, Placed, Record
from tests.oracle.rules.partition import Partition
from tests.oracle.workspace import Workspace, read

WRITTEN = tuple(TOPIC_OF.values())
Place = tuple[int, int]


@dataclass
class Examined:
    """What came of it. ``totals`` are computed from the raw topics and the rules alone, never from the outputs."""

    totals: dict[str, Any]
    expected: list[Output]
    deads: dict[tuple[str, int, int], Dead]
    report: Report
    written: list[Written] = field(default_factory=list)


def examine(
    bootstrap: str,
    prefix: str,
    workspaces: Iterable[Path],
    local_server: bool = True,
    later: Iterable[Path] = (),
    planned_at: Sequence[int] = (),
) -> Examined:
    """Read every topic of the deployment and compare. Nothing may be writing meanwhile.

    Each directory of ``later`` was applied after the others, one by one. They change rules only, unless ``planned_at``
    names for each the time (ms) from which raw records are judged by it: a time at which validation was idle.
    """
    given, plans = list(workspaces), []
    for directory in (None, *later):
        given += [directory] if directory else []
        plans.append(read(given, local_server))
    names = [*{topic for plan in plans for topic in plan.topics()}, "journal", "dead-letter", "catalog", *WRITTEN]
    lying = topics.read(bootstrap, [prefix + name for name in names])
    there = {topic.removeprefix(prefix): records for topic, records in lying.items()}
    return judge_all(there, plans, prefix, planned_at)


def judge_all(
    lying: dict[str, list[Record]], plans: Sequence[Workspace], prefix: str, planned_at: Sequence[int] = ()
) -> Examined:
    """``lying``: topic without prefix to its records."""
    for plan in plans:
        ids = wire.schema_ids(lying["catalog"])
        plan.ids = {ids[key]: one for key, one in plan.versions.items() if key in ids}
        plan.topic_ids = {records[0].topic: records[0].topic_id for records in lying.values() if records}
    raws = [record for topic in plans[-1].topics() for record in lying.get(topic, [])]
    verdicts = [(record, judge(record, plans[bisect(planned_at, record.timestamp)], prefix)) for record in raws]
    report = Report()
    journal = Journal(lying["journal"], wire.event_schemas(plans[-1], lying["catalog"]), report)
    check_journal(report, journal, verdicts)
    expected, folded = _fold(journal, plans)
    deads = {(r.topic, r.partition, r.offset): v for r, v in verdicts if isinstance(v, Dead)}
    originals = {(record.topic, record.partition, record.offset): record for record in [*raws, *lying["journal"]]}
    deads |= {(prefix + "journal", *place): dead for place, dead in folded.items()}
    check_dead_letters(report, lying["dead-letter"], deads, originals, prefix)
    there = [written(record, report) for name in WRITTEN for record in lying[name]]
    found = [one for one in there if one]
    outputs(report, found, expected)
    totals = {
        "events": len(raws),
        "dead_letters": dict(sorted(Counter(dead.reason for dead in deads.values()).items())),
        "entries": sum(output.record == "OfferEntered" for output in expected),
        "rewards": sum(output.record == "RewardSatisfied" for output in expected),
    }
    return Examined(totals, expected, deads, report, found)


def _fold(journal: Journal, plans: Sequence[Workspace]) -> tuple[list[Output], dict[Place, Dead]]:
    """What every partition leads to: outputs, and dead letters of the fold by (partition, offset)."""
    hashes = list(dict.fromkeys(one for found in journal.entries.values() for _, one in found if isinstance(one, str)))
    if len(plans) not in (1, len(hashes)):
        raise ValueError(f"{len(plans)} workspaces given for the rulesets {hashes}")
    expected: list[Output] = []
    deads: dict[Place, Dead] = {}
    for number, entries in journal.entries.items():
        outputs, dead = fold(Partition(number), entries, plans, hashes)
        expected += outputs
        deads |= {(number, offset): one for offset, one in dead.items()}
    return expected, deads


def fold(
    partition: Partition,
    entries: Iterable[tuple[int, Placed | str | int]],
    plans: Sequence[Workspace],
    hashes: Sequence[str],
) -> tuple[list[Output], dict[int, Dead]]:
    """What a partition leads to: outputs, and dead letters by offset. ``hashes``: of the rulesets of ``plans``."""
    expected: list[Output] = []
    deads: dict[int, Dead] = {}
    for offset, entry in entries:
        if isinstance(entry, str):
            partition.activate(entry, plans[hashes.index(entry) if len(plans) > 1 else 0], offset)
        elif isinstance(entry, int):
            expected += [output for _, done in partition.tick(entry, offset) for output in done.outputs]
        else:
            done = partition.take(entry.event.entity, entry)
            expected += done.outputs
            if done.verdict == "conflict":
                deads[offset] = Dead("duplicate_conflict", entry.event.event_id)
            elif done.verdict.startswith("rule_error"):
                deads[offset] = Dead("rule_error", done.verdict)
    return expected, deads


def written(record: Record, report: Report) -> Written | None:
    """An output as it lies in its topic; None, and a line of the report, if it is none."""
    schema_id, body = wire.unframe(record.value, record.where)
    schema = wire.output_schemas().get(schema_id)
    if schema is None:
        report.wrong.append(f"output {record.where}: schema id {schema_id} is not reserved for outputs")
        return None
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    key = None if record.key is None else record.key.decode("utf-8", "replace")
    name = schema["name"].rpartition(".")[2]
    return Written(name, key, wire.decode(body, schema, record.where), headers, record.where)

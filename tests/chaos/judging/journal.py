"""One partition of the journal: all of it due and nothing else, in order; the outputs it leads to; what Redis holds."""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.chaos.judging.case import Case, digest
from tests.chaos.judging.states import wrong_states
from tests.chaos.result import Anomaly
from tests.chaos.world import PARTITIONS
from tests.oracle import wire
from tests.oracle.compare import Report, Written, judge_output, out_of_order
from tests.oracle.identity import partition_of
from tests.oracle.journal import Journal
from tests.oracle.model import Output
from tests.oracle.rules.partition import Partition
from tests.oracle.verdict import fold


def journal_partition(directory: Path, number: int) -> tuple[list[Anomaly], dict[str, Any]]:
    """All that is to be said of it."""
    gc.disable()  # nothing here is garbage before the end
    case = Case.load(directory)
    plans = case.plans()
    records = list(case.stream(["journal"], number))
    report = Report()
    journal = Journal(records, wire.event_schemas(plans[0], case.catalog), report)
    anomalies = [Anomaly("wrong outputs", line) for line in report.wrong]
    times = [record.offset for record in records], [record.timestamp for record in records]
    originals = {record.offset: record for record in records}
    anomalies += _beside_the_raw(case, number, journal)
    partition = Partition(number)
    entries = [(offset, entry) for offset, entry in journal.entries[number] if offset < case.committed[number]]
    unfolded = [(offset, entry) for offset, entry in journal.entries[number][len(entries) :]]
    if any(not isinstance(entry, int) for _, entry in unfolded):
        anomalies.append(Anomaly("missing", f"journal {number} was not folded from {unfolded[0][0]} on"))
    del journal, records
    hashes = list(dict.fromkeys(entry for _, entry in entries if isinstance(entry, str)))
    expected, deads = fold(partition, entries, plans, hashes)
    case.put(f"deads-journal-{number}", [(originals[offset], dead) for offset, dead in deads.items()])
    last = {entry.event.entity: offset for offset, entry in entries if not isinstance(entry, str | int)}
    read = Counter[str]()
    anomalies += _outputs(case, number, expected, times, read)
    anomalies += wrong_states(case, partition, {name: _at(times, offset) for name, offset in last.items()})
    counted = Counter(output.record for output in expected)
    ticks = sum(isinstance(entry, int) for _, entry in entries)
    totals = {
        "journal": len(entries),
        "ticks": ticks,
        "outputs": dict(counted),
        "users": len(partition.entities),
        **read,
    }
    return anomalies, totals


Times = tuple[Sequence[int], Sequence[int]]


def _at(times: Times, offset: int) -> int:
    """When a journal record was appended."""
    offsets, stamps = times
    return stamps[min(bisect_left(offsets, offset), len(stamps) - 1)]


def _beside_the_raw(case: Case, number: int, journal: Journal) -> Iterator[Anomaly]:
    """Every event once, under the right key, and those of one raw partition in their order."""
    streams = {
        (topic, raw): list(found)
        for raw in range(PARTITIONS)
        for topic, found in case.get(f"due-{raw}-{number}").items()
    }
    due = Counter(one for found in streams.values() for one in found)
    often = {one for one, times in due.items() if times > 1}
    left = due.copy()
    places: dict[int, int] = {}
    for placed, record in journal.events:
        made = digest(placed.event)
        entity = placed.event.entity
        if left[made] > 0:
            left[made] -= 1
            places[made] = placed.offset
        elif made in due:
            text = f"journal {record.where} is there more often than it was sent: {placed.event.canonical():.300}"
            yield Anomaly("duplicated", text, record.timestamp)
        else:
            yield Anomaly("wrong outputs", f"journal {record.where} was not due: {placed.event.canonical():.300}",
                          record.timestamp)  # fmt: skip
        if record.key != entity.encode() or partition_of(record.key, PARTITIONS) != number or record.headers:
            yield Anomaly("wrong outputs", f"journal {record.where}: key {record.key!r}", record.timestamp)
    missing = +left
    if missing:
        yield from (
            Anomaly("missing", f"event {position} of {raw} in journal {number}, counted among those that go there")
            for raw, found in streams.items()
            for position, one in enumerate(found)
            if one in missing
        )
    for raw, found in streams.items():
        offsets = [places[one] for one in found if one not in often and one in places]
        if any(after < before for before, after in pairwise(offsets)):
            yield Anomaly("wrong outputs", f"journal {number}: events of {raw} are out of order")


def _outputs(case: Case, number: int, expected: list[Output], times: Times, read: Counter[str]) -> Iterator[Anomaly]:
    due = {output.id: output for output in expected}
    if len(due) != len(expected):
        raise AssertionError("the oracle expects one id twice")
    seen: dict[str, Written] = {}
    for record, one in case.outputs_of(number):
        made = one.fields["id"]
        read["outputs read"] += 1
        if made in seen:
            yield Anomaly("duplicated", f"{one.record} {made} at {seen[made].where} and {one.where}", record.timestamp)
        elif made not in due:
            text = f"{one.record} at {one.where} was not due: {dict(one.fields)}"
            yield Anomaly("wrong outputs", text, record.timestamp)
        else:
            for line in judge_output(one, due[made]):
                yield Anomaly("wrong outputs", f"{one.where}: {line}", record.timestamp)
        seen[made] = _short(one)
    for made, output in due.items():
        if made not in seen:
            text = f"{output.record} {made} for {output.key}, decided at {number}@{output.offset}"
            yield Anomaly("missing", text, _at(times, output.offset))
    yield from (Anomaly("wrong outputs", line) for line in out_of_order(seen.values(), due))


def _short(one: Written) -> Written:
    """What is needed of it later."""
    return Written(one.record, one.key, {"id": one.fields["id"]}, {}, one.where)

"""A report in words, as JSON, and as a text file for Prometheus' node exporter."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from console.verify.explaining import Explained
from console.verify.findings import KINDS, OUTPUTS, STATES, total
from console.verify.verifying import Report

MISMATCHES = "offerflow_consistency_mismatches_total"
VERIFIED = "offerflow_consistency_verified_timestamp_seconds"


def as_json(report: Report, explained: Sequence[Explained]) -> dict[str, Any]:
    """The object that ``--output json`` prints; docs/verifying.md has its fields."""
    found = counts(report)
    return {
        "identical": report.identical,
        "records": _sum(report, "records"),
        "seconds": round(report.seconds, 2),
        "processes": report.processes,
        "checks": {
            check: {"compared": _sum(report, check), **_more(report, check), **found[check]} for check in report.checks
        },
        "partitions": [
            {
                "partition": one.partition, "since": one.since, "position": one.position, "states": one.states,
                "behind": one.behind, "outputs": one.outputs, "expired": one.expired, "running": one.running,
                "earlier": one.earlier, "mismatches": sum(count for _, _, count in one.counts),
            }
            for one in report.partitions
        ],
        "differences": msgspec.to_builtins(explained),
    }  # fmt: skip


def counts(report: Report) -> dict[str, dict[str, int]]:
    """Mismatches by check and kind."""
    found = total(report.partitions)
    found[OUTPUTS, "unexpected"] += len(report.foreign)
    return {check: {kind: found[check, kind] for kind in KINDS[check]} for check in report.checks}


def lines(report: Report, explained: Sequence[Explained]) -> Iterator[str]:
    """What people read on stdout."""
    records = _sum(report, "records")
    rate = f" ({records / report.seconds:,.0f}/s)" if report.seconds >= 0.1 else ""
    yield (
        f"folded {_many(records, 'offset')} of {_many(len(report.partitions), 'partition')} in"
        f" {report.seconds:.1f} s{rate}, {_many(report.processes, 'process', 'processes')}"
        + (", on from a copy" if _sum(report, "since") else "")
    )
    for check, kinds in counts(report).items():
        wrong = {kind: count for kind, count in kinds.items() if count}
        verdict = ", ".join(f"{count:,} {kind}" for kind, count in wrong.items()) if wrong else "identical"
        if not wrong and not _sum(report, check):
            late = any(_sum(report, name) for name in ("behind", "expired", "running", "earlier", "since"))
            verdict = "nothing to compare" if late else "nothing to compare: no event has met a rule yet"
        yield f"{check:8} {verdict}; {_compared(report, check)}"
    shown: dict[tuple[str, str], int] = {}
    for one in explained:
        shown[one.check, one.kind] = shown.get((one.check, one.kind), 0) + 1
        yield ""
        yield from _difference(one)
    left = sum(sum(kinds.values()) for kinds in counts(report).values()) - len(explained)
    if left > 0 and explained:
        yield ""
        yield f"and {_many(left, 'more difference')} (--show N shows more)"


def write_textfile(path: Path, report: Report, now_s: float) -> None:
    """Metrics of this run for the textfile collector, which must never read half a file."""
    told = [f"# HELP {MISMATCHES} Differences that the last verification found.", f"# TYPE {MISMATCHES} counter"]
    told += [
        f'{MISMATCHES}{{check="{check}",kind="{kind}"}} {count}'
        for check, kinds in counts(report).items()
        for kind, count in kinds.items()
    ]
    told += [f"# HELP {VERIFIED} When the last verification ended.", f"# TYPE {VERIFIED} gauge"]
    told += [f'{VERIFIED}{{check="{check}"}} {now_s:.0f}' for check in report.checks]
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False, encoding="utf-8") as file:
        file.write("\n".join(told) + "\n")
        # The collector runs as somebody else.
        os.fchmod(file.fileno(), 0o644)
    Path(file.name).replace(path)


def _difference(one: Explained) -> Iterator[str]:
    whose = f" of {one.user}" if one.user is not None else f" {one.id}" if one.id else ""
    head = f"{one.check}: {one.kind} {one.subject}{whose}"
    if one.partition is not None:
        head += f", partition {one.partition}"
    yield head
    if one.check == OUTPUTS and one.id:
        yield f"  id {one.id}"
    if one.record is not None:
        verb = "decided on" if one.check == OUTPUTS else "last concerned by"
        yield f"  {verb} journal record {one.record}, {one.event}, appended {one.appended}"
    if one.position is not None:
        yield f"  with the journal folded up to {one.position}"
    for place in one.places:
        yield f"  found at {place}"
    if one.detail:
        yield f"  {one.detail}"
    for field in one.fields:
        if one.kind in ("missing", "unexpected", "duplicated"):
            yield f"  {field.name}: {field.expected if field.expected is not None else field.found}"
        else:
            yield f"  {field.name}: expected {field.expected}, found {field.found}"


def _compared(report: Report, check: str) -> str:
    if check == STATES:
        behind = _sum(report, "behind")
        late = f"; Redis is {_many(behind, 'offset')} behind the journal" if behind else ""
        return f"{_many(_sum(report, 'states'), 'state')} compared{late}"
    said = f"{_many(_sum(report, 'outputs'), 'output')} compared"
    expired, running, earlier = (_sum(report, name) for name in ("expired", "running", "earlier"))
    if expired:
        said += f", {expired:,} expired with their topics' retention"
    if running:
        said += f", {running:,} decided in the meantime"
    if earlier:
        said += f", {earlier:,} decided before the copy"
    return said


def _more(report: Report, check: str) -> dict[str, int]:
    names = ("behind",) if check == STATES else ("expired", "running", "earlier")
    return {name: _sum(report, name) for name in names}


def _sum(report: Report, name: str) -> int:
    return sum(getattr(one, name) for one in report.partitions)


def _many(count: int, what: str, plural: str | None = None) -> str:
    return f"{count:,} {what if count == 1 else plural or what + 's'}"

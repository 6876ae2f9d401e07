"""Verifying a deployment: its journal folded elsewhere, once for everything that is compared with it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import zip_longest

import msgspec
from msgspec.structs import replace

from console.verify.bounds import CLIENT, Bounds, bounds, check_starts, committed_by_rules, journal_places
from console.verify.collecting import Collecting, collect, collected
from console.verify.copies import Start, at_copy, copied, first_appended, read_copy
from console.verify.findings import OUTPUTS, STATES, Difference, Findings, PartitionReport
from console.verify.outputs import SKEW_MS, Earlier, OutputCheck, Retention
from console.verify.processes import Processes, Told
from console.verify.reached import reached, release
from console.verify.states import last_causes, read_states
from offerflow.runtime.errors import OfferflowError, TryAgain
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.settings import Settings
from schemas.folding.offline import OfflineFold, fold_journal

Saying = Callable[[str, tuple[int, int]], None]
"""Told what is being done, and (done, total) of it."""


class NoSuchPartition(OfferflowError):
    exit_code = 2


class Report(msgspec.Struct):
    """What verifying came to. ``foreign``: records on output topics that none of our workers can have written.
    ``seconds``: of the fold; ``processes``: how many folded."""

    checks: tuple[str, ...]
    partitions: list[PartitionReport]
    foreign: list[Difference]
    seconds: float
    processes: int

    @property
    def identical(self) -> bool:
        return not self.foreign and not any(one.counts for one in self.partitions)


class Verifying(msgspec.Struct, frozen=True):
    """A task: fold one partition and compare. ``outputs``: what is needed to compare these; None: not asked for.
    ``copy``: a deployment with a copy for its Redis, which has folded the partition up to ``start``; None: from 0."""

    settings: Settings
    place: Place
    end: int
    copy: Settings | None
    start: Start
    states: bool
    outputs: OutputsWanted | None


class OutputsWanted(msgspec.Struct, frozen=True):
    certain: int
    possible: int
    folder: str
    starts: dict[Place, int]
    first_ms: dict[Place, int]


def verify(
    settings: Settings, checks: Sequence[str], partitions: Sequence[int], processes: int, say: Saying,
    copy_url: str | None = None,
) -> Report:  # fmt: skip
    """Compare ``checks`` (STATES, OUTPUTS) of ``partitions`` (none: all). ``copy_url``: a copy of Redis to fold on
    from, in place of the first record. It changes nothing anywhere.

    Raises NoSuchPartition, NoCopy, Refused where nothing can be proved, KafkaDown or RedisDown where one is away.
    """
    admin = Admin(settings, CLIENT)
    journal = journal_places(settings, admin)
    unknown = sorted(set(partitions) - {number for _, number in journal})
    if unknown:
        raise NoSuchPartition(f"the journal has partitions 0 to {len(journal) - 1}, there is no {unknown[0]}")
    places = [place for place in journal if not partitions or place[1] in partitions]
    copy = None if copy_url is None else at_copy(settings, copy_url)
    if copy is None:
        check_starts(admin, places)
        begin = dict.fromkeys(places, Start())
    else:
        begin = copied(settings, copy, admin, places)
    with tempfile.TemporaryDirectory(prefix="offerflow-verify-") as folder, Processes(processes) as pool:
        limits, first_ms, foreign = None, dict[Place, int](), list[Difference]()
        if OUTPUTS in checks:
            limits = bounds(settings, admin, places)
            if copy is not None:
                limits = _shortened(settings, admin, limits, begin)
            first_ms, foreign = _collected(settings, limits, places, len(journal), folder, pool, say)
            # Retention may have taken something before it was read.
            starts = admin.starts(limits.ends)
            limits = replace(
                limits, starts={place: start if start >= limits.starts[place] else 0 for place, start in starts.items()}
            )
            if partitions:
                foreign = []
        ends = admin.ends(places)
        tasks = [
            Verifying(
                settings, place, ends[place], copy, begin[place], STATES in checks,
                _wanted(limits, place, folder, first_ms),
            )
            for place in places
        ]  # fmt: skip
        tasks.sort(key=_length, reverse=True)
        whole = sum(_length(task) for task in tasks)
        say("folding", (0, whole))
        began = time.monotonic()
        try:
            found = list(pool.over(verify_partition, tasks, lambda at: say("folding", (min(at, whole), whole))))
        finally:
            release()
        seconds = time.monotonic() - began
    found.sort(key=lambda one: one.partition)
    return Report(tuple(checks), found, foreign, seconds, max(1, min(processes, len(tasks))))


def verify_partition(task: Verifying, told: Told) -> PartitionReport:
    """Fold one partition as far as what is compared reaches."""
    settings, place = task.settings, task.place
    findings, report = Findings(), PartitionReport(partition=place[1], since=task.start.position)
    here = reached(settings)
    kept = None if task.copy is None else read_copy(task.copy, place, task.start.position)
    states = None
    if task.states:
        states = read_states(
            settings, here.admin, place, findings, lambda: committed_by_rules(settings, here.admin, [place])[place[1]]
        )
    least = min(states.stops) if states is not None else task.start.position
    if least < task.start.position:
        raise TryAgain(
            f"Redis has folded {place[0]}/{place[1]} up to {least}, and the copy is at {task.start.position}: it cannot"
            " be folded back to there. Try again when the workers have passed that, or take an older copy; where a copy"
            " is verified on from another, the two may be swapped"
        )
    outputs = _outputs(task, findings)
    wanted = task.outputs
    stops = {*(states.stops if states else ()), *((wanted.certain, wanted.possible) if wanted else ())}
    # After the positions were read: it has what the journal names below them.
    fold = OfflineFold(place[1], here.catalog(), kept)
    if states is not None:
        states.at(fold.kept)
    for work in fold_journal(settings, fold, max(stops, default=0), CLIENT, stops):
        if states is not None:
            states.at(fold.kept, work)
        if outputs is not None and wanted is not None and work.to <= wanted.possible:
            outputs.work(work)
        told(work.to - work.start)
    report.position, report.records = fold.kept.next, fold.kept.next - task.start.position
    if outputs is not None:
        outputs.rest()
        report.outputs, report.expired, report.running = outputs.compared, outputs.expired, outputs.running
        report.earlier = outputs.earlier
    if states is not None:
        report.states, report.behind = states.compared, max(0, task.end - states.position)
    report.counts = [(check, kind, count) for (check, kind), count in sorted(findings.counts.items())]
    report.differences = _with_causes(settings, place, findings.first, task.start.position)
    return report


def first_differences(report: Report, limit: int) -> list[Difference]:
    """The first of each check and kind in turn, by the time their journal records were appended."""
    found: dict[tuple[str, str], list[Difference]] = {}
    for one in [one for part in report.partitions for one in part.differences] + report.foreign:
        found.setdefault((one.check, one.kind), []).append(one)
    for same in found.values():
        same.sort(key=lambda one: (one.cause.timestamp if one.cause else 0, one.partition, one.places, one.id))
    turns = [one for turn in zip_longest(*found.values()) for one in turn if one is not None]
    return sorted(turns[:limit], key=lambda one: (one.check, one.kind))


def _shortened(settings: Settings, admin: Admin, limits: Bounds, begin: dict[Place, Start]) -> Bounds:
    """The same without the beginning of the output topics, where nothing can lie that came since the copy: what is
    decided is appended after its journal record, and what the copy has was published before it was applied."""
    since = {place: one.position for place, one in begin.items()}
    moment = first_appended(settings, since, {place: limits.possible[place[1]] for place in since})
    applied = [one.applied for one in begin.values() if one.applied is not None]
    moments = [*([moment] if moment else []), *(datetime.fromtimestamp(at / 1000, UTC) for at in applied)]
    if not moments:
        return replace(limits, starts=dict(limits.ends))
    starts = admin.at(limits.ends, min(moments) - timedelta(milliseconds=SKEW_MS))
    return replace(limits, starts={place: min(start, limits.ends[place]) for place, start in starts.items()})


def _collected(
    settings: Settings, limits: Bounds, places: Sequence[Place], journal: int, folder: str, pool: Processes, say: Saying
) -> tuple[dict[Place, int], list[Difference]]:
    """Sort what the output topics hold, a task for each partition number."""
    spans = {place: (limits.starts[place], end) for place, end in limits.ends.items() if end > limits.starts[place]}
    wanted = frozenset(number for _, number in places)
    tasks = [
        Collecting(
            settings, {place: span for place, span in spans.items() if place[1] == number}, wanted, journal, folder,
            number,
        )
        for number in sorted({number for _, number in spans})
    ]  # fmt: skip
    whole = sum(end - first for first, end in spans.values())
    what = "reading outputs"
    say(what, (0, whole))
    first_ms: dict[Place, int] = {}
    foreign: list[Difference] = []
    for found in pool.over(collect, tasks, lambda done: say(what, (min(done, whole), whole))):
        first_ms |= found.first_ms
        foreign += found.foreign
    return first_ms, foreign


def _wanted(limits: Bounds | None, place: Place, folder: str, first_ms: dict[Place, int]) -> OutputsWanted | None:
    if limits is None:
        return None
    partition = place[1]
    return OutputsWanted(limits.certain[partition], limits.possible[partition], folder, limits.starts, first_ms)


def _outputs(task: Verifying, findings: Findings) -> OutputCheck | None:
    wanted = task.outputs
    if wanted is None:
        return None
    partition = task.place[1]
    retention = Retention(wanted.starts, wanted.first_ms)
    found = collected(wanted.folder, partition)
    earlier = Earlier(task.start.applied) if task.start.position else None
    return OutputCheck(task.settings, partition, wanted.certain, found, retention, findings, earlier)


def _length(task: Verifying) -> int:
    """About how many offsets will be folded."""
    return (task.end if task.states or task.outputs is None else task.outputs.possible) - task.start.position


def _with_causes(settings: Settings, place: Place, differences: Sequence[Difference], since: int) -> list[Difference]:
    """States with the last record of their entity."""
    wanted = {
        one.id: one.position for one in differences
        if one.check == STATES and one.id and one.position is not None and one.cause is None
    }  # fmt: skip
    causes = last_causes(settings, place, wanted, since) if wanted else {}
    return [
        replace(one, cause=causes.get(one.id)) if one.check == STATES and one.id in wanted else one
        for one in differences
    ]


__all__ = ["OUTPUTS", "STATES", "Report", "first_differences", "verify", "verify_partition"]

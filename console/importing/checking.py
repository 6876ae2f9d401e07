"""The first pass over the files: every row judged, the good ones sorted, the bad ones counted, told and set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec
import xxhash

from console.importing.judging import Judge
from console.importing.mapping import Columns, Envelopes, Event, Unfit
from console.importing.rows import Format, Row, Unreadable, read_rows
from console.importing.sorting import Sorter
from console.importing.times import Times
from offerflow.rules.nearest import did_you_mean
from schemas.dead_letter import DeadLetter
from schemas.step import Skip

EXAMPLES = 10
MOST_PROBLEMS = 500
ROW = "row"
"""The reason of rows that make no event at all; the others are those of dead letters."""


class Problem(NamedTuple):
    """A kind of bad row: what the rows of it share."""

    reason: str
    event: str
    field: str


@dataclass(slots=True)
class Found:
    """How many rows have a problem, where the first ones are (``file:line``), and what is wrong with the first."""

    message: str
    count: int = 0
    places: list[str] = field(default_factory=list)


@dataclass
class Checked:
    """What the files hold. ``dropped``: system events that are switched off for the source; they are not sent.
    ``digest`` changes with every event that is to be sent, and with their order in the files."""

    rows: int = 0
    good: int = 0
    dropped: int = 0
    problems: dict[Problem, Found] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    oldest: int | None = None
    newest: int | None = None
    digest: str = ""

    @property
    def bad(self) -> int:
        return sum(found.count for found in self.problems.values())


class File(NamedTuple):
    path: Path
    kind: Format


@dataclass(frozen=True)
class Reading:
    """How files become events. ``rejects`` takes the bad rows as JSON lines."""

    judge: Judge
    label: str
    columns: Columns
    times: Times
    delimiter: str = ","
    rejects: Callable[[], IO[bytes]] | None = None


def check(files: Sequence[File], reading: Reading, sorter: Sorter | None, progress: Callable[[int], None]) -> Checked:
    """Reads every file to its end. ``progress`` is told how many bytes were read. Raises Unreadable."""
    return _Check(files, reading, sorter).run(progress)


class _Check:
    def __init__(self, files: Sequence[File], reading: Reading, sorter: Sorter | None) -> None:
        self._files = files
        self._reading = reading
        self._judge = reading.judge
        self._sorter = sorter
        self._checked = Checked()
        self._digest = xxhash.xxh3_128()
        self._rejects: IO[bytes] | None = None

    def run(self, progress: Callable[[int], None]) -> Checked:
        reading, before = self._reading, 0
        for file in self._files:
            label = reading.label if len(self._files) == 1 else f"{reading.label}/{file.path.name}"
            envelopes = Envelopes(self._judge.plan, self._judge.source.id, label, reading.columns, reading.times)

            def told(read: int, before: int = before) -> None:
                progress(before + read)

            for row in read_rows(file.path, file.kind, delimiter=reading.delimiter, read=told):
                self._row(file, row, envelopes)
            if envelopes.missing:
                raise _no_columns(file.path, envelopes)
            before += file.path.stat().st_size
            progress(before)
        self._checked.digest = self._digest.hexdigest()
        return self._checked

    def _row(self, file: File, row: Row, envelopes: Envelopes) -> None:
        self._checked.rows += 1
        if row.problem:
            self._bad(file, row, Problem(ROW, "", ""), row.problem)
            return
        try:
            event = envelopes(row)
        except Unfit as error:
            self._bad(file, row, Problem(ROW, "", str(error).partition(":")[0]), str(error))
            return
        outcome = self._judge(event)
        if isinstance(outcome, DeadLetter):
            problem = Problem(outcome.reason, outcome.event or "", outcome.field or "")
            self._bad(file, row, problem, outcome.detail)
        elif isinstance(outcome, Skip):
            self._checked.dropped += 1
        else:
            self._good(event, outcome.event)

    def _good(self, event: Event, name: str) -> None:
        checked = self._checked
        checked.good += 1
        checked.events[name] += 1
        checked.oldest = event.time if checked.oldest is None else min(checked.oldest, event.time)
        checked.newest = event.time if checked.newest is None else max(checked.newest, event.time)
        self._digest.update(event.value)
        if self._sorter is not None:
            self._sorter.add(event.time, event.key, event.value, event.line)

    def _bad(self, file: File, row: Row, problem: Problem, message: str) -> None:
        problems = self._checked.problems
        if problem not in problems and len(problems) >= MOST_PROBLEMS:
            problem = Problem(problem.reason, "", "")
        found = problems.setdefault(problem, Found(message))
        found.count += 1
        if len(found.places) < EXAMPLES:
            found.places.append(f"{file.path.name}:{row.line}")
        if self._reading.rejects is not None:
            if self._rejects is None:
                self._rejects = self._reading.rejects()
            self._rejects.write(_rejected(file, row, problem, message))


def _rejected(file: File, row: Row, problem: Problem, message: str) -> bytes:
    told: dict[str, Any] = {
        "file": file.path.name,
        "line": row.line,
        "reason": problem.reason,
        "message": message,
        "row": row.fields,
    }
    if row.text:
        told["text"] = True
    if row.raw:
        told["raw"] = row.raw
    return msgspec.json.encode(told, enc_hook=str) + b"\n"


def _no_columns(path: Path, envelopes: Envelopes) -> Unreadable:
    seen: set[str] = envelopes.seen
    told = [f"{column!r}{did_you_mean(column, sorted(seen))}" for column in sorted(envelopes.missing)]
    has = f"; there are {', '.join(sorted(seen)[:40])}" if seen else ""
    return Unreadable(f"{path}: no row has the column {', '.join(told)}{has}")


def told_problems(checked: Checked) -> list[dict[str, Any]]:
    """The problems, the most frequent first, as reports have them."""
    ordered = sorted(checked.problems.items(), key=lambda item: (-item[1].count, item[0]))
    return [
        {"count": found.count, **problem._asdict(), "message": found.message, "lines": found.places}
        for problem, found in ordered
    ]

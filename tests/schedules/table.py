"""How many of so many schedules go wrong with each guard switched off, counted on every core."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

from tests.schedules.mutations import MUTATIONS, Mutation
from tests.schedules.schedule import run

CHUNK = 10


@dataclass
class Row:
    """``kinds``: what went wrong how often. ``seeds``: the first that did."""

    name: str
    runs: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    seeds: list[int] = field(default_factory=list)
    decisions: int = 0
    records: int = 0
    faults: int = 0

    @property
    def bad(self) -> int:
        return sum(self.kinds.values())

    def add(self, other: Row) -> None:
        self.runs += other.runs
        self.kinds.update(other.kinds)
        self.seeds = sorted([*self.seeds, *other.seeds])[:5]
        self.decisions += other.decisions
        self.records += other.records
        self.faults += other.faults

    def brief(self) -> dict[str, object]:
        return {
            "name": self.name, "runs": self.runs, "bad": self.bad, "kinds": dict(self.kinds.most_common()),
            "seeds": self.seeds, "decisions": self.decisions, "journal_records": self.records, "faults": self.faults,
        }  # fmt: skip


def chosen(part: str) -> list[Mutation]:
    """Those whose name is ``part``, else those whose name has it."""
    return [one for one in MUTATIONS if one.name == part] or [one for one in MUTATIONS if part in one.name]


def count(
    mutations: Sequence[Mutation], seeds: Sequence[int], processes: int, seconds: float, progress: Callable[[int], None]
) -> list[Row]:
    """A row for each mutation; ``progress`` is told how many schedules were run since. Nothing new is begun once so
    many ``seconds`` are over: then all rows have got about as far."""
    rows = {one.name: Row(one.name) for one in mutations}
    deadline = time.monotonic() + seconds
    with ProcessPoolExecutor(processes) as pool:
        running = [
            pool.submit(_counted, one.name, list(seeds[at : at + CHUNK]))
            for at in range(0, len(seeds), CHUNK)
            for one in mutations
        ]
        for done in as_completed(running):
            row = done.result()
            rows[row.name].add(row)
            progress(row.runs)
            if time.monotonic() > deadline:
                pool.shutdown(wait=False, cancel_futures=True)
                break
    return list(rows.values())


def _counted(name: str, seeds: Iterable[int]) -> Row:
    [mutation] = [one for one in MUTATIONS if one.name == name]
    row = Row(name)
    for seed in seeds:
        result = run(seed, mutation.scene, mutation.patch)
        row.runs += 1
        row.decisions += result.decisions
        row.records += result.records
        row.faults += len(result.injected)
        if result.bad:
            row.kinds[result.kind] += 1
            row.seeds.append(seed)
    return row


def markdown(rows: Iterable[Row]) -> str:
    """The table as documents have it."""
    lines = ["| left out | bad schedules | of | what goes wrong |", "|---|---:|---:|---|"]
    for row in rows:
        kinds = Counter(kind for found, number in row.kinds.items() for kind in found.split("+") for _ in range(number))
        what = ", ".join(f"{kind.lower()} {number:,}" for kind, number in kinds.most_common(4))
        bad = f"{row.bad:,}" if row.bad else "**0**"
        lines.append(f"| {row.name} | {bad} | {row.runs:,} | {what} |")
    return "\n".join(lines)

"""What a run came to: faults with their times, and what the judge found wrong, by kind of fault."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

COLUMNS = ("missing", "duplicated", "wrong outputs", "wrong states")
AFTER_S = 1.0


@dataclass
class Fault:
    """One fault. ``began`` and ``over`` are wall seconds, ``over`` being when everything flowed again; ``stall`` is the
    longest that any partition stood still in between."""

    kind: str
    began: float
    told: str = ""
    over: float = 0.0
    stall: float = 0.0


@dataclass(frozen=True)
class Anomaly:
    """``column``: one of COLUMNS. ``at``: append time (ms) of the record in question, None if there is none."""

    column: str
    text: str
    at: int | None = None


@dataclass
class Row:
    injected: int = 0
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0))
    stall: float = 0.0


@dataclass
class Result:
    """``problems``: what went wrong besides, such as a stage that stood still for good, or was not refused."""

    faults: list[Fault] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    totals: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Result:
        """The run of a document, without its verdict."""
        totals = {name: document["totals"][name] for name in ("seconds", "sent", "webhooks")}
        return cls([Fault(**one) for one in document["faults"]], [], list(document["problems"]), totals)

    @property
    def good(self) -> bool:
        return not self.anomalies and not self.problems

    def rows(self) -> dict[str, Row]:
        """By kind. An anomaly counts for every fault that was not over when its record was written."""
        rows: dict[str, Row] = {}
        for fault in self.faults:
            row = rows.setdefault(fault.kind, Row())
            row.injected += 1
            row.stall = max(row.stall, fault.stall)
        for one in self.anomalies:
            for kind in {fault.kind for fault in self._around(one)}:
                rows[kind].found[one.column] += 1
        return dict(sorted(rows.items()))

    def total(self) -> Row:
        row = Row(len(self.faults), stall=max((fault.stall for fault in self.faults), default=0.0))
        for one in self.anomalies:
            row.found[one.column] += 1
        return row

    def _around(self, one: Anomaly) -> Iterable[Fault]:
        if one.at is None:
            return []
        at = one.at / 1000
        return [fault for fault in self.faults if fault.began - AFTER_S <= at <= fault.over + AFTER_S]

    def lines(self, most: int = 20) -> list[str]:
        """What is wrong, in words: the first of it."""
        found = [f"{one.column}: {one.text}" for one in self.anomalies]
        more = [f"… and {len(found) - most} more"] if len(found) > most else []
        return [*self.problems, *found[:most], *more]

    def document(self) -> dict[str, Any]:
        def shown(row: Row) -> dict[str, Any]:
            found = {name.replace(" ", "_"): number for name, number in row.found.items()}
            return {"injected": row.injected, **found, "longest_stall_s": round(row.stall, 1)}

        return {
            "good": self.good,
            "totals": self.totals,
            "all": shown(self.total()),
            "kinds": {kind: shown(row) for kind, row in self.rows().items()},
            "problems": self.problems,
            "anomalies": [asdict(one) for one in self.anomalies[:200]],
            "faults": [asdict(one) for one in self.faults],
        }

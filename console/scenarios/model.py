"""A scenario as it was read: steps in order, each with what is expected of it. Times are milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from console.scenarios.times import Calendar
from console.workspace.documents import Document
from console.workspace.problems import Path

Kind = Literal[
    "entered", "completed", "exited", "satisfied", "fulfilled", "reversed", "refused", "ignored", "dead_letter",
    "progress", "status",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expected:
    """One thing that is to happen, or to be so. ``name``: of an offer, of a reward, or what kind of refusal a record
    meets; ``wants``: what else must be true of it, by name; ``path`` leads to it inside its document."""

    kind: Kind
    name: str
    wants: Mapping[str, Any]
    path: Path


@dataclass(frozen=True, slots=True)
class Who:
    """As the scenario calls them; at least one is there."""

    user: str | None
    anonymous: str | None

    @property
    def name(self) -> str:
        return self.user or f"{self.anonymous} (anonymous)"


@dataclass(frozen=True, slots=True)
class Send:
    """An event, or several. ``times_at``: (event time, time of arrival) of each."""

    event: str
    properties: Mapping[str, Any]
    who: Who
    source: str | None
    event_id: str | None
    times_at: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request. ``reward`` is the id of a reward, which stands for the last one of the user."""

    kind: Literal["enter", "code", "fulfil", "reverse"]
    name: str
    who: Who
    at: int
    key: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes until then."""

    until: int
    who: Who


Action = Send | Ask | Wait


@dataclass(frozen=True, slots=True)
class Step:
    """``expected`` is None where the step says nothing, empty where it says ``nothing``."""

    action: Action
    expected: tuple[Expected, ...] | None
    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """``offers``: those that are accounted for besides the ones that expectations name, or all of them
    (``every_offer``). ``defaults`` by event name are in the steps already."""

    name: str
    document: Document
    steps: tuple[Step, ...]
    calendar: Calendar
    arms: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    offers: tuple[str, ...] = ()
    every_offer: bool = False
    allow_other: bool = False

    @property
    def place(self) -> str:
        """``tests/upgrade.yaml:12``."""
        return self.at(())

    def at(self, path: Path) -> str:
        return f"{self.document.file}:{self.document.line(path)}"

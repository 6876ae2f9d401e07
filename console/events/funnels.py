"""Who went from one event to the next: a fold over events of all people, one after the other, each in time order.

Somebody reached a step who had all events up to it in their order, the last at most ``within`` after the first. Any
attempt counts, not only the first one: of attempts that are under way the one that began last has most time left, so it
is enough to remember that one for each step. No event counts for two steps.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from statistics import median
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, func, literal, or_, select
from sqlalchemy.sql.elements import ColumnElement

from offerflow.runtime.store.events import events, segments_since
from offerflow.runtime.store.transactions import READING

GROUPS = ("source", "origin")
AHEAD_MS = 5 * 60 * 1000
"""How far an event's own time may be behind its arrival's, at most: what is later is a dead letter."""
_AT_ONCE = 5000


class Happening(NamedTuple):
    """An event of somebody; ``person`` joins what they did before and after they were known."""

    person: str
    event: str
    time: int
    event_id: str
    group: str | None


class Reached(NamedTuple):
    """One step: how many people reached it, and the median of milliseconds since the step before (None: nobody did, or
    it is the first)."""

    people: int
    median_ms: float | None


@dataclass(slots=True)
class _Group:
    people: list[int]
    spans: list[array[int]]


@dataclass(slots=True)
class Funnel:
    """``steps``: of each the names of its event. ``within`` in milliseconds."""

    steps: Sequence[frozenset[str]]
    within: int
    _groups: dict[str | None, _Group] = field(default_factory=dict)

    def fold(self, happenings: Iterable[Happening]) -> None:
        """Those of one person together, in the order of their times."""
        for _, mine in groupby(happenings, key=lambda one: one.person):
            self._person(mine)

    def result(self) -> dict[str | None, list[Reached]]:
        """By group, in their order; without groups there is one, None."""
        return {
            group: [
                Reached(people, median(spans) if spans else None)
                for people, spans in zip(found.people, found.spans, strict=True)
            ]
            for group, found in sorted(self._groups.items(), key=lambda item: item[0] or "")
        }

    def _person(self, mine: Iterable[Happening]) -> None:
        under_way: list[tuple[int, ...] | None] = [None] * len(self.steps)
        reached: list[tuple[int, ...]] = []
        first: dict[int, str | None] = {}
        seen: set[str] = set()
        for one in mine:
            if one.event_id in seen:
                continue
            seen.add(one.event_id)
            for at in range(len(self.steps) - 1, -1, -1):
                if one.event not in self.steps[at]:
                    continue
                before = under_way[at - 1] if at else ()
                if before is None or (before and one.time - before[0] > self.within):
                    continue
                times = (*before, one.time)
                first.setdefault(times[0], one.group)
                known = under_way[at]
                if known is None or times[0] >= known[0]:
                    under_way[at] = times
                if len(reached) == at:
                    reached.append(times)
        if reached:
            self._count(reached, first[reached[-1][0]])

    def _count(self, reached: list[tuple[int, ...]], group: str | None) -> None:
        number = len(self.steps)
        mine = self._groups.setdefault(group, _Group([0] * number, [array("q") for _ in range(number)]))
        for at, times in enumerate(reached):
            mine.people[at] += 1
            if at:
                mine.spans[at].append(times[at] - times[at - 1])


def happenings(
    connection: Connection, names: Iterable[str], since_ms: int | None, until_ms: int | None, by: str | None
) -> Iterator[Happening]:  # fmt: skip
    """The events of these names in the index, person by person. An anonymous id that came with one user id, and with no
    other, is that user's."""
    question = _question(sorted(names), since_ms, until_ms, by)
    rows = connection.execution_options(**{READING: True, "yield_per": _AT_ONCE}).execute(question)
    for person, event, time, event_id, group in rows:
        yield Happening(person, event, time, event_id, group)


def _question(names: list[str], since_ms: int | None, until_ms: int | None, by: str | None) -> Select[Any]:
    columns = events.c
    chosen: list[ColumnElement[bool]] = [
        columns.event.in_(names), columns.dead == 0,
        or_(columns.user_id.is_not(None), columns.anonymous_id.is_not(None)),
    ]  # fmt: skip
    if since_ms is not None:
        chosen += [columns.time >= since_ms, columns.received_at >= since_ms - AHEAD_MS]
    if until_ms is not None:
        chosen.append(columns.time <= until_ms)
    strangers = select(columns.anonymous_id).where(*chosen, columns.user_id.is_(None))
    links = (
        select(columns.anonymous_id.label("anonymous_id"), func.min(columns.user_id).label("user_id"))
        .where(
            columns.dead == 0,
            columns.user_id.is_not(None),
            columns.anonymous_id.in_(strangers),
            columns.segment.in_(segments_since()),
        )
        .group_by(columns.anonymous_id)
        .having(func.min(columns.user_id) == func.max(columns.user_id))
        .subquery()
    )
    person = func.coalesce(
        literal("u:") + columns.user_id, literal("u:") + links.c.user_id, literal("a:") + columns.anonymous_id
    )
    group = literal(None) if by is None else columns[by]
    joined = events.outerjoin(links, and_(columns.user_id.is_(None), columns.anonymous_id == links.c.anonymous_id))
    return (
        select(person.label("person"), columns.event, columns.time, columns.event_id, group)
        .select_from(joined)
        .where(*chosen)
        .order_by(person, columns.time, columns.received_at, columns.partition, columns["offset"])
    )

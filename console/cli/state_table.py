"""The tables of ``offerflow state``: a line for each partition, and what is to be said of them once for all alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from console.cli.tables import print_fitting, wrapped
from console.state.adopting import Adoption
from console.state.alike import alike, named
from console.state.rebuilding import Task
from console.state.standing import RULES, Stage, Standing


def print_standings(stage: Stage) -> None:
    """Where partitions stand, then each reason of those that are refused."""
    rows = [
        [one.where, one.start, _offset(one), one.end, None if one.meta is None else one.meta.next, one.claim]
        for one in stage.standings
    ]
    # What a claim would do is what one looks for: it goes below before any of it is cut.
    print_fitting(["partition", "start", "committed", "end", "redis", "a claim would"], rows, prose=True)
    for same in alike(stage.refused, lambda one: one, lambda one: str(one.refusal)):
        click.echo()
        _say_which(same)
        _say(f"{same[0].refusal}", "  ")


def print_adoptions(stage: str, adoptions: Sequence[Adoption]) -> None:
    """From what to what numbers go, then what each kind of adoption is about and takes for granted."""
    rows = [
        [one.standing.where, one.standing.refusal and one.standing.refusal.reason,
         _from_to(_offset(one.standing), one.position),
         _from_to(_folded(one.standing), "dropped" if one.drop else one.meta.get("next")) if stage == RULES else None]
        for one in adoptions
    ]  # fmt: skip
    print_fitting(["partition", "refused for", "committed", "redis"], rows, below=2)
    for same in alike(adoptions, lambda one: one.standing, lambda one: "\n".join(_lines(one))):
        click.echo()
        _say_which([one.standing for one in same])
        for line in _lines(same[0]):
            _say(line, "  ")


def print_tasks(tasks: Sequence[Task]) -> None:
    """From where to where partitions are folded."""
    rows = [[one.standing.where, one.start, one.to, "drop and fold" if one.anew else "fold on"] for one in tasks]
    print_fitting(["partition", "from", "to", "do"], rows)


def _lines(one: Adoption) -> list[str]:
    """What is wrong, what changes besides the numbers of the table, and what that takes for granted."""
    refusal, group = one.standing.refusal, one.standing.identity["group"]
    assert refusal is not None  # noqa: S101 - else there were nothing to adopt
    lines = [refusal.what]
    if one.drop:
        lines.append("Redis: drop what is there")
    for name, value in one.meta.items():
        before = getattr(one.standing.meta, name)
        lines.append(f"Redis: {name} {'(none)' if before is None else before} -> {value}")
    if one.position is not None:
        lines.append(f"Kafka: commit {one.position} for group {group}, found {_offset(one.standing)}")
    return [*lines, *(f"This takes for granted: {means}." for means in one.means)]


def _say_which(same: Sequence[Standing]) -> None:
    first = same[0]
    several = f"; the numbers are those of {first.where}, the others' are in the table" if len(same) > 1 else ""
    reason = first.refusal.reason if first.refusal is not None else ""
    _say(f"{named(same)}: {reason}{several}")


def _say(text: str, indent: str = "") -> None:
    for line in wrapped(text, len(indent)):
        click.echo(indent + line)


def _offset(one: Standing) -> Any:
    return one.committed.offset if one.committed is not None else "none"


def _folded(one: Standing) -> Any:
    return one.meta.next if one.meta is not None else None


def _from_to(before: Any, after: Any) -> Any:
    return before if after is None or after == before else f"{before} -> {after}"

"""Partitions of which the same is to be said but for their names and numbers, which a table has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import TypeVar

from console.state.standing import Standing

T = TypeVar("T")


def alike(found: Iterable[T], standing: Callable[[T], Standing], said: Callable[[T], str]) -> list[list[T]]:
    """Those of which the same is ``said``, together, in the order of the first of each."""
    together: dict[tuple[str, str], list[T]] = {}
    for one in found:
        at = standing(one)
        reason = at.refusal.reason if at.refusal is not None else ""
        together.setdefault((reason, _without_numbers(said(one), at)), []).append(one)
    return list(together.values())


def named(standings: Iterable[Standing]) -> str:
    """``offerflow.journal/0 to 5, 7``: partitions in order, by their topics."""
    return ", ".join(
        f"{topic}/{', '.join(_runs(one.place[1] for one in of_topic))}"
        for topic, of_topic in groupby(standings, lambda one: one.place[0])
    )


def _without_numbers(text: str, standing: Standing) -> str:
    named = text.replace(standing.where, "").replace(standing.place[0], "").replace(standing.topic.id, "")
    return re.sub(r"\d+", "0", named)


def _runs(numbers: Iterable[int]) -> list[str]:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [part for run in runs for part in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))]

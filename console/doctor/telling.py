"""What was found, for people in lines and for programs as JSON."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from console.doctor.finding import VERDICTS, Finding, Verdict

_COLOURS: dict[Verdict, str] = {"ok": "green", "unknown": "cyan", "warn": "yellow", "bad": "red"}
_INDENT = " " * 11
Line = tuple[str, str, str | None]
"""What a line begins with, the rest of it, and the colour of the beginning: that of its verdict, where it is one."""


def counts(found: Sequence[Finding]) -> dict[Verdict, int]:
    number = Counter(one.verdict for one in found)
    return {verdict: number[verdict] for verdict in VERDICTS}


def as_json(found: Sequence[Finding]) -> dict[str, Any]:
    return {"counts": counts(found), "checks": [asdict(one) for one in found]}


def summary(found: Sequence[Finding]) -> str:
    """``44 checks: 42 ok, 1 warn, 1 bad``."""
    number = counts(found)
    told = ", ".join(f"{number[verdict]} {verdict}" for verdict in VERDICTS if number[verdict])
    return f"{len(found)} checks: {told}"


def lines(found: Sequence[Finding], *, whole: bool, width: int | None) -> Iterator[Line]:
    """By area; without ``whole`` only what is not ok. ``width``: columns to wrap at, None for no wrapping."""
    shown = [one for one in found if whole or one.verdict != "ok"]
    column = max((len(one.id) for one in shown if one.verdict == "ok"), default=0)
    for area, of_area in _by_area(shown):
        yield "", area, None
        for verdict, why, same in _alike(of_area):
            first, names = same[0], ", ".join(one.id for one in same)
            begin = f"  {verdict:<7}  "
            if verdict == "ok":
                yield from _wrapped(begin, f"{names:<{column}}  {why}", width, _COLOURS[verdict], column + 2)
                continue
            yield from _wrapped(begin, names, width, _COLOURS[verdict])
            expected = f"expected: {first.expected}" if verdict != "unknown" else ""
            for text in filter(None, (why, expected, f"to do: {first.do}" if first.do else "")):
                yield from _wrapped(_INDENT, text, width)
        yield "", "", None


def _by_area(found: Iterable[Finding]) -> Iterator[tuple[str, list[Finding]]]:
    areas: dict[str, list[Finding]] = {}
    for one in found:
        areas.setdefault(one.area, []).append(one)
    yield from areas.items()


def _alike(found: Iterable[Finding]) -> Iterator[tuple[Verdict, str, list[Finding]]]:
    """Checks that could not be made for one and the same reason are told together."""
    for (verdict, why, _), same in groupby(
        found, key=lambda one: (one.verdict, one.found, "" if one.verdict == "unknown" else one.id)
    ):
        yield verdict, why, list(same)


def _wrapped(begin: str, text: str, width: int | None, colour: str | None = None, deeper: int = 0) -> Iterator[Line]:
    """``deeper``: columns by which the lines that follow are indented more."""
    if width is None:
        yield begin, text, colour
        return
    room = max(40, width - len(_INDENT))
    first, *rest = textwrap.wrap(
        text, room, subsequent_indent=" " * deeper, break_on_hyphens=False, break_long_words=False
    )
    yield begin, first, colour
    for line in rest:
        yield _INDENT, line, None

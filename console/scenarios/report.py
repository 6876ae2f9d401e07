"""The results of scenarios for people: what failed, where, expected and got side by side, and what is missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from console.cli.tables import visible
from console.explained.text import offer_lines
from console.scenarios.running import Failure, Result

NOTHING = "nothing"
WIDTH = 160
"""Columns where there is no terminal: a log of continuous integration."""


def summary(results: Sequence[Result], seconds: float) -> str:
    """``3 passed, 1 failed in 0.12 s``."""
    failed = sum(not result.passed for result in results)
    parts = [f"{len(results) - failed} passed"] + ([f"{failed} failed"] if failed else [])
    return f"{', '.join(parts)} in {seconds:.2f} s"


def show(results: Sequence[Result], *, verbose: bool) -> None:
    """On stdout: the scenarios that failed, with ``verbose`` those that passed too."""
    console = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    for result in results:
        if result.passed and not verbose:
            continue
        verdict = Text("ok   ", "green") if result.passed else Text("FAIL ", "bold red")
        console.print(verdict + Text(visible(result.scenario.name), "bold") + Text(f"  {result.scenario.place}", "dim"))
        for failure in result.failures:
            for part in _failure(result, failure):
                console.print(part)
            console.print()


def _failure(result: Result, failure: Failure) -> Iterator[RenderableType]:
    yield Text(visible(f"  {failure.place}: {failure.step.text}"))
    if failure.misses:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), header_style="dim")
        table.add_column("  line", style="dim")
        table.add_column("expected", overflow="fold")
        table.add_column("got", overflow="fold")
        for miss in failure.misses:
            expected = Text(visible(miss.wanted or NOTHING), "green")
            table.add_row(f"  {failure.line(miss)}", expected, Text(visible(miss.got or NOTHING), "red"))
        yield table
    if failure.hint:
        yield Text(f"    {visible(failure.hint)}", "yellow")
    for explained in failure.explained:
        for line in offer_lines(explained, failure.step.action.who.name, result.scenario.calendar.text):
            yield Text(f"    {line}", "dim")


def as_json(result: Result) -> dict[str, Any]:
    """For ``--output json``."""
    document = result.scenario.document
    return {
        "name": result.scenario.name,
        "file": document.file,
        "line": document.line(()),
        "passed": result.passed,
        "seconds": round(result.seconds, 6),
        "failures": [_failure_json(failure) for failure in result.failures],
    }


def _failure_json(failure: Failure) -> dict[str, Any]:
    return {
        "file": failure.scenario.document.file,
        "line": failure.line(failure.misses[0]) if failure.misses else failure.scenario.document.line(failure.path),
        "step": failure.step.text,
        "differences": [
            {"line": failure.line(miss), "expected": miss.wanted or None, "got": miss.got or None}
            for miss in failure.misses
        ],
        "hint": failure.hint or None,
        "explained": list(failure.explained),
    }

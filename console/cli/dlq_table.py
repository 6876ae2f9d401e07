"""Tables of what senders chose: as wide as the terminal, and harmless to it."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence

import click
from rich.cells import cell_len, set_cell_size

_INDENT = 4
_LEAST = 24
"""Columns that the last cell of a row should have before others give way to it."""


def visible(text: str) -> str:
    """On one line, with what a terminal would take for a command written out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else c.encode("unicode_escape").decode() for c in text)


def print_fitting(
    columns: Sequence[str], rows: Sequence[Sequence[object]], droppable: Sequence[str] = (), flexible: int = 1,
    *, prose: bool = False,
) -> None:  # fmt: skip
    """Columns without content are left out. On a terminal that is too narrow ``droppable`` ones go, the first first,
    then the ``flexible`` last ones are cut; where there is no terminal nothing is. ``prose``: the last column is text
    to be read, which goes whole on lines of its own before anything goes."""
    if not rows:
        return
    cells = [["" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    shown = [at for at in range(len(columns)) if any(row[at] for row in cells)]
    widths = {at: max(cell_len(columns[at]), *(cell_len(row[at]) for row in cells)) for at in shown}
    told: int | None = None
    width = shutil.get_terminal_size().columns
    if sys.stdout.isatty():
        if prose and len(columns) - 1 in shown and sum(widths[at] + 2 for at in shown) - 2 > width:
            told = shown.pop()
        for name in droppable:
            if _needed(shown, widths) > width and columns.index(name) in shown:
                shown.remove(columns.index(name))
        for at in shown[-flexible:]:
            over = sum(widths[at] + 2 for at in shown) - 2 - width
            widths[at] = max(min(widths[at], cell_len(columns[at]), 8), widths[at] - max(0, over))
    right = {at for at in shown if isinstance(rows[0][at], int)}
    for place, line in enumerate(([*columns], *cells)):
        parts = []
        for at in shown:
            text = line[at] if cell_len(line[at]) <= widths[at] else set_cell_size(line[at], widths[at] - 1) + "…"
            parts.append(" " * (widths[at] - cell_len(text)) + text if at in right else set_cell_size(text, widths[at]))
        joined = "  ".join(parts).rstrip()
        click.echo(joined if place else click.style(joined, bold=True))
        if told is not None and place:
            indent = " " * _INDENT
            for part in textwrap.wrap(line[told], width, initial_indent=indent, subsequent_indent=indent):
                click.echo(part)


def _needed(shown: Sequence[int], widths: dict[int, int]) -> int:
    """The width with the last column cut to what it should have."""
    return sum(widths[at] + 2 for at in shown[:-1]) + min(_LEAST, widths[shown[-1]])

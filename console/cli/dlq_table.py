"""Tables of what senders chose: as wide as the terminal, and harmless to it."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

import click
from rich.cells import cell_len, set_cell_size

_INDENT = 4
_LEAST = 24
"""Columns that the last cell of a row should have before others give way to it."""


def visible(text: str) -> str:
    """On one line, with what a terminal would take for a command written out, and white space but blanks: texts that
    differ in these do not look alike."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_fitting(
    columns: Sequence[str], rows: Sequence[Sequence[object]], droppable: Sequence[str] = (), flexible: int = 1,
    *, prose: bool = False, below: int = 0,
) -> None:  # fmt: skip
    """Columns without content are left out. On a terminal that is too narrow ``droppable`` ones go, the first first,
    then the ``flexible`` last ones are cut; where there is no terminal nothing is. Before anything goes, the ``below``
    last columns move to a second line of each row; ``prose``: the last one, text to be read, is wrapped there."""
    if not rows:
        return
    cells = [["" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    shown = [at for at in range(len(columns)) if any(row[at] for row in cells)]
    widths = {at: max(cell_len(columns[at]), *(cell_len(row[at]) for row in cells)) for at in shown}
    second: list[int] = []
    width = shutil.get_terminal_size().columns
    if sys.stdout.isatty():
        if _whole(shown, widths) > width:
            second = [at for at in shown if at >= len(columns) - (below or prose)]
            shown = [at for at in shown if at not in second]
        for name in droppable:
            if _needed(shown, widths) > width and columns.index(name) in shown:
                shown.remove(columns.index(name))
        for at in shown[-flexible:]:
            over = _whole(shown, widths) - width
            widths[at] = max(min(widths[at], cell_len(columns[at]), 8), widths[at] - max(0, over))
    right = {at for at in shown if isinstance(rows[0][at], int)}
    indent = " " * _INDENT
    for place, line in enumerate(([*columns], *cells)):
        joined = _joined(line, shown, widths, right)
        click.echo(joined if place else click.style(joined, bold=True))
        if second and prose and place:
            for part in textwrap.wrap(line[second[0]], width, initial_indent=indent, subsequent_indent=indent):
                click.echo(part)
        elif second and not prose:
            more = indent + _joined(line, second, widths, right)
            click.echo(more if place else click.style(more, bold=True))


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """A name and a value a line. Values are never wrapped: they are there to be copied."""
    told = [(name, "" if value is None else visible(str(value))) for name, value in facts]
    width = max((cell_len(name) for name, _ in told), default=0)
    for name, value in told:
        click.echo(f"{set_cell_size(name, width)}  {value}".rstrip())


def _joined(line: Sequence[str], shown: Sequence[int], widths: dict[int, int], right: set[int]) -> str:
    parts = []
    for at in shown:
        text = line[at] if cell_len(line[at]) <= widths[at] else set_cell_size(line[at], widths[at] - 1) + "…"
        parts.append(" " * (widths[at] - cell_len(text)) + text if at in right else set_cell_size(text, widths[at]))
    return "  ".join(parts).rstrip()


def _whole(shown: Sequence[int], widths: dict[int, int]) -> int:
    return sum(widths[at] + 2 for at in shown) - 2


def _needed(shown: Sequence[int], widths: dict[int, int]) -> int:
    """The width with the last column cut to what it should have."""
    return sum(widths[at] + 2 for at in shown[:-1]) + min(_LEAST, widths[shown[-1]])

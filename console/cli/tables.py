"""Tables, facts and prose on stdout: as wide as the terminal, and harmless to it whatever senders chose.

A table is its lines: columns two blanks apart, numbers to the right, no blanks at the end. Where there is no terminal
nothing is cut or wrapped.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

import click
from rich.cells import cell_len, chop_cells, set_cell_size

_INDENT = 4
_LEAST = 24
"""Columns that the last cell of a row should have before others give way to it."""
_NARROWEST = 8
"""Columns below which none is made narrower."""


def visible(text: str) -> str:
    """On one line, with what a terminal would take for a command written out, and white space but blanks: texts that
    differ in these do not look alike."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def print_fitting(
    columns: Sequence[str], rows: Sequence[Sequence[object]], droppable: Sequence[str] = (),
    *, prose: bool = False, below: int = 0,
) -> None:  # fmt: skip
    """Columns without content are left out. On a terminal that is too narrow ``droppable`` ones go, the first first,
    then the last one is cut; where there is no terminal nothing is. Before anything goes, the ``below``
    last columns move to a second line of each row, and then more of them rather than that any is cut; ``prose``: the
    last one, text to be read, is wrapped there."""
    if not rows:
        return
    cells, shown, widths = _measured(columns, rows)
    second: list[int] = []
    width = terminal_width()
    if width is not None:
        if _whole(shown, widths) > width:
            second = [at for at in shown if at >= len(columns) - (below or prose)]
            shown = [at for at in shown if at not in second]
        needed = _whole if below else _needed
        for name in droppable:
            if needed(shown, widths) > width and columns.index(name) in shown:
                shown.remove(columns.index(name))
        while below and len(shown) > 1 and _whole(shown, widths) > width:
            second.insert(0, shown.pop())
        if not below:
            at, over = shown[-1], _whole(shown, widths) - width
            widths[at] = max(min(widths[at], cell_len(columns[at]), _NARROWEST), widths[at] - max(0, over))
    right = _numbers(rows)
    for place, line in enumerate(([*columns], *cells)):
        joined = _joined(line, shown, widths, right)
        click.echo(joined if place else click.style(joined, bold=True))
        for more in _below(columns, line, second, widths, right, prose=prose):
            click.echo(more if place else click.style(more, bold=True))


def print_folding(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns without content are left out. On a terminal that is too narrow the widest cells go on below, within
    their columns: nothing is cut."""
    if not rows:
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells, shown, widths = _measured(columns, rows)
    right = _numbers(rows)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for at in shown:
        table.add_column(Text(columns[at]), overflow="fold", justify="right" if at in right else "left")
    for row in cells:
        table.add_row(*(Text(row[at]) for at in shown))
    console = Console(width=terminal_width() or _whole(shown, widths) + 2, force_terminal=False)
    with console.capture() as captured:
        console.print(table)
    for place, line in enumerate(captured.get().splitlines()):
        click.echo(line.rstrip() if place else click.style(line.rstrip(), bold=True))


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """A name and a value a line. Values are never wrapped: they are there to be copied."""
    told = [(name, "" if value is None else visible(str(value))) for name, value in facts]
    width = max((cell_len(name) for name, _ in told), default=0)
    for name, value in told:
        click.echo(f"{set_cell_size(name, width)}  {value}".rstrip())


def terminal_width() -> int | None:
    """Columns of the terminal that stdout is, None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(text: str, indent: int) -> list[str]:
    """A text to be read, in lines that fit behind ``indent`` columns of the terminal; one line where there is none."""
    width = terminal_width()
    return [text] if width is None else _parts(text, max(_LEAST, width - indent))


def _parts(text: str, width: int) -> list[str]:
    """Wrapped at blanks where there are any. Never empty."""
    if cell_len(text) <= width:
        return [text]
    lines = textwrap.wrap(text, width, break_on_hyphens=False)
    return [part for line in lines for part in chop_cells(line, width)]


def _measured(
    columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> tuple[list[list[str]], list[int], dict[int, int]]:
    """The cells as text, the columns that have any, and how wide they are."""
    cells = [["" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    shown = [at for at in range(len(columns)) if any(row[at] for row in cells)]
    return cells, shown, {at: max(cell_len(columns[at]), *(cell_len(row[at]) for row in cells)) for at in shown}


def _numbers(rows: Sequence[Sequence[object]]) -> set[int]:
    """Columns of numbers, some of which may be missing."""
    given = [[cell for cell in column if cell not in (None, "")] for column in zip(*rows, strict=True)]
    return {at for at, cells in enumerate(given) if cells and all(type(cell) is int for cell in cells)}


def _joined(line: Sequence[str], shown: Sequence[int], widths: dict[int, int], right: set[int]) -> str:
    parts = []
    for at in shown:
        text = line[at] if cell_len(line[at]) <= widths[at] else set_cell_size(line[at], widths[at] - 1) + "…"
        parts.append(" " * (widths[at] - cell_len(text)) + text if at in right else set_cell_size(text, widths[at]))
    return "  ".join(parts).rstrip()


def _whole(shown: Sequence[int], widths: dict[int, int]) -> int:
    return sum(widths[at] + 2 for at in shown) - 2


def _below(
    columns: Sequence[str], line: Sequence[str], second: Sequence[int], widths: dict[int, int], right: set[int],
    *, prose: bool,
) -> list[str]:  # fmt: skip
    """The second line of a row; a line with its name for each cell where they do not fit on one. None without any."""
    indent, header = " " * _INDENT, line == [*columns]
    if not any(line[at] for at in second) or (prose and header):
        return []
    if prose:
        return [indent + part for part in wrapped(line[second[0]], _INDENT)]
    if _INDENT + _whole(second, widths) <= (terminal_width() or 0):
        return [indent + _joined(line, second, widths, right)]
    named = [] if header else [f"{columns[at]}: {line[at]}" for at in second if line[at]]
    return [indent + part for text in named for part in wrapped(text, _INDENT)]


def _needed(shown: Sequence[int], widths: dict[int, int]) -> int:
    """The width with the last column cut to what it should have."""
    return sum(widths[at] + 2 for at in shown[:-1]) + min(_LEAST, widths[shown[-1]])

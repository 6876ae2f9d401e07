"""Events as lines of text that fit the terminal, and what was sent beside what was stored below them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click
from rich.cells import cell_len, chop_cells, set_cell_size

from console.cli.tables import terminal_width, visible, wrapped
from console.events.comparing import Compared
from console.events.sent import ABSENT
from console.events.verdicts import DROPPED, DUPLICATE, VALID, WAITING, Verdict
from schemas.announce import rfc3339

_COLUMNS = (("time (UTC)", 12, 12), ("verdict", 16, 16), ("event", 22, 14), ("who", 18, 10), ("source", 14, 8))
"""With how wide they are, and how narrow they may get where the terminal is."""
_COLOURS = {VALID: "green", DUPLICATE: "yellow", DROPPED: "yellow", WAITING: "cyan"}
_INDENT = 4
_MOST_LINES = 6
"""Lines of a value on a terminal, where it is folded: ids and times are whole on one of 80 columns."""
_WIDEST = 48
"""Columns of a value where nobody's terminal says how many there are: it is never cut there, only not padded more."""


def header() -> str:
    """Over the lines of ``line``."""
    widths, width = _widths(), terminal_width()
    names = "  ".join(set_cell_size(name, width) for (name, *_), width in zip(_COLUMNS, widths, strict=True))
    beside = width is None or _taken(widths) + len("detail") <= width
    return f"{names}  detail" if beside else names.rstrip()


def line(verdict: Verdict) -> str:
    """One event. Nothing is cut: on a terminal what is too long goes on below; elsewhere all is on one line."""
    cells = [rfc3339(verdict.received_at)[11:23], verdict.verdict, verdict.event or "", verdict.who,
             verdict.source or ""]  # fmt: skip
    cells, detail, widths, width = [*map(visible, cells)], visible(verdict.detail), _widths(), terminal_width()
    kept, text = _fitting(cells, widths, width)
    at, start = len(cells[0]) + 2, max(_taken(widths), cell_len(text) + 2)
    colour = _COLOURS.get(verdict.verdict, "red")
    coloured = text[:at] + click.style(cells[1], fg=colour) + text[at + len(cells[1]) :]
    more = [f"{name} {cell}" for (name, *_), cell in zip(_COLUMNS[kept:], cells[kept:], strict=True) if cell]
    if detail and not more and (width is None or start + cell_len(detail) <= width):
        return coloured + " " * (start - cell_len(text)) + detail
    joined = "  ".join(more)
    more = [joined] if joined and _INDENT + cell_len(joined) <= (width or 0) else more
    below = [part for some in (*more, detail) if some for part in _below(some, _INDENT)]
    return "\n".join([coloured, *below])


def comparison(compared: Compared) -> Iterable[str]:
    """What was sent beside what was stored, a value a line; changes are named at the end of theirs."""
    indent = " " * _INDENT
    if compared.unread is not None:
        yield indent + visible(compared.unread)
    lines = [*compared.meta, *compared.properties]
    if not lines:
        return
    stored = compared.stored is not None
    names = [line.path for line in lines]
    left, right = [_value(line.sent) for line in lines], [_value(line.stored) for line in lines]
    first = min(max(map(cell_len, map(visible, names))), 32)
    sizes = [min(max(cell_len("sent"), *map(cell_len, left)), _WIDEST)]
    if stored:
        sizes.append(min(max(cell_len("stored"), *map(cell_len, right)), _WIDEST))
    width = terminal_width()
    if width is not None:
        changes = max((cell_len(line.change) for line in lines), default=0)
        room = width - _INDENT - first - 2 * len(sizes) - (min(changes, 24) + 2 if changes else 0)
        while sum(sizes) > room and max(sizes) > 12:
            sizes[sizes.index(max(sizes))] -= 1
    titles = ["", "sent", "stored"] if stored else ["", "sent"]
    yield indent + click.style(
        "  ".join(_pad(title, size) for title, size in zip(titles, (first, *sizes), strict=True)).rstrip(),
        bold=True,
    )
    for one, sent, kept in zip(lines, left, right, strict=True):
        beside, *more = _beside((visible(one.path), sent, kept), (first, *sizes))
        change = visible(one.change)
        fits = width is None or not change or _INDENT + cell_len(beside) + 2 + cell_len(change) <= width
        yield (indent + beside + ("  " + click.style(change, fg="yellow") if change and fits else "")).rstrip()
        yield from ((indent + part).rstrip() for part in more)
        if not fits:
            yield from (click.style(text, fg="yellow") for text in _below(change, 2 * _INDENT))


def _value(value: Any) -> str:
    if value is ABSENT:
        return "-"
    if isinstance(value, str):
        return visible(value) if value else '""'
    try:
        return visible(json.dumps(value, ensure_ascii=False, default=str))
    except (ValueError, RecursionError):
        return visible(repr(value))


def _widths() -> list[int]:
    """Of the columns: on a terminal that is too narrow those give way that can best."""
    widths, width = [width for _, width, _ in _COLUMNS], terminal_width()
    while width is not None and _taken(widths) - 2 > width:
        room, at = max((widths[at] - least, at) for at, (_, _, least) in enumerate(_COLUMNS))
        if room <= 0:
            break
        widths[at] -= 1
    return widths


def _taken(widths: list[int]) -> int:
    """The columns before the detail."""
    return sum(width + 2 for width in widths)


def _below(text: str, indent: int) -> list[str]:
    return [" " * indent + part for part in wrapped(text, indent)]


def _fitting(cells: Sequence[str], widths: Sequence[int], width: int | None) -> tuple[int, str]:
    """How many cells fit on one line, and that line: they may come closer together for it."""
    for kept in range(len(cells), 2, -1):
        for tried in widths, [*widths[:2], 0, 0, 0]:
            text = _placed(cells[:kept], tried)
            if width is None or cell_len(text) <= width:
                return kept, text
    return 2, _placed(cells[:2], widths)


def _placed(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Each cell whole, under the name of its column unless those before it take more room than they have."""
    text, start = "", 0
    for cell, width in zip(cells, widths, strict=False):
        text += " " * max(2 if text else 0, start - cell_len(text)) + cell
        start += width + 2
    return text.rstrip()


def _beside(texts: Sequence[str], sizes: Sequence[int]) -> Iterator[str]:
    """Lines of texts beside each other, each folded within its columns; on a terminal what is very long is cut."""
    columns = [_folded(text, size) for text, size in zip(texts, sizes, strict=False)]
    for at in range(max(map(len, columns))):
        cells = (_pad(lines[at] if at < len(lines) else "", size) for lines, size in zip(columns, sizes, strict=False))
        yield "  ".join(cells)


def _folded(text: str, width: int) -> list[str]:
    if terminal_width() is None or cell_len(text) <= width:
        return [text]
    lines = chop_cells(text, width)
    return lines if len(lines) <= _MOST_LINES else [*lines[: _MOST_LINES - 1], "".join(lines[_MOST_LINES - 1 :])]


def _pad(text: str, width: int) -> str:
    """To ``width`` columns; longer texts are cut on a terminal only."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return text if terminal_width() is None else set_cell_size(text, width - 1) + "…"

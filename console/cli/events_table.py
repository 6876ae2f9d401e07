"""Events as lines of text that fit the terminal, and what was sent beside what was stored below them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click
from rich.cells import cell_len, set_cell_size

from console.cli.tables import terminal_width, visible, wrapped
from console.events.comparing import Compared
from console.events.sent import ABSENT
from console.events.verdicts import DROPPED, DUPLICATE, VALID, WAITING, Verdict
from schemas.announce import rfc3339

_COLUMNS = (("time (UTC)", 12, 12), ("verdict", 16, 16), ("event", 22, 14), ("who", 18, 10), ("source", 14, 8))
"""With how wide they are, and how narrow they may get where the terminal is."""
_COLOURS = {VALID: "green", DUPLICATE: "yellow", DROPPED: "yellow", WAITING: "cyan"}
_INDENT = 4
_WIDEST = 48
"""Columns of a value where nobody's terminal says how many there are: it is never cut there, only not padded more."""


def header() -> str:
    """Over the lines of ``line``."""
    widths, width = _widths(), terminal_width()
    names = "  ".join(set_cell_size(name, width) for (name, *_), width in zip(_COLUMNS, widths, strict=True))
    beside = width is None or _taken(widths) + len("detail") <= width
    return f"{names}  detail" if beside else names.rstrip()


def line(verdict: Verdict) -> str:
    """One event. On a terminal long texts are cut and the detail goes on below; elsewhere all is on one line."""
    received, widths = rfc3339(verdict.received_at), _widths()
    more = max(0, cell_len(verdict.verdict) - widths[1])
    widths[1], widths[2] = widths[1] + more, widths[2] - more  # a reason that is cut is no reason
    cells = [received[11:23], verdict.verdict, verdict.event or "", verdict.who, verdict.source or ""]
    padded = [_pad(visible(cell), width) for cell, width in zip(cells, widths, strict=True)]
    padded[1] = click.style(padded[1], fg=_COLOURS.get(verdict.verdict, "red"))
    text = "  ".join(padded)
    detail = visible(verdict.detail)
    if not detail:
        return text.rstrip()
    width = terminal_width()
    if width is None or _taken(widths) + cell_len(detail) <= width:
        return f"{text}  {detail}"
    return "\n".join([text.rstrip(), *_below(detail, _INDENT)])


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
        cells = [_pad(text, size) for text, size in zip((visible(one.path), sent, kept), (first, *sizes), strict=False)]
        used = _INDENT + sum(cell_len(cell) + 2 for cell in cells)
        change = visible(one.change)
        fits = width is None or used + cell_len(change) <= width
        yield (indent + "  ".join([*cells, click.style(change, fg="yellow") if change and fits else ""])).rstrip()
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


def _pad(text: str, width: int) -> str:
    """To ``width`` columns; longer texts are cut on a terminal only."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return text if terminal_width() is None else set_cell_size(text, width - 1) + "…"

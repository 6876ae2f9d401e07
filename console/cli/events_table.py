"""Events as lines of text that fit the terminal, and what was sent beside what was stored below them."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

import click
from rich.cells import cell_len, set_cell_size

from console.cli.dlq_table import visible
from console.events.comparing import Compared
from console.events.sent import ABSENT
from console.events.verdicts import DROPPED, DUPLICATE, VALID, WAITING, Verdict
from schemas.announce import rfc3339

_COLUMNS = (("time (UTC)", 12), ("verdict", 16), ("event", 22), ("who", 18), ("source", 14))
_COLOURS = {VALID: "green", DUPLICATE: "yellow", DROPPED: "yellow", WAITING: "cyan"}
_INDENT = 4
_WIDEST = 48
"""Columns of a value where nobody's terminal says how many there are: it is never cut there, only not padded more."""


def header() -> str:
    """Over the lines of ``line``."""
    return "  ".join(set_cell_size(name, width) for name, width in _COLUMNS) + "  detail"


def line(verdict: Verdict) -> str:
    """One event. On a terminal long texts are cut and the detail goes on below; elsewhere all is on one line."""
    received = rfc3339(verdict.received_at)
    cells = [received[11:23], verdict.verdict, verdict.event or "", verdict.who, verdict.source or ""]
    padded = [_pad(visible(cell), width) for cell, (_, width) in zip(cells, _COLUMNS, strict=True)]
    padded[1] = click.style(padded[1], fg=_COLOURS.get(verdict.verdict, "red"))
    text = "  ".join(padded)
    detail = visible(verdict.detail)
    if not detail:
        return text.rstrip()
    used = sum(width + 2 for _, width in _COLUMNS)
    width = _width()
    if width is None or used + cell_len(detail) <= width:
        return f"{text}  {detail}"
    indent = " " * _INDENT
    return "\n".join([text.rstrip(), *textwrap.wrap(detail, width, initial_indent=indent, subsequent_indent=indent)])


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
    widest = min(max([cell_len("sent"), *map(cell_len, left), *(map(cell_len, right) if stored else ())]), _WIDEST)
    width = _width()
    if width is not None:
        changes = max((cell_len(line.change) for line in lines), default=0)
        room = width - _INDENT - first - 2 - (min(changes, 24) + 2 if changes else 0)
        widest = max(12, min(widest, (room - 2) // 2 if stored else room))
    titles = ["", "sent", "stored"] if stored else ["", "sent"]
    yield indent + click.style(
        "  ".join(_pad(title, size) for title, size in zip(titles, (first, widest, widest), strict=False)).rstrip(),
        bold=True,
    )
    for one, sent, kept in zip(lines, left, right, strict=True):
        cells = [_pad(visible(one.path), first), _pad(sent, widest), *([_pad(kept, widest)] if stored else [])]
        used = _INDENT + sum(cell_len(cell) + 2 for cell in cells)
        change = click.style(_fit(visible(one.change), used), fg="yellow") if one.change else ""
        yield (indent + "  ".join([*cells, change])).rstrip()


def _value(value: Any) -> str:
    if value is ABSENT:
        return "-"
    if isinstance(value, str):
        return visible(value) if value else '""'
    try:
        return visible(json.dumps(value, ensure_ascii=False, default=str))
    except (ValueError, RecursionError):
        return visible(repr(value))


def _fit(text: str, used: int) -> str:
    """What of a text has room behind ``used`` columns of the terminal."""
    width = _width()
    room = None if width is None else max(8, width - used)
    return text if room is None or cell_len(text) <= room else set_cell_size(text, room - 1) + "…"


def _pad(text: str, width: int) -> str:
    """To ``width`` columns; longer texts are cut on a terminal only."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return text if _width() is None else set_cell_size(text, width - 1) + "…"


def _width() -> int | None:
    """Columns of the terminal, None where there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None

"""Options that many commands share, spelled once."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

import click

from offerflow.rules.durations import milliseconds


class Duration(click.ParamType[float]):
    """``30s``, ``5m``, ``1d12h``, as definitions have them. The value is a float of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        text = str(value).strip()
        try:
            return milliseconds(text) / 1000
        except ValueError as error:
            unit = f"; write {text}s for seconds" if text.isascii() and text.isdigit() else ""
            self.fail(f"{text!r} is not a duration: {error}{unit}", param, ctx)


class Moment(click.ParamType[int]):
    """A time as milliseconds since 1970: RFC 3339, a date, or how long ago (``2h``)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        from console.dead_letters.selection import parse_moment

        try:
            return parse_moment(str(value), int(time.time() * 1000))
        except ValueError as error:
            self.fail(str(error), param, ctx)


dir_option = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory that holds .offerflow/ (default: the nearest upward from here).",
)
"""Passes ``directory: Path | None``; ``StackFiles.find`` takes it as it is."""

output_option = click.option(
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to print the result on stdout.",
)
"""Passes ``output``: ``table`` for people, ``json`` for programs."""

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def follow_up(command: str) -> str:
    """How to type a further ``command`` so that it reaches the same stack: with the ``--dir`` that was given."""
    context = click.get_current_context(silent=True)
    directory = context.params.get("directory") if context is not None else None
    return f"offerflow {command}" + (f" --dir {shlex.quote(str(directory))}" if directory is not None else "")

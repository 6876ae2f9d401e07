"""Options that many commands share, spelled once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[float]):
    """``30s``, ``5m``, ``1h``; a bare number is seconds. The value is a float of seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is not a duration such as 30s, 5m or 1h", param, ctx)
        return float(match[1]) * _UNITS[match[2] or "s"]


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

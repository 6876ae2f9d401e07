"""How a command is told which dead letters it is about."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from console.cli.options import Moment
from console.dead_letters.selection import Selection, is_id, parse_range
from offerflow.runtime.settings import Settings
from schemas.dead_letter import REASONS

F = TypeVar("F", bound=Callable[..., Any])
_PER = {"s": 1, "m": 60, "h": 3600}


class Rate(click.ParamType[float]):
    """Records a second: ``500/s``, ``30/m``; a bare number is per second."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(?:/(s|m|h))?", str(value).strip())
        if match is None or float(match[1]) == 0:
            self.fail(f"{value!r} is not a rate such as 500/s or 30/m", param, ctx)
        return float(match[1]) / _PER[match[2] or "s"]


_OPTIONS = (
    click.argument("letters", metavar="[COORD]...", nargs=-1),
    click.option("--reason", multiple=True, type=click.Choice(REASONS), metavar="REASON", help="As `dlq stats` tells."),
    click.option("--event", multiple=True, help="Name of the event, as it arrived."),
    click.option("--source", multiple=True, help="Id of the source."),
    click.option("--field", multiple=True, help="Path of the field to blame; what lies below it counts too."),
    click.option("--component", multiple=True, help="Who judged: validation or rules."),
    click.option("--topic", multiple=True, help="Topic the original was read from, such as raw.backend."),
    click.option("--since", type=Moment(), help="Dead since then or later: 2h, 3d, 2026-03-05, 2026-03-05T10:00:00Z."),
    click.option("--until", type=Moment(), help="Dead until then."),
)  # fmt: skip


def selection_options(command: F) -> F:
    """Passes the keywords that ``selection_of`` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def selection_of(
    settings: Settings, letters: tuple[str, ...], reason: tuple[str, ...], event: tuple[str, ...],
    source: tuple[str, ...], field: tuple[str, ...], component: tuple[str, ...], topic: tuple[str, ...],
    since: int | None, until: int | None, handled: bool | None = False, limit: int | None = None,
) -> Selection:  # fmt: skip
    """The selection that the options describe. Raises click.BadParameter."""
    ids = frozenset(text for text in letters if is_id(text))
    try:
        ranges = tuple(parse_range(text) for text in letters if text not in ids)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="COORD") from None
    if ids and ranges:
        raise click.BadParameter("give coordinates or ids, not both", param_hint="COORD")
    if since is not None and until is not None and until < since:
        raise click.BadParameter("lies before --since", param_hint="--until")
    return Selection(
        reasons=frozenset(reason),
        events=frozenset(event),
        sources=frozenset(source),
        fields=frozenset(field),
        components=frozenset(component),
        topics=frozenset(name if name.startswith(settings.topic_prefix) else settings.topic(name) for name in topic),
        ids=ids,
        ranges=ranges,
        since_ms=since,
        until_ms=until,
        handled=handled,
        limit=limit,
    )

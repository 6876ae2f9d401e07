"""``offerflow events funnel``: how many people went from one event to the next, and how fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.cli.events_list import say_unfilled
from console.cli.events_options import live_of, settings_of, since_option, store_of, until_option
from console.cli.options import Duration, dir_option, output_option
from console.cli.output import print_json
from console.cli.tables import print_fitting
from console.events.funnels import GROUPS, Funnel, Reached, happenings
from console.events.index import complete
from console.events.world import World
from offerflow.rules.durations import written
from offerflow.runtime.store.transactions import reading

WEEK_S = 7 * 24 * 3600.0


@click.command()
@click.argument("steps", metavar="EVENT EVENT...", nargs=-1, required=True)
@click.option("--within", type=Duration(), default=WEEK_S, show_default="7d", help="From the first event to the last.")
@since_option
@until_option
@click.option("--by", type=click.Choice(GROUPS), help="A funnel for each of these, of the first event.")
@output_option
@dir_option
def funnel(
    steps: tuple[str, ...], within: float, since: int | None, until: int | None, by: str | None, output: str,
    directory: Path | None,
) -> None:  # fmt: skip
    """Count the people who had the events in this order, and the median time from each to the next.

    Times are those of the events themselves. What somebody did while still anonymous counts as theirs. Bad events and
    those that the history no longer has do not count.
    """
    if len(steps) < 2:
        raise click.UsageError("a funnel has two events or more")
    settings = settings_of(directory)
    with live_of(settings) as live, store_of(settings) as engine, reading(engine) as connection:
        names = [_names(live.world, step) for step in steps]
        made = Funnel(names, int(within * 1000))
        made.fold(happenings(connection, frozenset().union(*names), since, until, by))
        filled = complete(connection)
    result = made.result()
    if output == "json":
        told: dict[str, Any] = {"within": written(made.within), "complete": filled}
        funnels = [{"group": group, "steps": _json(steps, reached)} for group, reached in result.items()]
        print_json(told | ({"by": by, "funnels": funnels} if by else {"steps": _json(steps, _whole(result, steps))}))
        return
    for group, reached in result.items() if by else {None: _whole(result, steps)}.items():
        if by:
            click.echo(f"{by} {group or '(unknown)'}")
        _print(steps, reached)
    if not result:
        click.echo(f"nobody had {steps[0]!r}", err=True)
    say_unfilled(filled)


def _names(world: World, step: str) -> frozenset[str]:
    """Every name of its event type. Raises UsageError for a name that no version of the plan had."""
    known = {name for schema in world.plan.by_id.values() for name in schema.names}
    if step not in known:
        raise click.UsageError(f"the event plan has no event {step!r}{world.plan.nearest(step)}")
    return world.names_of(step)


def _whole(result: dict[str | None, list[Reached]], steps: tuple[str, ...]) -> list[Reached]:
    return result.get(None) or [Reached(0, None)] * len(steps)


def _print(steps: tuple[str, ...], reached: list[Reached]) -> None:
    rows = [
        [at, row["event"], row["people"], f"{row['of_first']:.1%}", f"{row['of_previous']:.1%}" if at > 1 else "",
         _span(row["median_ms"])]
        for at, row in enumerate(_json(steps, reached), start=1)
    ]  # fmt: skip
    print_fitting(("step", "event", "people", "of first", "of previous", "median time"), rows)


def _json(steps: tuple[str, ...], reached: list[Reached]) -> list[dict[str, Any]]:
    first = reached[0].people
    rows, before = [], first
    for step, one in zip(steps, reached, strict=True):
        rows.append({
            "event": step, "people": one.people, "of_first": _share(one.people, first),
            "of_previous": _share(one.people, before),
            "median_ms": None if one.median_ms is None else int(one.median_ms),
        })  # fmt: skip
        before = one.people
    return rows


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def _span(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    return written(milliseconds // 1000 * 1000) if milliseconds >= 1000 else f"{milliseconds}ms"

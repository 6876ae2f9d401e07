"""``offerflow events tail``: events as they arrive, each with its verdict."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import click
import psutil
from sqlalchemy import Engine

from console.cli.events_options import (
    event_options,
    live_of,
    pii_option,
    settings_of,
    since_option,
    store_if_there,
    wanted_of,
)
from console.cli.events_table import comparison, header, line
from console.cli.options import dir_option, output_option
from console.events.comparing import compare
from console.events.filters import Wanted, flagged
from console.events.index import Earlier
from console.events.live import Live
from console.events.telling import as_json, row_of
from console.events.verdicts import Verdict
from console.events.watching import Watch
from console.events.world import World
from offerflow.runtime.store.debugging import current_flags

SORTED = 100_000
"""How many past events are put in order at once."""


@click.command()
@event_options
@click.option("--verdicts", is_flag=True, help="Show what was sent beside what was stored.")
@click.option("--debug", is_flag=True, help="Only users, devices and sources in debug mode, and clients that say so.")
@since_option
@click.option("--limit", type=click.IntRange(min=1), help="End after so many events.")
@click.option("--no-follow", is_flag=True, help="End with what is there now; with --since.")
@pii_option
@output_option
@dir_option
def tail(
    users: tuple[str, ...], visitors: tuple[str, ...], sources: tuple[str, ...], events: tuple[str, ...], bad: bool,
    verdicts: bool, debug: bool, since: int | None, limit: int | None, no_follow: bool, show_pii: bool, output: str,
    directory: Path | None,
) -> None:  # fmt: skip
    """Show events as they arrive, each with its verdict.

    One line an event: when it was received, what validation made of it, its name, its user, its source. --output json
    prints an object a line. It goes on until Ctrl-C.
    """
    if no_follow and since is None:
        raise click.UsageError("--no-follow shows what is there already: say --since when")
    with ExitStack() as closing_all:
        settings = settings_of(directory)
        engine = closing_all.enter_context(store_if_there(settings))
        live = closing_all.enter_context(live_of(settings, show_pii=show_pii))

        def wanted() -> Wanted:
            base = wanted_of(live.world, users, visitors, sources, events, bad=bad, debug=debug)
            return replace(base, flags=_flags(engine)) if debug else base

        earlier = None if engine is None else Earlier(engine)
        watch = closing_all.enter_context(
            closing(
                Watch(
                    live, wanted, since_ms=_began() if since is None else since, follow=not no_follow, earlier=earlier
                )
            )
        )
        _say(live.world, sources, events, watching=not no_follow)
        show(live, watch, limit, verdicts=verdicts, output=output, follow=not no_follow)


def show(live: Live, watch: Watch, limit: int | None, *, verdicts: bool, output: str, follow: bool) -> None:
    """Print what comes, until ``limit`` or an interrupt, which is how one ends it."""
    if output == "table" and sys.stdout.isatty():
        click.echo(click.style(header(), bold=True))
    try:
        for number, verdict in enumerate(watch if follow else _in_time(watch), start=1):
            if output == "json":
                click.echo(as_json(row_of(live.world, verdict, whole=verdicts)))
            else:
                print_event(live.world, verdict, verdicts=verdicts)
            if number == limit:
                break
    except KeyboardInterrupt:
        click.echo(err=True)


def print_event(world: World, verdict: Verdict, *, verdicts: bool) -> None:
    """One line, and below it both sides of the event if they are wanted."""
    click.echo(line(verdict))
    if verdicts:
        for text in comparison(compare(world, verdict)):
            click.echo(text)


def _in_time(watch: Iterable[Verdict]) -> Iterator[Verdict]:
    """In the order in which they were received, as far as memory reaches: topics are read in none among each other."""
    left = iter(watch)
    while some := list(islice(left, SORTED)):
        yield from sorted(some, key=lambda verdict: verdict.received_at)


def _began() -> int:
    """When this command was typed: what is sent while it starts is to be seen too."""
    return int(psutil.Process().create_time() * 1000)


def _flags(engine: Engine | None) -> frozenset[tuple[str, str]]:
    return frozenset() if engine is None else flagged(current_flags(engine))


def _say(world: World, sources: tuple[str, ...], events: tuple[str, ...], *, watching: bool) -> None:
    """What may be a slip of the pen is no error: the name or the source may be yet to come."""
    for source in sources:
        if source not in world.sources:
            click.echo(f"note: there is no source {source!r} yet", err=True)
    for event in events:
        if event not in world.plan.by_name:
            click.echo(f"note: the event plan has no event {event!r}{world.plan.nearest(event)}", err=True)
    if watching:
        click.echo("watching: events show as they arrive; Ctrl-C ends", err=True)

"""Events shown as they come, or in time where they end: what ``events tail`` does once it is loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import click
from sqlalchemy import Engine

from console.cli.events_options import live_of, store_if_there, wanted_of
from console.cli.events_table import comparison, header, line
from console.events.comparing import compare
from console.events.filters import Wanted, flagged
from console.events.index import Earlier
from console.events.live import Live
from console.events.telling import as_json, row_of
from console.events.verdicts import Verdict
from console.events.watching import Watch
from console.events.world import World
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.debugging import current_flags

SORTED = 100_000
"""How many past events are put in order at once."""


class Asked(NamedTuple):
    """Which events, as options say it."""

    users: tuple[str, ...]
    visitors: tuple[str, ...]
    sources: tuple[str, ...]
    events: tuple[str, ...]
    bad: bool
    debug: bool


def follow(
    settings: Settings, asked: Asked, since_ms: int, limit: int | None, *, verdicts: bool, on: bool, show_pii: bool,
    output: str,
) -> None:  # fmt: skip
    """Print what arrived since then, ``on`` and on, or up to what is there now."""
    with ExitStack() as closing_all:
        engine = closing_all.enter_context(store_if_there(settings))
        live = closing_all.enter_context(live_of(settings, show_pii=show_pii))

        def wanted() -> Wanted:
            base = wanted_of(live.world, asked.users, asked.visitors, asked.sources, asked.events, bad=asked.bad,
                             debug=asked.debug)  # fmt: skip
            return replace(base, flags=_flags(engine)) if asked.debug else base

        earlier = None if engine is None else Earlier(engine)
        watch = closing_all.enter_context(closing(Watch(live, wanted, since_ms=since_ms, follow=on, earlier=earlier)))
        _say(live.world, asked, watching=on)
        _show(live, watch, limit, verdicts=verdicts, output=output, on=on)


def _show(live: Live, watch: Watch, limit: int | None, *, verdicts: bool, output: str, on: bool) -> None:
    """Print what comes, until ``limit`` or an interrupt, which is how one ends it."""
    if output == "table" and sys.stdout.isatty():
        click.echo(click.style(header(), bold=True))
    try:
        for number, verdict in enumerate(watch if on else _in_time(watch), start=1):
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


def _flags(engine: Engine | None) -> frozenset[tuple[str, str]]:
    return frozenset() if engine is None else flagged(current_flags(engine))


def _say(world: World, asked: Asked, *, watching: bool) -> None:
    """What may be a slip of the pen is no error: the name or the source may be yet to come."""
    for source in asked.sources:
        if source not in world.sources:
            click.echo(f"note: there is no source {source!r} yet", err=True)
    for event in asked.events:
        if event not in world.plan.by_name:
            click.echo(f"note: the event plan has no event {event!r}{world.plan.nearest(event)}", err=True)
    if watching:
        click.echo("watching: events show as they arrive; Ctrl-C ends", err=True)

"""``offerflow events list``: past events, from the history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from console.cli.events_options import (
    event_options,
    live_of,
    past_of,
    settings_of,
    since_option,
    store_of,
    until_option,
)
from console.cli.options import dir_option, output_option
from console.cli.output import print_json
from console.cli.tables import print_fitting
from console.dead_letters.handled import HandledLetters
from console.events.index import complete, newest, repeated, row_json
from console.events.world import World
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.transactions import reading

_COLUMNS = ("received (UTC)", "verdict", "event", "who", "source", "event id")


@click.command("list")
@event_options
@since_option
@until_option
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many of the newest.")
@output_option
@dir_option
def list_events(
    users: tuple[str, ...], visitors: tuple[str, ...], sources: tuple[str, ...], events: tuple[str, ...], bad: bool,
    since: int | None, until: int | None, limit: int, output: str, directory: Path | None,
) -> None:  # fmt: skip
    """List past events, newest last: what is indexed of journal and dead letters.

    A duplicate is in the journal, but an event of its user had its id before: rules count it once.

    `events show ID` shows one of them whole.
    """
    settings = settings_of(directory)
    with live_of(settings) as live, store_of(settings) as engine, reading(engine) as connection:
        past = past_of(live.world, users, visitors, sources, events, since, until, bad=bad)
        found = newest(connection, past, limit)
        firsts = repeated(connection, found)
        rows = [row_json(row, None if row.dead else firsts.get((row.partition, row.offset))) for row in found]
        filled = complete(connection)
        near = "" if rows else meant(live.world, events)
    say_handled(settings, rows)
    if output == "json":
        print_json({"events": rows, "complete": filled})
        return
    cells = [
        [row["received_at"][:23].replace("T", " "),
         row["verdict"] + (f" ({row['handled']})" if row["handled"] else ""), row["event"],
         row["user_id"] or (f"a:{row['anonymous_id']}" if row["anonymous_id"] else None), row["source"],
         row["event_id"]]
        for row in rows
    ]  # fmt: skip
    print_fitting(_COLUMNS, cells, ("source",), below=1)
    if not rows:
        click.echo(f"no events match{near}", err=True)
    if len(rows) == limit:
        click.echo(f"the newest {limit}; --limit shows more", err=True)
    say_unfilled(filled)


def meant(world: World, names: Sequence[str]) -> str:
    """Of names that no version of the plan had, those that are near; empty where none is."""
    known = {name for schema in world.plan.by_id.values() for name in schema.names}
    return "".join(world.plan.nearest(name) for name in names if name not in known)


def say_handled(settings: Settings, rows: list[dict[str, Any]]) -> None:
    """Add ``handled`` to each: of a dead letter whether it was replayed or purged since."""
    done = HandledLetters(settings)
    if any(row["dead_letter"] for row in rows):
        done.refresh()
    for row in rows:
        partition, _, offset = (row["dead_letter"] or "").partition("/")
        row["handled"] = None
        if offset:
            at = (int(partition), int(offset))
            row["handled"] = "replayed" if at in done.replayed else "purged" if at in done.purged else None


def say_unfilled(filled: bool) -> None:
    """That what is not there may have arrived all the same."""
    if not filled:
        click.echo("the history is still being built: some events may be missing yet", err=True)

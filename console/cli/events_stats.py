"""``offerflow events stats``: how many events came, from where, and how many of them were good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.cli.events_list import say_unfilled
from console.cli.events_options import settings_of, since_option, store_if_there, store_of
from console.cli.options import dir_option, output_option
from console.cli.output import print_json
from console.cli.tables import print_fitting
from console.dead_letters.handled import HandledLetters
from console.events.counting import Count, count_replayed, of_all_time, since
from console.events.index import complete
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.transactions import reading
from schemas.announce import rfc3339
from schemas.seen import read_report


@click.command("stats")
@click.option("--event", "events", multiple=True, metavar="NAME", help="Only these events, by the name as counted.")
@click.option("--source", "sources", multiple=True, metavar="ID", help="Only from these sources.")
@since_option
@output_option
@dir_option
def stats(
    events: tuple[str, ...], sources: tuple[str, ...], since: int | None, output: str, directory: Path | None
) -> None:  # fmt: skip
    """Count events by name and source: valid, dead, dropped, and when the last came.

    Without --since all that validation has judged so far; with it, what the history has since the beginning of that
    hour, which does not hear of dropped system events. Records are counted: an event that was sent twice is two, and
    one that was replayed is dead and then valid; `replayed` says how many of the dead ones were.
    """
    settings = settings_of(directory)
    counts, filled = _counts(settings, since)
    _count_replayed(settings, counts, since)
    chosen = [
        one for one in counts if (not events or one.event in events) and (not sources or one.source in sources)
    ]  # fmt: skip
    if output == "json":
        print_json([_row(one) for one in chosen])
        return
    cells = [
        [one.event, one.source, one.valid, one.bad, one.replayed or None, f"{one.share:.1%}", one.dropped,
         rfc3339(one.last)[:19].replace("T", " "), _reasons(one)]
        for one in chosen
    ]  # fmt: skip
    columns = ("event", "source", "valid", "dead", "replayed", "share", "dropped", "last (UTC)", "reasons")
    print_fitting(columns, cells, ("share",), below=2)
    if not chosen:
        click.echo("no events", err=True)
    say_unfilled(filled)


def _counts(settings: Settings, moment: int | None) -> tuple[list[Count], bool]:
    """And whether they are all there are."""
    if moment is None:
        Admin(settings).ping()
        return of_all_time(read_report(settings).entries), True
    with store_of(settings) as engine, reading(engine) as connection:
        return since(connection, moment), complete(connection)


def _count_replayed(settings: Settings, counts: list[Count], moment: int | None) -> None:
    """Of how many dead letters the history knows that they were replayed; it only adds to what is told."""
    if not any(one.bad for one in counts):
        return
    with store_if_there(settings) as engine:
        if engine is not None:
            done = HandledLetters(settings)
            done.refresh()
            with reading(engine) as connection:
                count_replayed(connection, counts, done.replayed, moment or 0)


def _reasons(one: Count) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(one.dead.items(), key=lambda item: -item[1]))


def _row(one: Count) -> dict[str, Any]:
    return {
        "event": one.event, "source": one.source, "valid": one.valid, "dead": one.bad,
        "replayed": one.replayed if one.bad else 0, "share": round(one.share, 6), "dropped": one.dropped,
        "last": rfc3339(one.last), "reasons": one.dead,
    }  # fmt: skip

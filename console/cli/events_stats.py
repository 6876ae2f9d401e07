"""``offerflow events stats``: how many events came, from where, and how many of them were good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.cli.dlq_table import print_fitting
from console.cli.events_list import say_unfilled
from console.cli.events_options import settings_of, since_option, store_of
from console.cli.options import dir_option, output_option
from console.cli.output import print_json
from console.events.counting import Count, of_all_time, since
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
    hour, which does not hear of dropped system events.
    """
    settings = settings_of(directory)
    counts, filled = _counts(settings, since)
    chosen = [
        one for one in counts if (not events or one.event in events) and (not sources or one.source in sources)
    ]  # fmt: skip
    if output == "json":
        print_json([_row(one) for one in chosen])
        return
    cells = [
        [one.event, one.source, one.valid, one.bad, f"{one.share:.1%}", one.dropped,
         rfc3339(one.last)[:19].replace("T", " "), _reasons(one)]
        for one in chosen
    ]  # fmt: skip
    columns = ("event", "source", "valid", "dead", "share", "dropped", "last (UTC)", "reasons")
    print_fitting(columns, cells, ("reasons", "share"))
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


def _reasons(one: Count) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(one.dead.items(), key=lambda item: -item[1]))


def _row(one: Count) -> dict[str, Any]:
    return {
        "event": one.event, "source": one.source, "valid": one.valid, "dead": one.bad, "share": round(one.share, 6),
        "dropped": one.dropped, "last": rfc3339(one.last), "reasons": one.dead,
    }  # fmt: skip

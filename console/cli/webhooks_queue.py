"""``offerflow webhooks log | parked | replay``: what became of messages, and sending them again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.cli.changes import confirm
from console.cli.options import dir_option, follow_up, output_option, yes_option
from console.cli.output import print_json
from console.cli.tables import print_fitting
from console.cli.webhooks_store import moment, now_ms, opened
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.store.transactions import reading, writing
from offerflow.runtime.store.webhooks import DISABLED, PAUSED
from offerflow.runtime.webhooks import deliveries, endpoints

_TITLES = {"message_id": "message", "created_at": "queued", "done_at": "parked"}

limit_option = click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many of the newest."
)


@click.command(short_help="The last tries at the endpoint NAME, newest last.")
@click.argument("name")
@click.option("--message", metavar="ID", help="Only the tries of this message (its webhook-id).")
@limit_option
@output_option
@dir_option
def log(name: str, message: str | None, limit: int, output: str, directory: Path | None) -> None:
    """The last tries at the endpoint NAME, newest last: when, how long, and what came of each."""
    with opened(directory) as (engine, _), reading(engine) as connection:
        endpoints.find(connection, name, now_ms())
        rows = deliveries.tries(connection, name, limit, message)
    columns = ("message_id", "at", "outcome", "status", "ms", "type", "error")
    _print(rows, columns, ("type", "ms", "status"), output)


@click.command(short_help="Messages that were given up, each with its last error.")
@click.argument("name", required=False)
@limit_option
@output_option
@dir_option
def parked(name: str | None, limit: int, output: str, directory: Path | None) -> None:
    """Messages that were given up, of the endpoint NAME or of all, newest last, with the last error of each."""
    with opened(directory) as (engine, _), reading(engine) as connection:
        if name is not None:
            endpoints.find(connection, name, now_ms())
        rows = deliveries.parked(connection, name, limit)
    columns = ("message_id", "endpoint", "done_at", "attempts", "type", "created_at", "error")
    _print(rows, columns, ("created_at", "type", "attempts"), output)


@click.command(short_help="Send again what is parked, or the messages ID.")
@click.argument("name")
@click.argument("messages", nargs=-1, metavar="[ID]...")
@yes_option
@output_option
@dir_option
def replay(name: str, messages: tuple[str, ...], yes: bool, output: str, directory: Path | None) -> None:
    """Send again to the endpoint NAME what is parked for it, or the messages ID, delivered ones included.

    They keep their ids, so a receiver that keeps those takes none twice, and have three days again.
    """
    with opened(directory) as (engine, _):
        with reading(engine) as connection:
            endpoint = endpoints.find(connection, name, now_ms())
            count = len(set(messages)) or deliveries.counts(connection, now_ms())[name].parked
        if endpoint.state == DISABLED:
            raise OfferflowError(
                f"{name} is disabled ({endpoint.why}): `{follow_up(f'webhooks resume {name}')}` first, or all is parked"
                " again"
            )
        if count:
            confirm(yes, f"Send {count} messages to {name} again?")
        with writing(engine) as connection:
            missing = deliveries.replay(connection, name, messages, now_ms())
    if missing:
        raise OfferflowError(
            f"{name} has no message {', '.join(missing)}; nothing was sent again."
            f" `{follow_up(f'webhooks parked {name}')}` and `webhooks log` list ids;"
            " delivered ones are kept for some days only"
        )
    if output == "json":
        print_json({"name": name, "queued": count})
        return
    waits = f"; {name} is paused, so they wait" if endpoint.state == PAUSED else ""
    click.echo(f"queued {count} messages again{waits}")


def _print(rows: list[dict[str, Any]], columns: tuple[str, ...], droppable: tuple[str, ...], output: str) -> None:
    for row in rows:
        for name in ("at", "created_at", "done_at"):
            if row.get(name) is not None:
                row[name] = moment(row[name])
    if output == "json":
        print_json(rows)
    else:
        titles, dropped = ([_TITLES.get(one, one) for one in names] for names in (columns, droppable))
        print_fitting(titles, [[row[one] for one in columns] for row in rows], dropped, prose=True)

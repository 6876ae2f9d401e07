"""``offerflow webhooks log | parked | replay``: what became of messages, and sending them again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.cli.changes import confirm
from console.cli.options import dir_option, output_option, yes_option
from console.cli.output import print_json, print_table
from console.cli.webhooks_store import moment, now_ms, opened
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.store.transactions import reading, writing
from offerflow.runtime.store.webhooks import DISABLED, PAUSED
from offerflow.runtime.webhooks import deliveries, endpoints

limit_option = click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many of the newest."
)


@click.command()
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
    _print(rows, ("at", "message_id", "type", "outcome", "status", "ms", "error"), output)


@click.command()
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
    _print(rows, ("endpoint", "message_id", "type", "attempts", "created_at", "done_at", "error"), output)


@click.command()
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
                f"{name} is disabled ({endpoint.why}): `offerflow webhooks resume {name}` first, or all is parked again"
            )
        if count:
            confirm(yes, f"Send {count} messages to {name} again?")
        with writing(engine) as connection:
            missing = deliveries.replay(connection, name, messages, now_ms())
    if missing:
        raise OfferflowError(
            f"{name} has no message {', '.join(missing)}; nothing was sent again."
            f" `offerflow webhooks parked {name}` and `log {name}` list ids; delivered ones are kept for some days only"
        )
    if output == "json":
        print_json({"name": name, "queued": count})
        return
    waits = f"; {name} is paused, so they wait" if endpoint.state == PAUSED else ""
    click.echo(f"queued {count} messages again{waits}")


def _print(rows: list[dict[str, Any]], columns: tuple[str, ...], output: str) -> None:
    for row in rows:
        for name in ("at", "created_at", "done_at"):
            if row.get(name) is not None:
                row[name] = moment(row[name])
    if output == "json":
        print_json(rows)
    else:
        print_table([column.replace("_", " ") for column in columns], ([row[c] for c in columns] for row in rows))

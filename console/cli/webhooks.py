"""``offerflow webhooks``: endpoints that are told of offers and rewards. What became of messages is in
``webhooks_queue``, trying an endpoint in ``webhooks_try``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from console.cli.changes import confirm
from console.cli.options import Duration, dir_option, follow_up, output_option, yes_option
from console.cli.output import print_json
from console.cli.tables import print_facts, print_fitting
from console.cli.webhooks_queue import log, parked, replay
from console.cli.webhooks_store import moment, now_ms, opened
from console.cli.webhooks_try import test
from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.settings import WebhookSettings
from offerflow.runtime.store.transactions import reading, writing
from offerflow.runtime.store.webhooks import ACTIVE, PAUSED
from offerflow.runtime.webhooks import endpoints
from offerflow.runtime.webhooks.deliveries import Count, counts
from offerflow.runtime.webhooks.endpoints import Endpoint
from offerflow.runtime.webhooks.resolving import Forbidden, Resolver, Unresolved
from offerflow.runtime.webhooks.target import BadUrl, parse_target
from offerflow.runtime.webhooks.types import TYPES

OVERLAP_S = 24 * 3600.0
LOOKUP_S = 5.0

events_option = click.option(
    "--event", "events", multiple=True, metavar="TYPE",
    help=f"Only these types of message, any number of: {', '.join(TYPES)}.",
)  # fmt: skip


@click.group()
def webhooks() -> None:
    """Deliver offers and rewards to endpoints of your own, by signed webhooks (Standard Webhooks).

    Each message is tried until the endpoint answers 2xx, for three days; then it is parked and can be replayed.
    """


for command in (test, log, parked, replay):
    webhooks.add_command(command)


@webhooks.command(short_help="Make an endpoint NAME at URL and print its secret.")
@click.argument("name")
@click.argument("url")
@events_option
@output_option
@dir_option
def add(name: str, url: str, events: tuple[str, ...], output: str, directory: Path | None) -> None:
    """Make an endpoint NAME at URL and print the secret its messages are signed with.

    It gets what is announced from now on.
    """
    with opened(directory) as (engine, settings):
        types = _known(events) or TYPES
        _check_url(url, settings)
        with writing(engine) as connection:
            secret = endpoints.add(connection, name, url, types, now_ms())
    if output == "json":
        print_json({"name": name, "url": url, "types": types, "secret": secret})
        return
    click.echo(secret)
    click.echo(
        f"The receiver verifies messages with this secret: keep it there. Try it: {follow_up(f'webhooks test {name}')}",
        err=True,
    )


@webhooks.command("list")
@output_option
@dir_option
def list_endpoints(output: str, directory: Path | None) -> None:
    """The endpoints, their state, and how much is queued for each."""
    with opened(directory) as (engine, _), reading(engine) as connection:
        now = now_ms()
        queued = counts(connection, now)
        rows = [_described(one, queued[one.name], now) for one in endpoints.every(connection, now)]
    if output == "json":
        print_json(rows)
        return
    columns = ("name", "state", "breaker", "waiting", "parked", "url")
    print_fitting(columns, [[row[column] for column in columns] for row in rows], below=1)


@webhooks.command(short_help="Everything about the endpoint NAME.")
@click.argument("name")
@click.option("--reveal", is_flag=True, help="Print the secrets too.")
@output_option
@dir_option
def show(name: str, reveal: bool, output: str, directory: Path | None) -> None:
    """Everything about the endpoint NAME: types, state, breaker, queue, and its secrets' age."""
    with opened(directory) as (engine, _), reading(engine) as connection:
        now = now_ms()
        endpoint = endpoints.find(connection, name, now)
        described = _described(endpoint, counts(connection, now)[name], now)
        ends = endpoints.rotation_ends(connection, name, now)
    described["secrets"] = len(endpoint.secrets)
    described["rotation_ends"] = None if ends is None else moment(ends)
    if reveal:
        described["secret"], *described["older_secrets"] = endpoint.secrets
    if output == "json":
        print_json(described)
    else:
        print_facts((key.replace("_", " "), _text(value)) for key, value in described.items())


@webhooks.command()
@click.argument("name")
@click.option("--url", help="The new URL.")
@events_option
@output_option
@dir_option
def change(name: str, url: str | None, events: tuple[str, ...], output: str, directory: Path | None) -> None:
    """Give the endpoint NAME another URL or other types of message. Secrets and queue stay; what waits goes there."""
    if url is None and not events:
        raise click.UsageError("nothing to change: give --url, --event, or both")
    with opened(directory) as (engine, settings):
        types = _known(events)
        if url is not None:
            _check_url(url, settings)
        with writing(engine) as connection:
            endpoints.find(connection, name, now_ms())
            endpoints.change(connection, name, url, types)
            after = endpoints.find(connection, name, now_ms())
    _tell(output, {"name": name, "url": after.url, "types": after.types}, f"{name} is now {after.url}")


@webhooks.command()
@click.argument("name")
@click.option(
    "--overlap", type=Duration(), default=OVERLAP_S, show_default="24h",
    help="How long the old secret signs as well, such as 12h, 2d or 1d12h; 0s ends it at once.",
)  # fmt: skip
@yes_option
@output_option
@dir_option
def rotate(name: str, overlap: float, yes: bool, output: str, directory: Path | None) -> None:
    """Give the endpoint NAME a new secret and print it. Both sign until the overlap is over."""
    if overlap == 0:
        confirm(
            yes, f"End the current secret of {name} now? A receiver that does not know the new one refuses everything."
        )
    with opened(directory) as (engine, _), writing(engine) as connection:
        endpoints.find(connection, name, now_ms())
        secret, ends = endpoints.rotate(connection, name, round(overlap * 1000), now_ms())
    until = None if ends is None else moment(ends)
    if output == "json":
        print_json({"name": name, "secret": secret, "old_ends": until})
        return
    click.echo(secret)
    click.echo(f"The old secret signs as well until {until}." if until else "The old secret has ended.", err=True)


@webhooks.command()
@click.argument("name")
@output_option
@dir_option
def pause(name: str, output: str, directory: Path | None) -> None:
    """Send nothing to the endpoint NAME for now. Messages are queued, and the time does not count against them."""
    with opened(directory) as (engine, _), writing(engine) as connection:
        endpoints.find(connection, name, now_ms())
        endpoints.pause(connection, name)
    ends = follow_up(f"webhooks resume {name}")
    _tell(output, {"name": name, "state": PAUSED}, f"{name} is paused; `{ends}` ends it")


@webhooks.command(short_help="Send to the endpoint NAME again, whatever stopped it.")
@click.argument("name")
@output_option
@dir_option
def resume(name: str, output: str, directory: Path | None) -> None:
    """Send to the endpoint NAME again, whether it was paused, disabled, or its breaker open."""
    with opened(directory) as (engine, _), writing(engine) as connection:
        endpoints.find(connection, name, now_ms())
        endpoints.resume(connection, name)
        left = counts(connection, now_ms())[name].parked
    replay_them = follow_up(f"webhooks replay {name}")
    parked_too = f"; {left} messages are parked: `{replay_them}` sends them" if left else ""
    _tell(output, {"name": name, "state": ACTIVE, "parked": left}, f"{name} is active{parked_too}")


@webhooks.command(short_help="Remove the endpoint NAME with its secrets, log and queue.")
@click.argument("name")
@yes_option
@output_option
@dir_option
def remove(name: str, yes: bool, output: str, directory: Path | None) -> None:
    """Remove the endpoint NAME with its secrets, its log, and everything queued for it."""
    with opened(directory) as (engine, _):
        with reading(engine) as connection:
            endpoints.find(connection, name, now_ms())
            count = counts(connection, now_ms())[name]
        left = count.waiting + count.parked
        confirm(
            yes, f"Remove {name}? {left} messages that have not arrived are dropped." if left else f"Remove {name}?"
        )
        with writing(engine) as connection:
            dropped = endpoints.remove(connection, name)
    _tell(
        output, {"name": name, "dropped": dropped}, f"removed {name}" + (f" and {dropped} messages" if dropped else "")
    )


def _known(events: Sequence[str]) -> tuple[str, ...]:
    for one in events:
        if one not in TYPES:
            hint = did_you_mean(one, TYPES)
            raise click.BadParameter(f"there is no type {one!r} among {', '.join(TYPES)}{hint}", param_hint="--event")
    return tuple(one for one in TYPES if one in events)


def _check_url(url: str, settings: WebhookSettings) -> None:
    """Refuse what the worker would refuse; a name that does not resolve here may do so there."""
    try:
        target = parse_target(url, settings)
    except BadUrl as error:
        raise click.BadParameter(str(error), param_hint="URL") from None
    resolver = Resolver(settings.networks())
    try:
        asyncio.run(_within(resolver.addresses(target)))
    except Forbidden as error:
        raise click.BadParameter(str(error), param_hint="URL") from None
    except (Unresolved, TimeoutError) as error:
        click.echo(f"warning: {error or 'the name server does not answer'}; messages wait until it can", err=True)
    finally:
        resolver.close()


async def _within(addresses: Any) -> None:
    async with asyncio.timeout(LOOKUP_S):
        await addresses


def _described(endpoint: Endpoint, count: Count, now: int) -> dict[str, Any]:
    since = endpoint.breaker.failing_since
    return {
        "name": endpoint.name,
        "url": endpoint.url,
        "types": endpoint.types,
        "state": endpoint.state,
        "why": endpoint.why,
        "created_at": moment(endpoint.created_at),
        "breaker": endpoint.breaker.state(now),
        "failing_since": None if since is None else moment(since),
        "waiting": count.waiting,
        "parked": count.parked,
        "oldest_seconds": count.oldest_ms // 1000,
    }


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list | tuple) else "" if value is None else str(value)


def _tell(output: str, value: dict[str, Any], text: str) -> None:
    if output == "json":
        print_json(value)
    else:
        click.echo(text)

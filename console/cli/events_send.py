"""``events send``: one event by hand, and what became of it."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import click

from console.cli.events_follow import print_event
from console.cli.events_options import live_of, pii_option, settings_of
from console.cli.options import Duration, dir_option, output_option
from console.cli.output import print_json
from console.cli.paths import told_paths
from console.events.filters import Wanted
from console.events.sending import by_edge, by_kafka
from console.events.telling import as_json, row_of
from console.events.verdicts import WAITING, Verdict
from console.events.watching import Watch
from console.events.world import World
from console.stack.client import running
from console.stack.files import StackFiles
from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.errors import OfferflowError, TryAgain
from offerflow.runtime.settings import Settings

Send = Callable[[dict[str, Any]], None]


@click.command()
@click.argument("event", required=False)
@click.option("--file", "path", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
              help="An event as JSON, as it would be sent; - is stdin. Options add to it.")  # fmt: skip
@click.option("--user", help="Who did it.")
@click.option("--anonymous", help="The visitor who did it.")
@click.option("--property", "properties", multiple=True, metavar="NAME=VALUE", help="A value that is JSON is that; "
              "else it is text.")  # fmt: skip
@click.option("--type", "kind", type=click.Choice(["track", "identify", "alias", "page", "screen", "group"]))
@click.option("--time", "moment", help="When it happened, RFC 3339 (default: now).")
@click.option("--id", "event_id", help="Its id (default: a new one).")
@click.option("--source", help="Straight to Kafka, as this source (default: by the edge of the local stack).")
@click.option("--key", help="By the edge, with this key.")
@click.option("--url", help="Where the edge is (default: that of the local stack).")
@click.option("--no-wait", is_flag=True, help="Do not wait for the verdict.")
@click.option("--timeout", type=Duration(), default="15s", show_default=True, help="How long to wait for it.")
@pii_option
@output_option
@dir_option
def send(
    event: str | None, path: Path | None, user: str | None, anonymous: str | None, properties: tuple[str, ...],
    kind: str | None, moment: str | None, event_id: str | None, source: str | None, key: str | None, url: str | None,
    no_wait: bool, timeout: float, show_pii: bool, output: str, directory: Path | None,
) -> None:  # fmt: skip
    """Send EVENT and show what became of it: what was sent beside what was stored.

    Exit code 1: it was refused, or it is a dead letter; 75: it was not judged in time.
    """
    if source is not None and (key is not None or url is not None):
        raise click.UsageError("--source sends to Kafka, --key and --url by the edge: give one of them")
    given = {"event": event, "user_id": user, "anonymous_id": anonymous, "type": kind, "time": moment,
             "event_id": event_id}  # fmt: skip
    envelope = _envelope(path, given, properties)
    settings = settings_of(directory)
    with ExitStack() as end:
        live = end.enter_context(live_of(settings, show_pii=show_pii))
        hand_over = _way(settings, live.world, StackFiles.find(directory), source, key, url)
        if no_wait:
            hand_over(envelope)
            _sent(envelope, output)
            return
        deadline = [time.monotonic() + timeout]

        def wanted() -> Wanted:
            if time.monotonic() > deadline[0]:
                raise TryAgain(f"Kafka has {envelope['event_id']}, but nobody judged it within {timeout:g} s; is"
                               " validation running (`offerflow status`)?")  # fmt: skip
            return Wanted(ids=frozenset((str(envelope["event_id"]),)))

        watch = end.enter_context(closing(Watch(live, wanted)))
        hand_over(envelope)
        deadline[0] = time.monotonic() + timeout
        verdict = next(one for one in watch if one.verdict != WAITING)
        _show(live.world, verdict, output)
    if not verdict.good:
        sys.exit(1)


def _envelope(path: Path | None, given: dict[str, str | None], properties: tuple[str, ...]) -> dict[str, Any]:
    envelope: dict[str, Any] = {}
    if path is not None:
        with told_paths():
            text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        try:
            envelope = json.loads(text)
        except ValueError as error:
            raise click.UsageError(f"{path} is not JSON: {error}") from None
        if not isinstance(envelope, dict):
            raise click.UsageError(f"{path}: expected one event, a JSON object")
    elif given["event"] is None and given["type"] in (None, "track"):
        raise click.UsageError("say which EVENT to send, or give one by --file")
    elif not given["user_id"] and not given["anonymous_id"]:
        raise click.UsageError("say whose event it is: --user or --anonymous")
    envelope |= {name: value for name, value in given.items() if value is not None}
    if properties:
        before = envelope.get("properties")
        envelope["properties"] = {**(before if isinstance(before, dict) else {}), **dict(map(_property, properties))}
    if not isinstance(envelope.get("event_id"), str) or not envelope["event_id"]:
        envelope["event_id"] = str(uuid.uuid4())
    return envelope


def _property(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{text!r}: expected NAME=VALUE", param_hint="--property")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _way(
    settings: Settings, world: World, files: StackFiles, source: str | None, key: str | None, url: str | None
) -> Send:
    if source is not None:
        found = world.sources.get(source)
        if found is None:
            raise OfferflowError(f"there is no source {source!r}{did_you_mean(source, world.sources)}")
        return lambda event: by_kafka(settings, found, event)
    if url is None:
        url = running(files).ingest
    if url is None:
        raise OfferflowError("the local stack has no edge that runs; give its address by --url, or send by --source")
    identity = files.identity()
    with_key = key or (identity.api_key if identity is not None else None)
    if with_key is None:
        raise click.UsageError("give the key to send with: --key sk_…")
    return lambda event: by_edge(url, with_key, event)


def _sent(envelope: dict[str, Any], output: str) -> None:
    if output == "json":
        print_json({"event_id": envelope["event_id"]})
    else:
        click.echo(f"Kafka has {envelope['event_id']}")


def _show(world: World, verdict: Verdict, output: str) -> None:
    if output == "json":
        click.echo(as_json(row_of(world, verdict, whole=True)))
    else:
        print_event(world, verdict, verdicts=True)

"""``offerflow keys``: keys by which sources send events over HTTP. Only their SHA-256 is kept, in the catalog."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click

from console.cli.changes import confirm
from console.cli.keys_options import ANY, Origin, burst_of, names, origins, terms_options
from console.cli.keys_table import as_json, describe, list_of, one_of, print_key, print_keys
from console.cli.options import Duration, dir_option, output_option, yes_option
from console.cli.output import print_json
from console.keys import book
from console.stack.client import connect
from console.stack.files import StackFiles
from console.workspace.commit import current_author
from offerflow.catalog.view import Catalog, Key
from offerflow.catalog.writer import CatalogWriter
from offerflow.rules.durations import SECOND
from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.keys import SERVER, WRITE, key_hash, new_key

_KEEP = "Keep the key now: it cannot be shown again. The edge knows it within a second."


@click.group()
def keys() -> None:
    """Keys by which sources send events over HTTP: create, replace, change, revoke, list and show them."""


@keys.command()
@click.argument("source")
@click.option("--write", is_flag=True, help="A write-only key (wk_…), which may live in apps and browsers.")
@terms_options
@output_option
@dir_option
def create(
    source: str, write: bool, label: str | None, events: Sequence[str], origins: Sequence[str], rate: float | None,
    burst: int | None, expires: int | None, output: str, directory: Path | None,
) -> None:  # fmt: skip
    """Create a key for SOURCE and print it, this once. A source has at most two, beside those being replaced."""
    secret = new_key(WRITE if write else SERVER)
    now = _now()
    blank = Key(key_hash(secret), source, secret[:2], created_at=book.rfc3339(now))
    key = _with_terms(blank, label, events, origins, rate, burst, expires)

    def change(catalog: Catalog) -> book.KeyChange:
        made = book.created(catalog, key, now)
        _warn_of_unplanned(catalog, key)
        return made

    _write(directory, change, "keys create", now)
    if output == "json":
        print_json({**as_json(key, now), "key": secret})
        return
    click.echo(secret)
    click.echo(f"Its id is {key.id}. {_KEEP}", err=True)


@keys.command(short_help="Replace KEY by a new one with the same terms.")
@click.argument("key")
@click.option(
    "--grace", type=Duration(), default="24h", show_default=True, help="How long the old key works on; 0s ends it now."
)
@yes_option
@output_option
@dir_option
def rotate(key: str, grace: float, yes: bool, output: str, directory: Path | None) -> None:
    """Replace KEY, the key itself or its id, by a new one with the same terms, and print that, this once.

    The old key keeps working for the grace, in which its senders change over.
    """
    now, grace_ms = _now(), round(grace * SECOND)
    made: list[tuple[Key, Key, str]] = []

    def change(catalog: Catalog) -> book.KeyChange:
        old = book.find(catalog, key)
        secret = new_key(f"{old.kind}_")
        ending, new, written = book.rotated(catalog, old, key_hash(secret), grace_ms, now)
        if not grace_ms:
            confirm(yes, f"End key {describe(old)} at once? Whoever still sends with it gets 401.")
        made.append((ending, new, secret))
        return written

    _write(directory, change, "keys rotate", now)
    ((ending, new, secret),) = made
    if output == "json":
        print_json({**as_json(new, now), "key": secret, "replaces": as_json(ending, now)})
        return
    click.echo(secret)
    click.echo(f"Its id is {new.id}. {_KEEP}", err=True)
    until = f"works until {book.rfc3339(ending.expires_at)}" if grace_ms else "has ended"
    click.echo(f"The old key {ending.id} {until}.", err=True)


@keys.command()
@click.argument("key")
@terms_options
@click.option("--add-origin", multiple=True, type=Origin(), help="A web origin to allow besides those it has.")
@output_option
@dir_option
def change(
    key: str, label: str | None, events: Sequence[str], origins: Sequence[str], rate: float | None,
    burst: int | None, expires: int | None, add_origin: Sequence[str], output: str, directory: Path | None,
) -> None:  # fmt: skip
    """Change the terms of KEY, the key itself or its id. What is not given stays as it is."""
    now = _now()
    made: list[Key] = []

    def changed(catalog: Catalog) -> book.KeyChange:
        old = book.find(catalog, key)
        new = _with_terms(old, label, events, origins, rate, burst, expires)
        if add_origin and new.origins is not None:
            new = replace(new, origins=tuple(dict.fromkeys((*new.origins, *add_origin))))
        if new == old:
            raise click.UsageError(f"nothing is to change: key {old.id} has these terms already")
        if new.events != old.events:
            _warn_of_unplanned(catalog, new)
        changed_key, written = book.changed(catalog, new, now)
        made.append(changed_key)
        return written

    _write(directory, changed, "keys change", now)
    if output == "json":
        print_json(as_json(made[0], now))
    else:
        print_keys([as_json(made[0], now)])


@keys.command()
@click.argument("key")
@yes_option
@output_option
@dir_option
def revoke(key: str, yes: bool, output: str, directory: Path | None) -> None:
    """Revoke KEY: the key itself, or its id from `offerflow keys list`. Requests with it get 401 within a second."""
    found: list[Key] = []
    now = _now()

    def change(catalog: Catalog) -> book.KeyChange:
        found.append(book.find(catalog, key))
        written = book.revoked(found[0], now)
        confirm(yes, f"Revoke key {describe(found[0])}? Whoever still sends with it gets 401, and its events are lost.")
        return written

    _write(directory, change, "keys revoke", now)
    if output == "json":
        print_json({"id": found[0].id, "source": found[0].source})
    else:
        click.echo(f"revoked {describe(found[0])}")


@keys.command("list")
@click.option("--source", help="Only those of one source.")
@output_option
@dir_option
def list_keys(source: str | None, output: str, directory: Path | None) -> None:
    """List the keys by the first digits of their SHA-256. The keys themselves are not kept anywhere."""
    found = list_of(connect(StackFiles.find(directory)), source, _now())
    if output == "json":
        print_json(found)
    else:
        print_keys(found)
        if not found:
            click.echo(_nothing(source), err=True)


@keys.command(short_help="Show what KEY, or its id, may do and when it was last used.")
@click.argument("key")
@output_option
@dir_option
def show(key: str, output: str, directory: Path | None) -> None:
    """Show all that KEY, the key itself or its id, may do, and when it was last used."""
    found = one_of(connect(StackFiles.find(directory)), key, _now())
    if output == "json":
        print_json(found)
    else:
        print_key(found)


def _nothing(source: str | None) -> str:
    if source is None:
        return "there are no keys yet: `offerflow keys create SOURCE` makes one"
    return f"no key is of source {source!r}: `offerflow keys list` shows the keys of all sources"


def _write(directory: Path | None, change: Callable[[Catalog], book.KeyChange], how: str, now: int) -> None:
    """The change of the catalog as it is now, with its record for the topic of audits."""
    settings = connect(StackFiles.find(directory))
    with CatalogWriter(settings) as writer:
        made = change(writer.catalog)
        author = current_author(how)
        told = made.audit(settings.topic("audit"), author.name, author.how, now, writer.catalog.head.serial)
        writer.write(made.records, [told])


def _with_terms(
    key: Key, label: str | None, events: Sequence[str], given: Sequence[str], rate: float | None, burst: int | None,
    expires: int | None,
) -> Key:  # fmt: skip
    if events:
        listed = _some(names(events), "--events", "names of events, or `any`")
        key = replace(key, events=None if listed == ANY else listed)
    if given:
        listed = _some(origins(given), "--origins", "web origins, or `any`")
        key = replace(key, origins=None if listed == ANY else listed)
    if key.origins is not None and key.kind != WRITE[:2]:
        raise click.UsageError("a server key must never be in a page; --origins is for keys made with --write")
    if rate is not None or burst is not None:
        pace = key.rate if rate is None else rate
        key = replace(key, rate=pace, burst=burst_of(pace, burst))
    if label is not None:
        key = replace(key, label=label.strip()[:200])
    if expires is not None:
        key = replace(key, expires_at=expires)
    return key


def _some(listed: tuple[str, ...], option: str, expected: str) -> tuple[str, ...]:
    if not listed or (listed != ANY and ANY[0] in listed):
        raise click.UsageError(f"{option}: expected {expected}, got {', '.join(listed) or 'nothing'}")
    return listed


def _warn_of_unplanned(catalog: Catalog, key: Key) -> None:
    planned = {name for value in catalog.current("event").values() for name in value["schema"].get("event", ())}
    for name in key.events or ():
        if name not in planned:
            click.echo(f"warning: the event plan has no event {name!r}{did_you_mean(name, planned)}", err=True)


def _now() -> int:
    return time.time_ns() // 1_000_000

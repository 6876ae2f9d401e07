"""``offerflow keys``: keys by which sources send events over HTTP. Only their SHA-256 is kept, in the catalog."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from console.cli.options import dir_option, output_option
from console.cli.output import print_json, print_table
from console.stack.client import connect
from console.stack.files import StackFiles
from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import Catalog
from offerflow.catalog.writer import CatalogWriter
from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.keys import SERVER, WRITE, key_hash, new_key

_ACTIVE_PER_SOURCE = 2  # the old one and the new one, while senders change over
_ID_DIGITS = 12


@click.group()
def keys() -> None:
    """Create, list and revoke the keys by which sources send events over HTTP."""


@keys.command()
@click.argument("source")
@click.option("--write", is_flag=True, help="A write-only key (wk_…), which may live in apps and browsers.")
@output_option
@dir_option
def create(source: str, write: bool, output: str, directory: Path | None) -> None:
    """Create a key for SOURCE and print it, this once. A source has at most two, so that they can be rotated."""
    settings = connect(StackFiles.find(directory))
    key = new_key(WRITE if write else SERVER)
    with CatalogWriter(settings) as writer:
        _check_room(writer.catalog, source)
        made = {"source": source, "kind": key[:2], "created_at": datetime.now(UTC).isoformat(timespec="seconds")}
        writer.write({f"key/{key_hash(key)}": made})
    if output == "json":
        print_json({"key": key, "id": key_hash(key)[:_ID_DIGITS], "source": source})
        return
    click.echo(key)
    click.echo("Keep it now: it cannot be shown again. The edge knows it within a second.", err=True)


@keys.command("list")
@output_option
@dir_option
def list_keys(output: str, directory: Path | None) -> None:
    """List the active keys by the first digits of their SHA-256. The keys themselves are not kept anywhere."""
    settings = connect(StackFiles.find(directory))
    Admin(settings).ping()
    follower = CatalogFollower(settings, "offerflow-keys")
    try:
        catalog = follower.start()
    finally:
        follower.close()
    found = [{"id": name.removeprefix("key/")[:_ID_DIGITS], **value} for name, value in catalog.of_kind("key").items()]
    found.sort(key=lambda key: (key["source"], key.get("created_at", "")))
    if output == "json":
        print_json(found)
    else:
        columns = ("id", "source", "kind", "created_at")
        print_table(columns, ([key.get(column) for column in columns] for key in found))


@keys.command()
@click.argument("key")
@output_option
@dir_option
def revoke(key: str, output: str, directory: Path | None) -> None:
    """Revoke KEY: the key itself, or its id from `offerflow keys list`. Requests with it get 401 within a second."""
    settings = connect(StackFiles.find(directory))
    with CatalogWriter(settings) as writer:
        known = writer.catalog.keys
        wanted = key_hash(key) if key.startswith((SERVER, WRITE)) else key.lower()
        matching = [digest for digest in known if wanted and digest.startswith(wanted)]
        if len(matching) != 1:
            reason = "no active key" if not matching else f"{len(matching)} keys"
            raise OfferflowError(f"{reason} with this id; `offerflow keys list` shows the ids of all")
        (digest,) = matching
        source = known[digest]
        writer.write({f"key/{digest}": None})
    if output == "json":
        print_json({"id": digest[:_ID_DIGITS], "source": source})
    else:
        click.echo(f"revoked {digest[:_ID_DIGITS]} of {source}")


def _check_room(catalog: Catalog, source: str) -> None:
    if source not in catalog.sources:
        hint = did_you_mean(source, catalog.sources)
        raise OfferflowError(f"there is no source {source!r}; declare it in sources.yaml and apply that first{hint}")
    active = sum(owner == source for owner in catalog.keys.values())
    if active >= _ACTIVE_PER_SOURCE:
        raise OfferflowError(
            f"{source} has {active} active keys already; revoke one that is no longer used (`offerflow keys list`)"
        )

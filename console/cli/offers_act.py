"""``offers pause|resume``, which change the definition, and ``offers hold|release``, which work at once."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

import click

from console.cli.changes import change_json, confirm, refuse, show_change, tell_workers
from console.cli.options import Duration, dir_option, follow_up, output_option, yes_option
from console.cli.output import print_json
from console.cli.tables import visible
from console.stack.client import connect
from console.stack.files import StackFiles
from console.workspace.change import plan_change
from console.workspace.commit import commit, current_author
from console.workspace.definitions import Definition, definition_of
from console.workspace.in_force import await_in_force
from console.workspace.problems import WorkspaceProblems
from console.workspace.reading import read_catalog
from console.workspace.releases import release as release_of
from console.workspace.state import Content, state_of
from console.workspace.traffic import traffic_from
from offerflow.catalog.view import Catalog
from offerflow.catalog.writer import CatalogWriter
from offerflow.rules.ids import content_hash
from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.errors import KafkaDown, OfferflowError
from offerflow.runtime.settings import Settings
from offerflow.runtime.store import holds
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.entry_list import entry_numbers
from offerflow.runtime.store.transactions import reading

_LIVE, _PAUSED = "live", "paused"
_dry_run = click.option("--dry-run", is_flag=True, help="Show what would change and write nothing.")
_timeout = click.option(
    "--timeout", type=Duration(), default="30s", show_default=True, help="How long to wait for the workers."
)


@click.command()
@click.argument("offers", metavar="OFFER...", nargs=-1, required=True)
@_dry_run
@_timeout
@yes_option
@output_option
@dir_option
def pause(
    offers: tuple[str, ...], dry_run: bool, timeout: float, yes: bool, output: str, directory: Path | None
) -> None:  # fmt: skip
    """Let nobody enter the offers any more. Who is inside stays, and may complete and be rewarded.

    The status in the catalog changes, as by `apply`; `offerflow pull` brings it into the files. To stop payments too,
    hold the offers.
    """
    _set(directory, offers, _PAUSED, dry_run, timeout, yes, output)


@click.command()
@click.argument("offers", metavar="OFFER...", nargs=-1, required=True)
@_dry_run
@_timeout
@yes_option
@output_option
@dir_option
def resume(
    offers: tuple[str, ...], dry_run: bool, timeout: float, yes: bool, output: str, directory: Path | None
) -> None:  # fmt: skip
    """Let people enter paused offers again."""
    _set(directory, offers, _LIVE, dry_run, timeout, yes, output)


@click.command()
@click.argument("offer")
@click.option("--force", is_flag=True, help="Also an offer that nobody knows, say while Kafka is away.")
@output_option
@dir_option
def hold(offer: str, force: bool, output: str, directory: Path | None) -> None:
    """Stop all webhooks of OFFER and leave its rewards out of the list that systems pull, at once.

    For emergencies: nothing is asked, and Kafka need not be there. Decisions go on, topics carry them as ever, and
    nothing is lost: `offers release` lets out what was held back.
    """
    settings = connect(StackFiles.find(directory))
    engine = open_store(settings)
    if not force:
        with reading(engine) as connection:
            entered, held = set(entry_numbers(connection)), holds.held_offers(connection)
        if offer not in entered:
            _must_be_defined(settings, offer, entered, held)
    began = holds.hold(engine, offer, current_author("offers hold").name)
    if output == "json":
        print_json({"offer": offer, "on_hold": True, "changed": began})
    else:
        ends = visible(follow_up(f"offers release {shlex.quote(offer)}"))
        click.echo(f"{visible(offer)} is on hold{'' if began else ' already'}; `{ends}` ends it")


@click.command()
@click.argument("offer")
@yes_option
@output_option
@dir_option
def release(offer: str, yes: bool, output: str, directory: Path | None) -> None:
    """End the hold on OFFER. Webhooks held back go out, and its rewards are listed again for whoever pulls."""
    engine = open_store(connect(StackFiles.find(directory)))
    with reading(engine) as connection:
        held = holds.holds_now(connection)
    if offer not in held:
        raise OfferflowError(f"{visible(offer)} is not on hold{did_you_mean(offer, held)}. {_on_hold(held)}")
    confirm(yes, f"Release {visible(offer)}, on hold by {visible(held[offer][1])}?")
    ended = holds.release(engine, offer)
    if output == "json":
        print_json({"offer": offer, "on_hold": False, "changed": ended})
    else:
        click.echo(f"{visible(offer)} is released")


def _set(
    directory: Path | None, offers: tuple[str, ...], status: str, dry_run: bool, timeout: float, yes: bool, output: str
) -> None:  # fmt: skip
    settings = connect(StackFiles.find(directory))
    verb = "pause" if status == _PAUSED else "resume"
    workers: dict[str, int] = {}
    try:
        with CatalogWriter(settings) as writer:
            defined = {one.name: one for one in (_with_status(writer.catalog, offer, status) for offer in offers)}
            change = plan_change(writer.catalog, defined, traffic=traffic_from(settings))
            if output == "table":
                show_change(change)
            apply = bool(change.records) and not dry_run
            if apply:
                confirm(yes, f"{verb.capitalize()} {len(change.lines)} offer{'s' if len(change.lines) != 1 else ''}?")
                workers = commit(settings, writer, change, current_author(f"offers {verb}"), timeout)
            serial = change.serial if apply else writer.catalog.head.serial
            if not change.records and not dry_run:  # one that ran out of time may be asked again
                workers = await_in_force(settings, timeout, release_of(writer.catalog, serial))
    except WorkspaceProblems as error:
        refuse(error, output)
    if output == "json":
        print_json(change_json(change, serial, workers, applied=apply))
    elif not dry_run:
        tell_workers(workers)


def _with_status(catalog: Catalog, offer: str, status: str) -> Definition:
    """The offer with another status; live is said where it was said before. Raises OfferflowError if there is none, or
    if it cannot have it."""
    state = state_of(catalog)
    content = state.get(f"offer/{offer}")
    if content is None:
        known = [name.partition("/")[2] for name in state if name.startswith("offer/")]
        raise OfferflowError(f"there is no offer {visible(offer)}{did_you_mean(offer, known)}")
    now = content.get("status", _LIVE)
    if now not in (_LIVE, _PAUSED):
        raise OfferflowError(f"{offer} is a {now}; give it status: {status} in its definition and apply that")
    if now != status:
        unsaid = {key: value for key, value in content.items() if key != "status"}
        content = {**content, "status": status}
        if status == _LIVE and (_known(catalog, offer, unsaid) or not _known(catalog, offer, content)):
            content = unsaid
    return definition_of("offer", content, "catalog")


def _known(catalog: Catalog, offer: str, content: Content) -> bool:
    """Whether the offer was ever defined so."""
    return f"offer/{offer}@{content_hash(content)}" in catalog.records


def _on_hold(held: Iterable[str]) -> str:
    named = ", ".join(visible(one) for one in sorted(held))
    return f"On hold now: {named}" if named else "Nothing is on hold now"


def _must_be_defined(settings: Settings, offer: str, entered: set[str], held: set[str]) -> None:
    try:
        catalog, _ = read_catalog(settings)
    except KafkaDown as error:
        raise KafkaDown(
            f"{error}; so nobody knows whether there is an offer {visible(offer)}: if you do, add --force"
        ) from None
    known = {name.partition("/")[2] for name in state_of(catalog) if name.startswith("offer/")}
    if offer not in known:
        near = did_you_mean(offer, known | entered) or "; `offerflow offers list` shows which there are"
        raise OfferflowError(f"there is no offer {visible(offer)}{near}. {_on_hold(held)}")

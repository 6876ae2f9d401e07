"""``offerflow rulesets``: what was applied when and by whom, what changed between, and the way back."""

from __future__ import annotations

from pathlib import Path

import click

from console.cli.changes import (
    change_json,
    confirm,
    refuse,
    show_change,
    show_lines,
    summary,
    tell_workers,
)
from console.cli.options import Duration, dir_option, output_option, yes_option
from console.cli.output import print_json
from console.cli.tables import print_fitting
from console.stack.client import connect
from console.stack.files import StackFiles
from console.workspace.change import plan_rollback
from console.workspace.commit import commit, current_author
from console.workspace.effects import with_effects
from console.workspace.in_force import await_in_force
from console.workspace.lines import lines_between
from console.workspace.problems import WorkspaceProblems
from console.workspace.reading import read_catalog
from console.workspace.releases import Release, release, releases, state_at
from console.workspace.state import state_of
from console.workspace.traffic import traffic_from
from offerflow.catalog.view import Catalog
from offerflow.catalog.writer import CatalogWriter
from offerflow.runtime.errors import OfferflowError

_MARKS = {"add": "+", "change": "~", "remove": "-"}
_NAMED = 3
ROLLBACK = "rollback to"
"""``how`` of a release that a rollback wrote, before the number it went back to."""


@click.group()
def rulesets() -> None:
    """List what was applied, compare it, and go back to it."""


@rulesets.command("list", short_help="List the releases of the catalog, newest first.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, the newest first.")
@output_option
@dir_option
def list_rulesets(limit: int, output: str, directory: Path | None) -> None:
    """List the releases of the catalog, newest first; the present one is marked with *."""
    catalog, _ = read_catalog(connect(StackFiles.find(directory)))
    found = releases(catalog)[::-1][:limit]
    if output == "json":
        print_json([_release_json(one, catalog) for one in found])
        return
    columns = ("", "release", "at", "by", "how", "ruleset", "changes")
    print_fitting(columns, [
        ("*" if one.serial == catalog.head.serial else "", one.serial, (one.at or "-")[:19].replace("T", " "),
         one.by or "-", one.how or "-", one.ruleset[:8] or "-", _changes(one))
        for one in found
    ], prose=True)  # fmt: skip


@rulesets.command(short_help="Show what changed between two releases, or since one.")
@click.argument("first", metavar="A", type=int)
@click.argument("second", metavar="[B]", type=int, required=False)
@output_option
@dir_option
def diff(first: int, second: int | None, output: str, directory: Path | None) -> None:
    """Show what changed from release A to release B, or to the present one."""
    catalog, _ = read_catalog(connect(StackFiles.find(directory)))
    old, new = release(catalog, first), release(catalog, catalog.head.serial if second is None else second)
    before, after = state_at(catalog, old), state_at(catalog, new)
    lines = with_effects(lines_between(before, after), before, after)
    if output == "json":
        print_json({
            "from": _release_json(old, catalog), "to": _release_json(new, catalog),
            "changes": [line.as_json() for line in lines],
        })  # fmt: skip
        return
    if not lines:
        click.echo(f"Releases {old.serial} and {new.serial} define the same.")
        return
    show_lines(lines)
    click.echo(summary(lines))


@rulesets.command(short_help="Make an older release the present one again.")
@click.argument("serial", type=int, required=False)
@click.option("--dry-run", is_flag=True, help="Show what would change and write nothing.")
@click.option("--timeout", type=Duration(), default="30s", show_default=True, help="How long to wait for the workers.")
@yes_option
@output_option
@dir_option
def rollback(
    serial: int | None, dry_run: bool, timeout: float, yes: bool, output: str, directory: Path | None
) -> None:  # fmt: skip
    """Make what release SERIAL defined (default: the one before the present) the present again, as a new release.

    Events, conditions, offers and sources go back; keys stay. Schema ids are never used for anything else, so what was
    written in between stays readable. Where validation holds because of the present plan, it goes on under the older.
    """
    settings = connect(StackFiles.find(directory))
    workers: dict[str, int] = {}
    try:
        with CatalogWriter(settings) as writer:
            target = release(writer.catalog, serial) if serial is not None else _before(writer.catalog)
            change = plan_rollback(writer.catalog, target.serial, traffic=traffic_from(settings))
            if output == "table":
                click.echo(f"Back to release {target.serial}, written {target.author.partition(' (')[0]}:", err=True)
                show_change(change)
            apply = bool(change.records) and not dry_run
            if apply:
                confirm(yes, f"Go back to release {target.serial}?")
                workers = commit(settings, writer, change, current_author(f"{ROLLBACK} {target.serial}"), timeout)
            present = change.serial if apply else writer.catalog.head.serial
            if not change.records and not dry_run:  # a rollback that ran out of time may be asked again
                workers = await_in_force(settings, timeout, release(writer.catalog, present))
    except WorkspaceProblems as error:
        refuse(error, output)
    if output == "json":
        print_json({**change_json(change, present, workers, applied=apply), "to": target.serial})
    elif apply:
        click.echo(f"release {present} is what release {target.serial} was")
    if output == "table":
        tell_workers(workers)


def _before(catalog: Catalog) -> Release:
    older = releases(catalog)
    present = older.pop() if older else None
    if present is not None and (present.how or "").startswith(ROLLBACK):
        raise OfferflowError(
            f"release {present.serial} is a rollback already ({present.how}); say which release to go to"
            " (`offerflow rulesets list`)"
        )
    for one in reversed(older):  # a release may have released the fuse and changed no definition
        if state_at(catalog, one) != state_of(catalog):
            return one
    raise OfferflowError("there is no earlier release to go back to (`offerflow rulesets list`)")


def _changes(one: Release) -> str:
    """``+2 ~1 -0: offer upgrade, …``."""
    if not one.changes:
        return "-"
    counts = " ".join(f"{mark}{sum(change['action'] == action for change in one.changes)}"
                      for action, mark in _MARKS.items())  # fmt: skip
    names = [f"{_MARKS[change['action']]}{change['kind']} {change['id']}" for change in one.changes[:_NAMED]]
    more = f", {len(one.changes) - _NAMED} more" if len(one.changes) > _NAMED else ""
    return f"{counts}: {', '.join(names)}{more}"


def _release_json(one: Release, catalog: Catalog) -> dict[str, object]:
    return {
        "serial": one.serial, "at": one.at, "by": one.by, "how": one.how, "ruleset": one.ruleset or None,
        "changes": list(one.changes), "current": one.serial == catalog.head.serial,
    }  # fmt: skip

"""``offerflow apply``: definitions from files into the catalog, checked as a whole, written as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from console.cli.changes import (
    change_json,
    confirm,
    refuse,
    show_change,
    show_conflicts,
    tell_workers,
)
from console.cli.options import Duration, dir_option, output_option, yes_option
from console.cli.output import print_json
from console.cli.paths import told_paths
from console.stack.client import connect
from console.stack.files import StackFiles
from console.workspace.change import Change, plan_change
from console.workspace.commit import commit, current_author
from console.workspace.conflicts import Conflict, WorkspaceConflicts, find_conflicts
from console.workspace.definitions import Definition, read_workspace
from console.workspace.in_force import NotInForce, await_in_force
from console.workspace.problems import Problem, WorkspaceProblems
from console.workspace.pulled import Bases
from console.workspace.releases import FILES, release
from console.workspace.traffic import traffic_from
from offerflow.catalog.writer import CatalogWriter
from offerflow.runtime.settings import Settings


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would change and write nothing.")
@click.option("--prune", is_flag=True, help="Remove what is in the catalog but not in DIR.")
@click.option("--overwrite", is_flag=True, help="Apply the files even where the catalog was changed since by others.")
@click.option("--timeout", type=Duration(), default="30s", show_default=True, help="How long to wait for the workers.")
@yes_option
@output_option
@dir_option
def apply(
    folders: tuple[Path, ...], dry_run: bool, prune: bool, overwrite: bool, timeout: float, yes: bool, output: str,
    directory: Path | None,
) -> None:  # fmt: skip
    """Put the definitions found below DIR into the catalog and activate them.

    Event schemas (*.avsc), conditions, offers, settings and sources (*.yaml) are told apart by content. Everything is
    checked first; if anything is wrong, or somebody changed the same definition in the catalog meanwhile, that is told
    by file and line and nothing is written. Returns when the running workers have the new definitions in force.
    """
    settings = connect(StackFiles.find(directory))
    try:
        told = _apply(settings, folders, dry_run, prune, overwrite, yes, output, timeout)
    except WorkspaceProblems as error:
        refuse(error, output)
    except WorkspaceConflicts as error:
        if output == "json":
            conflicts = [conflict.as_json() for conflict in error.conflicts]
            print_json({"applied": False, "problems": [], "conflicts": conflicts})
        else:
            show_conflicts(error)
        raise click.exceptions.Exit(1) from None
    if output == "json":
        print_json(told)


def _apply(
    settings: Settings, folders: tuple[Path, ...], dry_run: bool, prune: bool, overwrite: bool, yes: bool, output: str,
    timeout: float,
) -> dict[str, Any]:  # fmt: skip
    problems: list[Problem] = []
    with told_paths():
        defined = read_workspace(list(folders), problems)
    if problems:
        raise WorkspaceProblems(problems)
    with CatalogWriter(settings) as writer:
        with told_paths():
            bases = Bases(folders, writer.catalog_id)
        if not overwrite:
            _refuse(find_conflicts(writer.catalog, defined, [], bases.of))
        change = plan_change(writer.catalog, defined, prune=prune, traffic=traffic_from(settings))
        removed = [line.name for line in change.lines if line.action == "remove"]
        if not overwrite:
            _refuse(find_conflicts(writer.catalog, {}, removed, bases.of))
        if output == "table":
            show_change(change)
        serial = change.serial or writer.catalog.head.serial
        workers: dict[str, int] = {}
        if not dry_run:
            if change.records:
                confirm(yes, "Apply this?")
            try:
                if change.records:
                    workers = commit(settings, writer, change, current_author(FILES), timeout)
                else:  # an apply that ran out of time may be asked again
                    workers = await_in_force(settings, timeout, release(writer.catalog, serial))
            except NotInForce:
                _agree(bases, serial, change, defined, removed)
                raise
            _agree(bases, serial, change, defined, removed)
    if output == "table" and workers:
        tell_workers(workers)
    return change_json(change, serial, workers, applied=bool(change.records) and not dry_run)


def _agree(
    bases: Bases, serial: int, change: Change, defined: dict[str, Definition], removed: list[str]
) -> None:  # fmt: skip
    try:
        bases.agree(serial, change.state, defined, removed)
    except OSError as error:  # the catalog has it all the same
        told = f"{error.filename}: {error.strerror}; what was applied now may look like another's change next time"
        click.echo(f"warning: {told}", err=True)


def _refuse(conflicts: list[Conflict]) -> None:
    if conflicts:
        raise WorkspaceConflicts(conflicts)

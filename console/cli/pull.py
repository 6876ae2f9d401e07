"""``offerflow pull``: the catalog's definitions as files."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NoReturn

import click

from console.cli.changes import MARKS, problems_json
from console.cli.options import dir_option, output_option
from console.cli.output import print_json
from console.cli.paths import told_paths
from console.stack.client import connect
from console.stack.files import StackFiles
from console.workspace.conflicts import earlier_content
from console.workspace.definitions import Definition, read_workspace
from console.workspace.problems import Problem, WorkspaceProblems
from console.workspace.pulled import Base, read_base, write_base
from console.workspace.pulling import plan_pull
from console.workspace.reading import read_catalog
from console.workspace.state import state_of
from console.workspace.writing import write_files
from offerflow.runtime.settings import Settings


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite what was edited here with what the catalog has.")
@click.option("--dry-run", is_flag=True, help="Show what would be written and write nothing.")
@output_option
@dir_option
def pull(folder: Path, force: bool, dry_run: bool, output: str, directory: Path | None) -> None:
    """Write what the catalog defines into DIR.

    Definitions that DIR has already stay in their files, comments and all; only what differs is written. What was
    edited here since the last pull is told and nothing is written, unless --force is given. Definitions that only DIR
    has are left alone. From then on `offerflow apply DIR` knows what changed on which side.
    """
    settings = connect(StackFiles.find(directory))
    with told_paths():
        _pull(settings, folder, force, dry_run, output)


def _pull(settings: Settings, folder: Path, force: bool, dry_run: bool, output: str) -> None:
    defined = _defined(folder, output)
    catalog, catalog_id = read_catalog(settings)
    state = state_of(catalog)
    base = read_base(folder, catalog_id)
    planned = plan_pull(folder, state, defined, base, functools.partial(earlier_content, catalog))
    if planned.edited and not force:
        number = len(planned.edited)
        _refuse(planned.edited, output, f"{number} definition{'s' if number != 1 else ''} edited here")
    if not dry_run:
        write_files(planned.steps, state, defined)
        fresh = Base(catalog.head.serial)
        fresh.take(catalog.head.serial, state, state)
        write_base(folder, catalog_id, fresh)
    if output == "json":
        written = [{"action": step.action, "name": step.name, "file": str(step.file)} for step in planned.steps]
        print_json({
            "serial": catalog.head.serial, "written": written, "kept": planned.kept,
            "superseded": planned.superseded, "applied": not dry_run,
        })  # fmt: skip
        return
    for step in planned.steps:
        mark, colour = MARKS[step.action]
        click.echo(click.style(f"{mark} {step.name.replace('/', ' ', 1)}  {step.file}", fg=colour))
    for name in planned.kept:
        click.echo(f"  {name.replace('/', ' ', 1)} is only here; apply would add it")
    for name in planned.superseded:
        click.echo(f"  {name.replace('/', ' ', 1)} is in the catalog only: its file is a later version now")
    rest = "all" if not planned.superseded else "all else"
    if not planned.steps:
        click.echo(f"Nothing to write: {folder} has {rest} of release {catalog.head.serial}.")
    elif dry_run:
        click.echo("Nothing was written (--dry-run).")
    else:
        click.echo(f"{folder} has {rest} of release {catalog.head.serial}.")


def _defined(folder: Path, output: str) -> dict[str, Definition]:
    """What the folder has. A file that cannot be read may hold edits: that is an error, forced or not."""
    problems: list[Problem] = []
    defined = read_workspace([folder], problems, may_be_empty=True)
    if problems:
        _refuse(problems, output, "the folder cannot be read as a whole")
    return defined


def _refuse(problems: list[Problem], output: str, why: str) -> NoReturn:
    if output == "json":
        print_json({"applied": False, "written": [], "problems": problems_json(WorkspaceProblems(problems))})
    else:
        for problem in problems:
            click.echo(str(problem), err=True)
        click.echo(f"error: {why}; nothing was written", err=True)
    raise click.exceptions.Exit(1)

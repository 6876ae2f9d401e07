"""``offerflow apply``: definitions from files into the catalog, checked as a whole, written as a whole."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from console.cli.options import Duration, dir_option, output_option, yes_option
from console.cli.output import print_json
from console.stack.client import connect
from console.stack.files import StackFiles
from console.workspace.change import Change, json_lines, plan_change
from console.workspace.definitions import read_workspace
from console.workspace.in_force import await_in_force
from console.workspace.problems import Problem, WorkspaceProblems
from offerflow.catalog.writer import CatalogWriter
from offerflow.runtime.kafka.transactional import Output
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import create_topics
from schemas.journal import RULESET_ACTIVATED

_MARKS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would change and write nothing.")
@click.option("--prune", is_flag=True, help="Remove what is in the catalog but not in DIR.")
@click.option("--timeout", type=Duration(), default="30s", show_default=True, help="How long to wait for the workers.")
@yes_option
@output_option
@dir_option
def apply(
    folders: tuple[Path, ...], dry_run: bool, prune: bool, timeout: float, yes: bool, output: str,
    directory: Path | None,
) -> None:  # fmt: skip
    """Put the definitions found below DIR into the catalog and activate them.

    Event schemas (*.avsc), conditions, offers and sources (*.yaml) are told apart by their content. Everything is
    checked first; if anything is wrong, each problem is shown as file:line and nothing is written. Returns when the
    running workers have the new definitions in force.
    """
    settings = connect(StackFiles.find(directory))
    try:
        change, applied, workers = _apply(settings, folders, dry_run, prune, yes, output, timeout)
    except WorkspaceProblems as error:
        _show_problems(error, output)
        raise click.exceptions.Exit(1) from None
    if output == "json":
        print_json({
            "changes": json_lines(change), "applied": applied, "ruleset": change.ruleset or None,
            "serial": change.serial, "workers": workers,
        })  # fmt: skip


def _apply(
    settings: Settings, folders: tuple[Path, ...], dry_run: bool, prune: bool, yes: bool, output: str, timeout: float
) -> tuple[Change, bool, dict[str, int]]:
    problems: list[Problem] = []
    defined = read_workspace(list(folders), problems)
    if problems:
        raise WorkspaceProblems(problems)
    with CatalogWriter(settings) as writer:
        change = plan_change(writer.catalog, defined, prune=prune)
        if output == "table":
            _show(change)
        if dry_run or not change.records:
            change.serial = change.serial or writer.catalog.head.serial
            return change, False, {}
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("there is no terminal to ask on; add --yes to apply this, or --dry-run to look")
            click.confirm("Apply this?", abort=True, err=True)
        create_topics(settings, change.raw_topics)
        writer.write(change.records, _activations(settings, change.ruleset))
    workers = await_in_force(settings, timeout)
    if output == "table":
        _tell(workers)
    return change, True, workers


def _activations(settings: Settings, ruleset: str) -> list[Output]:
    """The record that puts a ruleset in force, for every partition of the journal."""
    if not ruleset:
        return []
    value = RULESET_ACTIVATED.encode({"ruleset": ruleset})
    return [
        Output(settings.topic("journal"), None, value, partition=partition) for partition in range(settings.partitions)
    ]


def _show(change: Change) -> None:
    if not change.lines:
        click.echo("Nothing to change: the catalog has all of this.")
        return
    for line in change.lines:
        mark, colour = _MARKS[line.action]
        click.echo(click.style(f"{mark} {line.kind} {line.id}", fg=colour))
    counts = [f"{sum(line.action == action for line in change.lines)} to {action}" for action in _MARKS]
    click.echo(", ".join(counts) + (f"; ruleset {change.ruleset}" if change.ruleset else ""))


def _tell(workers: dict[str, int]) -> None:
    for stage, number in workers.items():
        if number:
            click.echo(f"in force at {number} {stage} worker{'s' if number != 1 else ''}")
        else:
            click.echo(f"no {stage} worker is running; it will take this when it starts")


def _show_problems(error: WorkspaceProblems, output: str) -> None:
    if output == "json":
        print_json({
            "applied": False,
            "problems": [
                {"file": p.file, "line": p.line, "path": list(p.path), "message": p.message} for p in error.problems
            ],
        })  # fmt: skip
    else:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        click.echo(f"error: {error}", err=True)

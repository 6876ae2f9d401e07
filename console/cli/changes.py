"""The diff on a terminal, within 80 columns; the same for everything that changes the catalog."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import click

from console.cli.output import print_json
from console.workspace.change import Change, json_lines
from console.workspace.conflicts import Conflict, WorkspaceConflicts
from console.workspace.differences import Detail
from console.workspace.lines import Line
from console.workspace.problems import WorkspaceProblems

MARKS = {"add": ("+", "green"), "change": ("~", "yellow"), "remove": ("-", "red")}
_EFFECTS = {"breaks": ("!", "red"), "touches": (">", "cyan"), "reads": ("=", None), "note": ("i", None)}
_FIRST_VERSION_FIELDS = 12


def show_change(change: Change) -> None:
    """The whole diff and its summary on stdout, or that there is nothing to change."""
    if not change.lines:
        click.echo("Nothing to change: the catalog has all of this.")
        return
    show_lines(change.lines)
    click.echo(summary(change.lines))
    if change.ruleset:
        if change.size is not None:
            click.echo(f"state of a user who is in every offer: {change.size}")
        click.echo(f"ruleset {change.ruleset} will be in force")


def show_lines(lines: Sequence[Line]) -> None:
    for line in lines:
        mark, colour = MARKS[line.action]
        after = f" (after version {line.against.rpartition('@')[2]})" if line.against else ""
        click.echo(click.style(f"{mark} {line.kind} {line.id}{after}", fg=colour, bold=True))
        show_details(line.details if line.against or line.action != "add" else _folded(line.details))
        if line.size is not None and line.action != "remove":
            _item("i", f"state: {line.size}", None)
        for effect in line.effects:
            sign, colour_of_effect = _EFFECTS[effect.kind]
            lead = "breaks senders: " if effect.kind == "breaks" and line.kind in ("event", "source") else ""
            _item(sign, f"{lead}{effect.text}", colour_of_effect)


def show_details(details: Iterable[Detail], indent: int = 4) -> None:
    for one in details:
        mark, colour = MARKS[one.action]
        _item(mark, one.text, colour, indent)


def summary(lines: Sequence[Line]) -> str:
    """``3 to add, 1 to change, 0 to remove``, and how much of it breaks something."""
    counts = [f"{sum(line.action == action for line in lines)} to {action}" for action in MARKS]
    breaking = sum(any(effect.kind == "breaks" for effect in line.effects) for line in lines)
    return ", ".join(counts) + (f"; {breaking} break{'s' if breaking == 1 else ''} senders" if breaking else "")


def show_problems(error: WorkspaceProblems) -> None:
    """One line each on stderr, ``file:line: path: message``, as editors read them."""
    for problem in error.problems:
        click.echo(str(problem), err=True)
    click.echo(f"error: {error}", err=True)


def show_conflicts(error: WorkspaceConflicts) -> None:
    """Both sides of each, on stderr."""
    for conflict in error.conflicts:
        _show_conflict(conflict)
    click.echo(f"error: {error}", err=True)


def refuse(error: WorkspaceProblems, output: str) -> NoReturn:
    """Tell ``error`` as ``--output`` says, and end with code 1."""
    if output == "json":
        print_json({"applied": False, "problems": problems_json(error)})
    else:
        show_problems(error)
    raise click.exceptions.Exit(1)


def problems_json(error: WorkspaceProblems) -> list[dict[str, object]]:
    return [
        {"file": p.file, "line": p.line, "path": list(p.path), "message": p.message} for p in error.problems
    ]  # fmt: skip


def change_json(change: Change, serial: int, workers: dict[str, int], *, applied: bool) -> dict[str, Any]:
    """What a command that changes the catalog prints for programs."""
    counts = {action: sum(line.action == action for line in change.lines) for action in MARKS}
    return {
        "changes": json_lines(change), "summary": counts, "applied": applied, "ruleset": change.ruleset or None,
        "serial": serial, "workers": workers,
        "bytes_per_user": change.size.as_json() if change.size is not None else None,
    }  # fmt: skip


def confirm(yes: bool, question: str) -> None:
    """Ask on the terminal unless ``yes``. Raises UsageError where there is nobody to ask, as with ``--output json``:
    so no script takes a look for the deed."""
    if yes:
        return
    given = click.get_current_context().params
    why = "--output json does not ask" if given.get("output") == "json" else "there is no terminal to ask on"
    if given.get("output") == "json" or not sys.stdin.isatty():
        look = ", or --dry-run to look" if "dry_run" in given else ""
        raise click.UsageError(f"nothing was done: {why}; add --yes to do it{look}")
    click.confirm(question, abort=True, err=True)


def tell_workers(workers: dict[str, int]) -> None:
    """Where the change is in force."""
    for stage, number in workers.items():
        if number:
            click.echo(f"in force at {number} {stage} worker{'s' if number != 1 else ''}")
        else:
            click.echo(f"no {stage} worker is running; it will take this when it starts")


def _show_conflict(conflict: Conflict) -> None:
    place = f"{conflict.file}:{conflict.line}: " if conflict.file else ""
    click.echo(click.style(f"{place}conflict: {conflict.name.replace('/', ' ', 1)}", fg="red", bold=True), err=True)
    who = conflict.release.author if conflict.release else "by an unknown hand"
    for title, details in (
        (f"in the catalog: {conflict.catalog} {who}", conflict.catalog_details),
        (f"{'in the file' if conflict.file else 'with --prune'}: {conflict.files}", conflict.files_details),
    ):
        for text in _wrapped(title, "    ", "      "):
            click.echo(text, err=True)
        for one in details:
            mark, colour = MARKS[one.action]
            _item(mark, one.text, colour, 6, err=True)


def _folded(details: Sequence[Detail]) -> list[Detail]:
    """A definition that is new as a whole: its fields on one line, since the file says the rest."""
    if not details:
        return []
    names = [one.path for one in details]
    more = f" and {len(names) - _FIRST_VERSION_FIELDS} more" if len(names) > _FIRST_VERSION_FIELDS else ""
    text = f"field{'s' if len(names) > 1 else ''} {', '.join(names[:_FIRST_VERSION_FIELDS])}{more}"
    return [Detail("add", "fields", text)]


def _item(mark: str, text: str, colour: str | None, indent: int = 4, *, err: bool = False) -> None:
    for line in _wrapped(text, f"{' ' * indent}{mark} ", " " * (indent + 2)):
        click.echo(click.style(line, fg=colour), err=err)


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    width = min(max(shutil.get_terminal_size((80, 24)).columns, 40), 110)
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )  # fmt: skip

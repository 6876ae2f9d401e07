"""``offerflow plan``: the event plan, what was seen of it, and entries by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli.infer import infer
from console.cli.options import Duration, dir_option, output_option
from console.cli.output import print_json, print_table
from console.stack.client import connect
from console.stack.files import StackFiles

if TYPE_CHECKING:
    from console.plan.entries import Entry, PlanView, Sightings
    from offerflow.runtime.settings import Settings

ORIGIN = click.Choice(["sdk", "backend", "integration"])


@click.group()
def plan() -> None:
    """Show the event plan, add names to it, draft schemas from samples, write pages about it."""


plan.add_command(infer)


@plan.command("list")
@click.option("--unplanned", is_flag=True, help="Only names that came and are not planned.")
@click.option("--not-seen", is_flag=True, help="Only planned events that never came.")
@click.option("--source", help="Count only what came from this source.")
@output_option
@dir_option
def list_events(unplanned: bool, not_seen: bool, source: str | None, output: str, directory: Path | None) -> None:
    """List the planned events, and the names that came unplanned.

    Each with what was seen of it.
    """
    from console.cli.plan_text import ago, plain, short_origins

    if unplanned and not_seen:
        raise click.UsageError("--unplanned and --not-seen exclude each other: what never came is planned")
    view = _view(connect(StackFiles.find(directory)), source)
    entries = [] if unplanned else [one for one in view.entries if not (not_seen and one.sightings.seen)]
    strangers = {} if not_seen else dict(view.strangers)
    if output == "json":
        print_json([*map(_entry_line, entries), *(_stranger_line(name, one) for name, one in strangers.items())])
        return
    if entries:
        print_table(
            ("event", "v", "origins", "owner", "valid", "dead", "last seen"),
            (
                (
                    plain(one.name, 60), one.newest.number, short_origins(one.origins), plain(one.owner or "", 20),
                    *((one.sightings.valid, one.sightings.dead) if one.sightings.seen else ("", "")),
                    ago(one.sightings.last) if one.sightings.seen else "not seen yet",
                )
                for one in entries
            ),
        )  # fmt: skip
    if strangers:
        if entries:
            click.echo()
        click.echo("Not planned (`offerflow plan infer NAME --adopt` plans and replays):")
        print_table(
            ("name", "sources", "dead", "first seen", "last seen"),
            (
                (
                    plain(name, 60),
                    plain(" ".join(filter(None, one.sources)), 40),
                    one.dead,
                    ago(one.first),
                    ago(one.last),
                )
                for name, one in sorted(strangers.items(), key=lambda item: (-item[1].dead, item[0]))
            ),
        )
    if not entries and not strangers:
        click.echo("nothing of this kind; `offerflow apply DIR` or `offerflow plan add NAME` plans events", err=True)


@plan.command()
@click.argument("name")
@output_option
@dir_option
def show(name: str, output: str, directory: Path | None) -> None:
    """Show everything about the event NAME.

    NAME is a display name, an alias or a record name.
    """
    from console.cli.plan_text import entry_json, show_entry

    entry = _view(connect(StackFiles.find(directory)), None).find(name)
    if output == "json":
        print_json(entry_json(entry))
    else:
        show_entry(entry)


@plan.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option(
    "--origin", "origins", type=ORIGIN, multiple=True, help="Who may send it; several are fine. Default: all."
)
@click.option("--owner", help="Who answers questions about it.")
@click.option("--doc", help="What it means, in a sentence.")
@click.option("--timeout", type=Duration(), default="30s", show_default=True, help="How long to wait for the workers.")
@output_option
@dir_option
def add(
    names: tuple[str, ...], origins: tuple[str, ...], owner: str | None, doc: str | None, timeout: float, output: str,
    directory: Path | None,
) -> None:  # fmt: skip
    """Plan events by NAME alone, before they are first sent. Everything they carry is kept, as text, until `offerflow
    plan infer NAME` drafts their properties. NAME must be exactly what will be sent."""
    from console.cli.changes import show_problems
    from console.cli.plan_text import plain
    from console.plan.adding import add_names
    from console.plan.drafting import Choices
    from console.workspace.commit import current_author
    from console.workspace.problems import WorkspaceProblems
    from schemas.plan import ORIGINS

    settings = connect(StackFiles.find(directory))
    choices = Choices(origins=origins or ORIGINS, owner=owner, doc=doc)
    early = _view(settings, None).strangers
    try:
        added = add_names(settings, names, choices, current_author("plan add"), timeout)
    except WorkspaceProblems as error:
        show_problems(error)
        raise click.exceptions.Exit(1) from None
    if output == "json":
        print_json([{"event": one.name, "key": one.key, "near": one.near} for one in added])
        return
    for one in added:
        came = early[one.name].dead if one.name in early else 0
        seen = f"; {came} came before, `plan infer --adopt` replays them" if came else "; not seen yet"
        click.echo(f"planned {plain(one.name)} as {one.key.removeprefix('event/')}{seen}")
        if one.near is not None:
            click.echo(f"note: {one.near!r} is planned too; names are matched exactly", err=True)


@plan.command()
@click.argument("target", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--workspace", "folders", type=click.Path(exists=True, path_type=Path), multiple=True,
    help="Describe the definitions below this folder, rather than what is in force. Needs no broker.",
)  # fmt: skip
@click.option("--title", default="Event plan", show_default=True, help="The heading of the pages.")
@click.option("--force", is_flag=True, help="Overwrite files of these names that something else wrote.")
@output_option
@dir_option
def docs(
    target: Path, folders: tuple[Path, ...], title: str, force: bool, output: str, directory: Path | None
) -> None:  # fmt: skip
    """Write pages about the plan below DIR.

    They are Markdown, one HTML file that works alone, and asyncapi.yaml.
    Pages it wrote before are overwritten, and deleted when their event is gone; other files are left alone.
    """
    from console.cli.paths import writing_below
    from console.plan.folder import write_folder
    from console.plan.pages import pages

    if folders:
        view, prefix = _workspace_view(folders), "offerflow."
    else:
        settings = connect(StackFiles.find(directory))
        view, prefix = _view(settings, None, counted=False), settings.topic_prefix
    with writing_below(target, "DIR"):
        files = write_folder(target, pages(view, title, prefix), force)
    if output == "json":
        print_json({"files": [str(file) for file in files]})
    else:
        click.echo(
            f"wrote {len(files)} files below {target}; open {target / 'index.html'} or read {target / 'index.md'}"
        )


def _view(settings: Settings, source: str | None, counted: bool = True) -> PlanView:
    from console.plan.catalog import read_catalog
    from console.plan.entries import view_of
    from offerflow.catalog.view import sources_of
    from offerflow.rules.nearest import did_you_mean
    from schemas.seen import read_report

    catalog = read_catalog(settings)
    if not counted:
        return view_of(catalog)
    report = read_report(settings)
    sources = sources_of(settings, catalog)
    known = {*sources, *(one.source for one in report.entries if one.source)}
    if source is not None and source not in known:
        there = f"there are {', '.join(sorted(known))}" if known else "none is declared"
        raise click.BadParameter(
            f"there is no source {source!r}{did_you_mean(source, known)}; {there}", param_hint="--source"
        )
    if report.evicted:
        note = f"{report.evicted} names were too many to count apart; none of them came more than {report.floor} times"
        click.echo(note, err=True)
    seen = [one for one in report.entries if source is None or one.source == source]
    return view_of(catalog, seen, [one for name, one in sources.items() if name not in catalog.sources])


def _workspace_view(folders: tuple[Path, ...]) -> PlanView:
    from console.cli.changes import show_problems
    from console.plan.entries import view_of_state
    from console.workspace.definitions import read_workspace
    from console.workspace.problems import Problem, WorkspaceProblems

    problems: list[Problem] = []
    defined = read_workspace(list(folders), problems)
    if problems:
        show_problems(WorkspaceProblems(problems))
        raise click.exceptions.Exit(1)
    return view_of_state({name: one.content for name, one in defined.items()})


def _entry_line(entry: Entry) -> dict[str, Any]:
    return {
        "event": entry.name, "planned": True, "record": entry.record, "version": entry.newest.number,
        "schema_id": entry.newest.id, "origins": entry.origins, "owner": entry.owner, "system": entry.system,
        "untyped": entry.untyped, **_counts(entry.sightings),
    }  # fmt: skip


def _stranger_line(name: str, sightings: Sightings) -> dict[str, Any]:
    return {"event": name, "planned": False, "sources": sightings.sources, **_counts(sightings)}


def _counts(sightings: Sightings) -> dict[str, Any]:
    return {
        "valid": sightings.valid, "dropped": sightings.dropped, "dead": sightings.dead, "first_seen": sightings.first,
        "last_seen": sightings.last,
    }  # fmt: skip

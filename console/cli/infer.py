"""``offerflow plan infer``: schemas drafted from samples, and adopted in one step."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.cli.options import Duration, dir_option, output_option, yes_option
from console.cli.output import print_json, progress
from console.cli.paths import writing_below
from console.stack.client import connect
from console.stack.files import StackFiles

if TYPE_CHECKING:
    from console.plan.adoption import Adoption
    from console.plan.drafting import Draft
    from console.plan.inference import Inferred

ORIGIN = click.Choice(["sdk", "backend", "integration"])


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--from-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Samples: one JSON object per line, events as they are sent; with --name properties alone.",
)
@click.option("--name", help="The event that every line of --from-file is the properties of.")
@click.option("--source", "sources", multiple=True, help="Only samples from this source; several are fine.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Newest samples per name.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write each draft as an .avsc below it.")
@click.option("--adopt", is_flag=True, help="Plan what was drafted and replay the events that came too early.")
@click.option("--enums", is_flag=True, help="Draft enums for texts of few values.")
@click.option("--extra", is_flag=True, help="Keep properties that the draft leaves out, rather than strip them.")
@click.option(
    "--required-from",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Samples it takes to call a property required that all of them have.",
)
@click.option(
    "--origin",
    "origins",
    type=ORIGIN,
    multiple=True,
    help="Who may send a new event. Default: the origins of the sources that did.",
)
@click.option("--owner", help="Who answers questions about it.")
@click.option("--doc", help="What the event means, in a sentence.")
@click.option("--timeout", type=Duration(), default="30s", show_default=True, help="How long to wait for the workers.")
@yes_option
@output_option
@dir_option
def infer(
    names: tuple[str, ...], from_file: Path | None, name: str | None, sources: tuple[str, ...], limit: int,
    out: Path | None, adopt: bool, enums: bool, extra: bool, required_from: int, origins: tuple[str, ...],
    owner: str | None, doc: str | None, timeout: float, yes: bool, output: str, directory: Path | None,
) -> None:  # fmt: skip
    """Draft an event schema for each NAME from samples.

    They are the events that came under it (default: under every name that is not planned): dead letters of unknown
    events and what entries by name have kept, or those of a file. With --adopt the drafts are applied and those dead
    letters replayed, after a question.
    """
    from console.plan.drafting import Choices
    from console.plan.inference import infer_from_file, infer_from_topics
    from schemas.plan import ORIGINS

    _check_options(from_file, name, names, adopt, yes, output)
    settings = connect(StackFiles.find(directory))
    choices = Choices(enums, extra, required_from, origins or ORIGINS, owner, doc)
    fixed = bool(origins)
    if from_file is not None:
        found = infer_from_file(settings, from_file, name, names, sources, limit, choices, fixed)
    else:
        with progress() as say:
            found = infer_from_topics(
                settings, names, sources, limit, choices, fixed, lambda done, total: say("samples", (done, total))
            )
    if output == "table":
        _show(found, out)
    if name is not None and any({"event", "properties"} <= {p.name for p in one.properties} for one in found.drafts):
        note = f"note: lines of {from_file} look like whole events; without --name their properties alone are drafted"
        click.echo(note, err=True)
    written = []
    if out is not None:
        with writing_below(out, "--out"):
            written = _write(found.drafts, out)
    adoption = None
    if adopt and not found.conflicts:
        adoption = _adopt(settings, found, sources, timeout, yes, output)
    if output == "json":
        _print(found, written, adoption)
    if found.conflicts:
        if adopt:
            click.echo("error: samples conflict with the plan; nothing was planned", err=True)
        raise click.exceptions.Exit(1)


def _check_options(
    from_file: Path | None, name: str | None, names: Sequence[str], adopt: bool, yes: bool, output: str
) -> None:
    if name is not None and from_file is None:
        raise click.UsageError("--name says what the lines of --from-file are; without a file give NAME as an argument")
    if name is not None and names and list(names) != [name]:
        raise click.UsageError("with --name no other NAME can be given")
    if adopt and not yes and (output == "json" or not sys.stdin.isatty()):
        raise click.UsageError("there is no terminal to ask on; add --yes to adopt, or leave --adopt out to look")


def _show(found: Inferred, out: Path | None) -> None:
    from console.cli.plan_text import plain, show_draft
    from console.plan.drafting import written

    for draft in found.drafts:
        show_draft(draft)
        if draft.changes and out is None:
            click.echo(written(draft.definition))
        else:
            click.echo()
    for name in found.settled:
        click.echo(f"{plain(name)}: planned, and nothing came under it that its schema lacks", err=True)
    if not found.drafts and not found.settled and not found.refused:
        click.echo("nothing to draft: no event of a name that is not planned waits in the dead letters", err=True)
    for name, why in found.refused.items():
        click.echo(f"{plain(name)}: left alone: the name {why}", err=True)


def _write(drafts: Sequence[Draft], out: Path) -> list[str]:
    from console.plan.drafting import written

    out.mkdir(parents=True, exist_ok=True)
    files = []
    for draft in drafts:
        if draft.changes:
            version = draft.definition.get("version", 1)
            file = out / f"{draft.definition['name']}{'' if version == 1 else f'-{version}'}.avsc"
            file.write_text(written(draft.definition), encoding="utf-8")
            files.append(str(file))
            click.echo(f"wrote {file}", err=True)
    return files


def _adopt(
    settings: Any, found: Inferred, sources: Sequence[str], timeout: float, yes: bool, output: str
) -> Adoption:  # fmt: skip
    from console.cli.changes import show_problems
    from console.cli.plan_text import plain
    from console.plan.adoption import adopt
    from console.plan.names import counted
    from console.workspace.commit import current_author
    from console.workspace.problems import WorkspaceProblems

    drafts = [draft for draft in found.drafts if draft.changes]
    if output == "table":
        for draft in drafts:
            click.echo(f"+ event {draft.key.removeprefix('event/')}")
        for name, count in found.waiting.items():
            click.echo(f"replay {counted(count, 'dead letter')} of {plain(name)}")
    if not yes and (drafts or found.waiting):
        click.confirm("Plan and replay this?", abort=True, err=True)
    try:
        with progress() as say:
            done = adopt(
                settings, drafts, found.names, current_author("plan infer --adopt"), timeout, sources,
                lambda count, total: say("replaying", (count, total)),
            )  # fmt: skip
    except WorkspaceProblems as error:
        show_problems(error)
        raise click.exceptions.Exit(1) from None
    if output == "table":
        report = done.replayed
        for key in done.planned:
            click.echo(f"planned {key.removeprefix('event/')}")
        click.echo(f"replayed {counted(report.sent, 'event')}")
        left = {reason: count for reason, count in report.outcomes.items() if reason != "valid"}
        for reason, count in sorted(left.items()):
            click.echo(f"left alone: {count} would be {reason}; look at them with `offerflow dlq list`")
    return done


def _print(found: Inferred, files: list[str], adoption: Adoption | None) -> None:
    from console.cli.plan_text import draft_json

    adopted = None
    if adoption is not None:
        report = adoption.replayed
        adopted = {
            "planned": list(adoption.planned), "workers": dict(adoption.workers), "replayed": report.sent,
            "outcomes": dict(report.outcomes), "skipped": report.skipped,
        }  # fmt: skip
    print_json({
        "drafts": [draft_json(draft) for draft in found.drafts], "waiting": found.waiting, "settled": found.settled,
        "refused": found.refused, "files": files, "adopted": adopted,
    })  # fmt: skip

"""``dlq patch``, ``dlq replay`` and ``dlq purge``: handling dead letters. All three look first and ask."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from console.cli.changes import confirm
from console.cli.dlq_options import Rate, selection_of, selection_options
from console.cli.options import Duration, dir_option, output_option, yes_option
from console.cli.output import print_json, print_table, progress
from console.cli.tables import visible
from console.dead_letters import outcomes
from console.dead_letters import purge as purging
from console.dead_letters.judging import DROPPED, VALID, Judge
from console.dead_letters.masking import NOTHING, mask_letter, personal_in
from console.dead_letters.patching import Patch, Unpatchable
from console.dead_letters.reading import find
from console.dead_letters.replay import Report
from console.dead_letters.replay import replay as send
from console.dead_letters.selection import Selection
from console.stack.client import connect
from console.stack.files import StackFiles
from offerflow.runtime.settings import Settings
from schemas.dead_letter_state import show

READING = "reading dead letters"
_limit_option = click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
_REPLAY = (
    _limit_option,
    click.option("--dry-run", is_flag=True, help="Only count what would come of it."),
    click.option("--force", is_flag=True, help="Send those too that would be dead again."),
    click.option("--rate", type=Rate(), help="At most so many a time: 500/s, 30/m."),
    click.option("--wait/--no-wait", default=None, help="Say how many came right (default: on a terminal)."),
    click.option("--timeout", type=Duration(), default="1m", show_default=True,
                 help="How long to wait for validation while it does not move."),
    yes_option,
    output_option,
    dir_option,
)  # fmt: skip


def _replay_options(command: Any) -> Any:
    for option in reversed(_REPLAY):
        command = option(command)
    return command


@click.command()
@selection_options
@_replay_options
def replay(
    directory: Path | None, limit: int | None, dry_run: bool, force: bool, rate: float | None, wait: bool | None,
    timeout: float, yes: bool, output: str, **chosen: Any,
) -> None:  # fmt: skip
    """Send dead letters again that the present event plan accepts.

    Judges each first and shows what would come of it, then asks; --yes sends without asking. An event keeps its id,
    its time and where it came from, and is never too late. What was sent is recorded in the same transaction: run
    again, at any time, it goes on where it stopped and sends nothing twice.
    """
    settings = connect(StackFiles.find(directory))
    _run(
        settings, selection_of(settings, **chosen, limit=limit), None, dry_run, force, rate, wait, timeout, yes, output
    )


@click.command()
@selection_options
@click.option("--patch", "text", help='JSON Patch: [{"op": "replace", "path": "/properties/amount", "value": 59.9}].')
@click.option(
    "--patch-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file that holds it."
)
@click.option("--samples", type=click.IntRange(0, 20), default=1, show_default=True, help="How many to show patched.")
@click.option("--show-pii", is_flag=True, help="Show the values of pii fields in the samples.")
@_replay_options
def patch(
    directory: Path | None, text: str | None, patch_file: Path | None, samples: int, show_pii: bool, limit: int | None,
    dry_run: bool, force: bool, rate: float | None, wait: bool | None, timeout: float, yes: bool, output: str,
    **chosen: Any,
) -> None:  # fmt: skip
    """Change dead letters by a JSON Patch (RFC 6902), then replay them.

    Paths are those `dlq show` shows: /properties/amount of a native event, /data/amount of a CloudEvent, /amount of an
    Avro record. A `test` operation leaves letters alone in which it fails. The dead letters themselves stay as they
    are; what is sent is changed.
    """
    if (text is None) is (patch_file is None):
        raise click.UsageError("give the patch as --patch TEXT or --patch-file FILE")
    settings = connect(StackFiles.find(directory))
    made = Patch(text if text is not None else patch_file.read_text("utf-8"))  # type: ignore[union-attr]
    selection = selection_of(settings, **chosen, limit=limit)
    if output == "table" and samples:
        _show_samples(settings, selection, made, samples, show_pii)
    _run(settings, selection, made, dry_run, force, rate, wait, timeout, yes, output)


@click.command()
@selection_options
@_limit_option
@click.option("--undo", is_flag=True, help="Make purged ones unhandled again.")
@click.option("--dry-run", is_flag=True, help="Only count them.")
@yes_option
@output_option
@dir_option
def purge(
    directory: Path | None, limit: int | None, undo: bool, dry_run: bool, yes: bool, output: str, **chosen: Any
) -> None:  # fmt: skip
    """Set dead letters aside without replaying them.

    They count as handled from then on. Nothing is deleted: --undo takes it back for as long as retention keeps them.
    """
    settings = connect(StackFiles.find(directory))
    selection = selection_of(settings, **chosen, limit=limit)
    if dry_run or not yes:
        with progress() as say:
            number = purging.count(settings, selection, lambda at, of: say(READING, (at, of)), undo=undo)
        what = f"{number} {'purged' if undo else 'unhandled'} dead letter{'s' * (number != 1)}"
        if output == "json":
            print_json({"selected": number, "purged": 0, "restored": 0})
        else:
            click.echo(f"{what} would be {'made unhandled again' if undo else 'set aside'}")
        if dry_run or not number:
            return
        confirm(yes, "Do it?")
    with progress() as say:
        done = purging.purge(settings, selection, lambda at, of: say("marking dead letters", (at, of)), undo=undo)
    if output == "json":
        print_json({"selected": done, "purged": 0 if undo else done, "restored": done if undo else 0})
    elif undo:
        click.echo(
            f"{done} made unhandled again" if done else "nothing to make unhandled again: none of these is purged"
        )
    else:
        click.echo(
            f"{done} set aside; --undo takes it back" if done else "nothing to set aside: all of these are handled"
        )


def _run(
    settings: Settings, selection: Selection, made: Patch | None, dry_run: bool, force: bool, rate: float | None,
    wait: bool | None, timeout: float, yes: bool, output: str,
) -> None:  # fmt: skip
    if dry_run or not yes:
        with progress() as say:
            report = send(settings, selection, patch=made, dry_run=True, force=force,
                          progress=lambda at, of: say("judging dead letters", (at, of)))  # fmt: skip
        if output == "table":
            _tell(report, force)
        number = report.selected - sum(report.unpatchable.values()) if force else report.outcomes[VALID]
        if dry_run or not number or output == "json":
            _finish(report, None, output)
        if dry_run:
            return
        if not number:
            raise click.exceptions.Exit(1 if report.left else 0)
        confirm(yes, f"Send {number} again?")
    wait = sys.stderr.isatty() if wait is None else wait
    since = outcomes.ends_now(settings) if wait else {}
    with progress() as say:
        try:
            report = send(settings, selection, patch=made, dry_run=False, rate=rate, force=force,
                          progress=lambda at, of: say("sending again; dead letters read", (at, of)))  # fmt: skip
        except KeyboardInterrupt:
            click.echo("interrupted; what was sent is recorded: run this again to send the rest", err=True)
            raise
        came = None
        if wait and report.sent:
            came = outcomes.await_outcomes(
                settings,
                report.coordinates,
                since,
                timeout,
                lambda left: say(f"{left} record{'s wait' if left != 1 else ' waits'} for validation"),
            )
    if output == "table" and yes:
        _tell(report, force)
    _finish(report, came, output)
    if report.left or report.unsendable or (came is not None and came.dead):
        raise click.exceptions.Exit(1)


def _tell(report: Report, force: bool) -> None:
    rows: list[tuple[str, int]] = []
    for name, number in sorted(report.outcomes.items(), key=lambda item: (item[0] != VALID, -item[1])):
        words = {VALID: "valid now", DROPPED: "dropped, since tracking of that system event is off"}
        rows.append((words.get(name, f"dead again: {name}"), number))
    rows += [(f"not patched: {visible(why)}", number) for why, number in report.unpatchable.most_common()]
    if report.skipped:
        rows.append(("handled before, left alone", report.skipped))
    if not rows:
        click.echo("no dead letters match")
        return
    print_table(("what comes of it", "number"), rows)
    for at, letter in report.failing.values():
        click.echo(f"  {show(at)}: {letter.reason}: {visible(letter.detail)}")
    if report.failing and not force:
        click.echo("Only what is valid is sent; mend the others, or --force sends them all the same.")


def _finish(report: Report, came: outcomes.Outcomes | None, output: str) -> None:
    if output == "json":
        print_json({
            "selected": report.selected, "outcomes": report.outcomes, "unpatchable": report.unpatchable,
            "skipped": report.skipped, "sent": report.sent, "unsendable": len(report.unsendable),
            "came_right": came.right if came else None, "dead_again": came.dead if came else None,
        })  # fmt: skip
        return
    if report.sent:
        click.echo(f"{report.sent} sent again")
    if report.unsendable:
        click.echo(
            f"{len(report.unsendable)} not sendable: raw.replay does not take the record"
            f" ({visible(report.unsendable_why or '')}), so it stays a dead letter"
        )
    if came is not None:
        click.echo(f"{came.right} came right" + "".join(f", {n} dead again ({why})" for why, n in came.dead.items()))


def _show_samples(settings: Settings, selection: Selection, made: Patch, samples: int, show_pii: bool) -> None:
    """What the patch does to the first letters that take it."""
    judge = Judge(settings)
    hidden = NOTHING if show_pii else personal_in(judge.plan)
    for letter in find(settings, selection):
        try:
            patched = made.apply(letter, judge.plan, judge.schema_ids(letter))
        except Unpatchable:
            continue
        click.echo(f"{show(letter.at)}, {letter.reason}: {visible(mask_letter(letter, hidden).detail)}")
        for line in patched.difference(hidden):
            colour = {"+": "green", "-": "red"}.get(line[:1])
            shown = visible(line)
            click.echo("  " + (click.style(shown, fg=colour) if colour else shown))
        samples -= 1
        if not samples:
            return

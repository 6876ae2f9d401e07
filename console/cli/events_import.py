"""``events import``: events of long ago from files. Everything is read and judged before anything is sent."""

from __future__ import annotations

import filecmp
import itertools
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from console.cli.changes import confirm
from console.cli.dlq_options import Rate
from console.cli.options import dir_option, follow_up, output_option, yes_option
from console.cli.output import Progress, print_json, progress
from console.cli.paths import told_paths
from console.cli.tables import visible
from console.importing.checking import Checked, File, Reading, check, told_problems
from console.importing.judging import Judge
from console.importing.mapping import BadMapping, read_mapping
from console.importing.rows import FORMATS, Format, format_of
from console.importing.sending import Mark, read_mark, send
from console.importing.sorting import Sorter
from console.importing.times import Times
from console.stack.client import connect
from console.stack.files import StackFiles
from console.workspace.reading import read_catalog
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.settings import Settings
from schemas.announce import rfc3339

_PROBLEMS = 30
_LINES = 5


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", required=True, help="The source that the events count as, one of sources.yaml.")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Default: what the name of a file says.")
@click.option("--map", "columns", multiple=True, metavar="COLUMN=MEMBER", help="What a column is: event, user_id, "
              "anonymous_id, time, event_id, type, properties.NAME, or nothing to leave it out.")  # fmt: skip
@click.option("--set", "constants", multiple=True, metavar="MEMBER=VALUE", help="The same for every row.")
@click.option("--delimiter", default=",", show_default=True, help="Between the cells of a CSV file; \\t is a tab.")
@click.option("--timezone", default="UTC", show_default=True, help="Of times that name none.")
@click.option("--time-unit", type=click.Choice(["s", "ms", "us"]), default="ms", show_default=True,
              help="Of times that are numbers.")  # fmt: skip
@click.option("--name", help="Name of what is imported (default: that of the file); goes into ids that are made.")
@click.option("--rate", type=Rate(), help="At most so many a time: 5000/s.")
@click.option("--rejects", type=click.Path(dir_okay=False, path_type=Path), help="Where bad rows go, as JSON lines "
              "(default: NAME.rejects.jsonl here).")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Read and judge everything, and send nothing.")
@click.option("--resume", is_flag=True, help="Go on with an import that was interrupted.")
@yes_option
@output_option
@dir_option
def import_(
    files: tuple[Path, ...], source: str, kind: Format | None, columns: tuple[str, ...], constants: tuple[str, ...],
    delimiter: str, timezone: str, time_unit: Any, name: str | None, rate: float | None, rejects: Path | None,
    dry_run: bool, resume: bool, yes: bool, output: str, directory: Path | None,
) -> None:  # fmt: skip
    """Import past events from FILES: CSV, JSON lines or Parquet, plain or gzip.

    A column named as a member of an event (event, user_id, anonymous_id, time, event_id, type, properties) is that
    member; the others are properties, unless there is a column of properties. A JSON line may be an event as it would
    be sent. Every row is judged by the event plan first; bad rows are told with their lines and set aside. The good
    ones are sent in the order of their times to raw.import, where being late is not held against them, and the rules
    see each at its own time.

    An event without an id gets one made of the source, the name, its line and its content: the same file imported
    again counts once. An interrupted import goes on with --resume. Exit code 1: some rows were bad.
    """
    named, label = _files(files, kind), name or files[0].name.partition(".")[0]
    try:
        mapping = read_mapping(columns, constants)
        times = Times(time_unit, ZoneInfo(timezone))
    except BadMapping as error:
        raise click.UsageError(str(error)) from None
    except (ZoneInfoNotFoundError, ValueError):
        raise click.BadParameter(f"{timezone!r} is no time zone; expected such as Europe/Berlin") from None
    settings = connect(StackFiles.find(directory))
    catalog, _ = read_catalog(settings)
    mark_path, aside = Path(f"{label}.import.json"), rejects or Path(f"{label}.rejects.jsonl")
    _apart(aside, files)
    mark = _mark(mark_path, resume=resume, dry_run=dry_run)
    judge = Judge(settings, catalog, source, mark.received_ms if mark else time.time_ns() // 1_000_000)
    with ExitStack() as closing, told_paths():
        opened: list[Path] = []
        beside = aside.with_name(f"{aside.name}.new")
        written: list[IO[bytes]] = []

        def rejected() -> IO[bytes]:
            opened.append(aside)
            written.append(beside.open("wb"))
            closing.callback(beside.unlink, missing_ok=True)
            closing.enter_context(written[0])
            return written[0]

        reading = Reading(judge, label, mapping, times, _delimiter(delimiter), rejected)
        sorter = None if dry_run else closing.enter_context(Sorter())
        checked = _checked(named, reading, sorter)
        for file in written:
            file.close()
            _keep(aside, beside)
            beside.replace(aside)
        _tell(output, checked, judge, opened)
        if sorter is not None and sorter.count:
            mark = _go(mark, checked, judge, mark_path)
            left = mark.total - mark.sent
            confirm(yes, f"Import {_number(left, 'event')} of {visible(source)}?")
            _send(settings, judge, sorter, mark, mark_path, rate)
        _report(output, checked, judge, opened, sent=mark.sent if mark and sorter is not None else 0)
    if checked.bad:
        raise SystemExit(1)


def _files(files: Sequence[Path], kind: Format | None) -> list[File]:
    named = [(path, kind or format_of(path)) for path in files]
    unknown = [str(path) for path, found in named if found is None]
    if unknown:
        raise click.UsageError(
            f"{', '.join(unknown)}: the name does not say what it is; add --format csv|jsonl|parquet"
        )
    return [File(path, found) for path, found in named if found is not None]


def _apart(aside: Path, files: Sequence[Path]) -> None:
    """Bad rows may not go to where the rows come from."""
    if any(aside.resolve() == file.resolve() or (aside.exists() and aside.samefile(file)) for file in files):
        raise click.UsageError(
            f"{aside} is imported, and bad rows would go there too; give them another file by --rejects, or this import"
            " another --name"
        )


def _keep(aside: Path, new: Path) -> None:
    """Bad rows of an earlier import, which somebody may have mended, get another name."""
    if not aside.exists() or filecmp.cmp(aside, new, shallow=False):
        return
    free = next(
        path for number in itertools.count(1) if not (path := aside.with_name(f"{aside.name}.{number}")).exists()
    )
    aside.rename(free)
    click.echo(f"earlier bad rows are kept as {free}", err=True)


def _delimiter(text: str) -> str:
    found = "\t" if text == "\\t" else text
    if len(found) != 1:
        raise click.BadParameter("expected one character, or \\t", param_hint="--delimiter")
    return found


def _mark(path: Path, *, resume: bool, dry_run: bool) -> Mark | None:
    """What an earlier run left. Raises OfferflowError where it is not clear what is meant."""
    found = read_mark(path)
    if dry_run:
        return found
    if resume and found is None:
        click.echo(
            f"{path} is not here, so of an import of this name nothing was sent, or all: starting from the beginning;"
            " what was sent before counts once", err=True,
        )  # fmt: skip
    if found is not None and not resume:
        raise OfferflowError(
            f"{path}: an import of this name was interrupted after {found.sent} of {found.total} events; go on with"
            " --resume, give this one another --name, or remove that file to send all of it again (under the same ids)"
        )
    return found


def _checked(files: Sequence[File], reading: Reading, sorter: Sorter | None) -> Checked:
    size = sum(file.path.stat().st_size for file in files) or 1
    with progress() as say:
        return check(files, reading, sorter, lambda read: say("checking, bytes", (min(read, size), size)))


def _go(mark: Mark | None, checked: Checked, judge: Judge, path: Path) -> Mark:
    if mark is None:
        return Mark(checked.digest, judge.received_ms, checked.good, topic_id=judge.topic_id)
    if (mark.digest, mark.total) != (checked.digest, checked.good):
        raise OfferflowError(
            f"{path} belongs to another import: the files, the options or the event plan have changed since. Remove it"
            " to send all of it again; events that keep their ids count once"
        )
    if mark.topic_id != judge.topic_id:
        raise OfferflowError(
            f"{path}: what was sent until the interruption went to another Kafka, or its topic was deleted"
            " since then. Remove that file to send all of it here"
        )
    return mark


def _send(settings: Settings, judge: Judge, sorter: Sorter, mark: Mark, path: Path, rate: float | None) -> None:
    def run(say: Progress) -> None:
        send(settings, judge, sorter, mark, path, rate, lambda at, of: say("sending", (at, of)))

    with progress() as say:
        run(say)


def _tell(output: str, checked: Checked, judge: Judge, rejects: Sequence[Path]) -> None:
    """What was found, before anybody is asked."""
    if output == "json":
        return
    span = f", from {rfc3339(checked.oldest)} to {rfc3339(checked.newest)}" if checked.oldest is not None and (
        checked.newest is not None) else ""  # fmt: skip
    rows = _number(checked.rows, "row")
    click.echo(f"{rows}: {checked.good} good{span}, {checked.bad} bad, {checked.dropped} switched off", err=True)
    for event, names in sorted(judge.stripped.items()):
        told = ", ".join(f"{visible(name)} ({times})" for name, times in names.most_common(_LINES))
        more = ", …" if len(names) > _LINES else ""
        click.echo(f"{visible(event)}: the plan does not have {told}{more}; left out", err=True)
    problems = told_problems(checked)
    for one in problems[:_PROBLEMS]:
        about = f"{visible(one['event'])}: " if one["event"] else ""
        more = ", …" if one["count"] > len(one["lines"][:_LINES]) else ""
        click.echo(f"{one['count']:>8}  {one['reason']}: {about}{visible(one['message'])}")
        click.echo(f"{'':8}  at {visible(', '.join(one['lines'][:_LINES]))}{more}")
    if len(problems) > _PROBLEMS:
        click.echo(f"and {len(problems) - _PROBLEMS} kinds more; --output json has them all", err=True)
    for path in rejects:
        click.echo(f"bad rows: {path}; mend them there and import that file alone, under another --name: the whole one"
                   " again would send rows without an id twice", err=True)  # fmt: skip


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


def _report(output: str, checked: Checked, judge: Judge, rejects: Sequence[Path], sent: int) -> None:
    if output == "json":
        print_json({
            "rows": checked.rows, "good": checked.good, "bad": checked.bad, "dropped": checked.dropped, "sent": sent,
            "events": dict(checked.events), "stripped": dict(judge.stripped), "problems": told_problems(checked),
            "oldest": None if checked.oldest is None else rfc3339(checked.oldest),
            "newest": None if checked.newest is None else rfc3339(checked.newest),
            "rejects": [str(path) for path in rejects],
        })  # fmt: skip
    elif sent:
        click.echo(
            f"sent {_number(sent, 'event')}; `{follow_up('wait --idle')}` returns when they are judged and folded"
        )

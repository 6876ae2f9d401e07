"""``offerflow dlq``: looking at dead letters. Mending them is in ``dlq_mend``."""

from __future__ import annotations

import heapq
from pathlib import Path
from typing import Any

import click

from console.cli.dlq_mend import READING, patch, purge, replay
from console.cli.dlq_options import selection_of, selection_options
from console.cli.dlq_show import print_letter, row_of
from console.cli.options import dir_option, output_option
from console.cli.output import print_json, progress
from console.cli.tables import print_fitting
from console.dead_letters.handled import HandledLetters
from console.dead_letters.links import after, before
from console.dead_letters.masking import mask_letter, personal_in
from console.dead_letters.reading import Search, find
from console.dead_letters.selection import Selection, is_id, parse_range
from console.dead_letters.stats import BY, count_by
from console.plan.catalog import read_catalog
from console.stack.client import connect
from console.stack.files import StackFiles
from offerflow.runtime.errors import OfferflowError
from schemas.announce import rfc3339
from schemas.catalog import plan_of
from schemas.dead_letter import StoredLetter

_HANDLED = {"no": False, "yes": True, "any": None}
handled_option = click.option(
    "--handled", type=click.Choice(list(_HANDLED)), default="no", show_default=True,
    help="Those that were replayed or purged, those that were not, or both.",
)  # fmt: skip


@click.group()
def dlq() -> None:
    """Look at dead letters, mend them and replay them.

    A dead letter is named by its coordinates in the dead-letter topic, such as 3/120 (partition/offset), or by its id;
    3/120..180 and 3/ name many. Without any, the options choose. The records themselves are never changed or deleted.
    """


for command in (patch, replay, purge):
    dlq.add_command(command)


@dlq.command("list")
@selection_options
@handled_option
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many of the newest.")
@click.option("--newest", is_flag=True, help="Newest first rather than last.")
@click.option(
    "--output", type=click.Choice(["table", "json", "jsonl"]), default="table", show_default=True,
    help="jsonl writes every match, one a line, as it is read.",
)  # fmt: skip
@dir_option
def list_letters(handled: str, limit: int, newest: bool, output: str, directory: Path | None, **chosen: Any) -> None:
    """The newest dead letters, newest last."""
    settings = connect(StackFiles.find(directory))
    selection = selection_of(settings, **chosen, handled=_HANDLED[handled])
    hidden = personal_in(plan_of(read_catalog(settings)))
    done = HandledLetters(settings)
    done.refresh()
    search = Search(settings, selection, done)
    kept: list[tuple[tuple[int, int, int], StoredLetter]] = []
    matched = 0
    with progress() as say:
        for letter in search(lambda at, of: say(READING, (at, of))):
            matched += 1
            if output == "jsonl":
                print_json(row_of(mask_letter(letter, hidden), done))
                continue
            item = ((letter.appended_ms, *letter.at), letter)
            (heapq.heappush if len(kept) < limit else heapq.heappushpop)(kept, item)
    if output == "jsonl":
        return
    rows = [
        row_of(mask_letter(letter, hidden), done)
        for _, letter in sorted(kept, key=lambda item: item[0], reverse=newest)
    ]
    if output == "json":
        print_json({"dead_letters": rows, "matched": matched})
        return
    columns = ["at", "since", "reason", "event", "source", "field", "detail"]
    if handled != "no":
        columns.insert(2, "handled")
    cells = [[_short(name, row[name]) for name in columns] for row in rows]
    print_fitting(columns, cells, ("field", "source"), prose=True)
    if search.foreign:
        click.echo(f"{search.foreign} records of the topic are no dead letters of ours and were left out", err=True)
    if matched > len(rows):
        click.echo(f"{len(rows)} of {matched}; --limit shows more, `offerflow dlq stats` groups them", err=True)
    elif not rows:
        click.echo(
            "no dead letters" + ("" if selection == Selection(handled=selection.handled) else " match"), err=True
        )


@dlq.command("show")
@click.argument("letter", metavar="COORD")
@click.option("--show-pii", is_flag=True, help="Show the values of pii fields, and bytes that cannot be read.")
@output_option
@dir_option
def show_letter(letter: str, show_pii: bool, output: str, directory: Path | None) -> None:
    """One dead letter, whole.

    Why it is dead, the original with its headers and value, and what became of it.
    """
    settings = connect(StackFiles.find(directory))
    try:
        ids = frozenset({letter}) if is_id(letter) else frozenset[str]()
        ranges = () if ids else (parse_range(letter),)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="COORD") from None
    with progress() as say:
        found = find(
            settings, Selection(ids=ids, ranges=ranges, handled=None, limit=1), lambda a, o: say(READING, (a, o))
        )
        one = next(iter(found), None)
        if one is None:
            raise OfferflowError(f"there is no dead letter {letter}, or its retention has passed")
        earlier, later = list(before(settings, one)), list(after(settings, one))
    print_letter(settings, one, earlier, later, show_pii=show_pii, output=output)


@dlq.command("stats")
@selection_options
@handled_option
@click.option("--by", multiple=True, type=click.Choice([*BY, "component", "topic"]), help="What to group by (default: "
              "reason, event, source and field).")  # fmt: skip
@output_option
@dir_option
def show_stats(handled: str, by: tuple[str, ...], output: str, directory: Path | None, **chosen: Any) -> None:
    """How many dead letters there are of each kind."""
    settings = connect(StackFiles.find(directory))
    selection = selection_of(settings, **chosen, handled=_HANDLED[handled])
    groups, done = by or BY, HandledLetters(settings)
    done.refresh()
    with progress() as say:
        letters = Search(settings, selection, done)(lambda at, of: say(READING, (at, of)))
        counted = count_by(letters, groups, done)
    if output == "json":
        print_json([
            {**dict(zip(groups, group, strict=True)), "count": count.count, "unhandled": count.unhandled,
             "oldest": rfc3339(count.oldest), "newest": rfc3339(count.newest)}
            for group, count in counted
        ])  # fmt: skip
        return
    rows = [
        [count.count, count.unhandled, *group, _minute(count.oldest), _minute(count.newest)] for group, count in counted
    ]
    columns = ["count", "unhandled", *groups, "oldest (UTC)", "newest"]
    print_fitting(columns, rows, below=2)


def _short(name: str, value: Any) -> Any:
    """Retention is shorter than a year, so the year is left out."""
    return value[5:19].replace("T", " ") if name == "since" else value


def _minute(milliseconds: int) -> str:
    return rfc3339(milliseconds)[:16].replace("T", " ")

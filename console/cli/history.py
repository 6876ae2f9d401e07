"""``offerflow history``: how far the store is behind the topics it is filled from, and filling it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import click
from sqlalchemy import Connection, func, select

from console.cli.options import dir_option, follow_up, output_option
from console.cli.output import print_json
from console.cli.tables import print_fitting
from console.stack.client import connect
from console.stack.files import StackFiles
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.events import DEAD_LETTERS, JOURNAL, empty_events, events, events_complete
from offerflow.runtime.store.outcomes import complete, empty_outcomes, entries, positions, rewards
from offerflow.runtime.store.positions import positions_in
from offerflow.runtime.store.transactions import reading, writing
from schemas.announce import rfc3339
from schemas.output_topics import RECORD_OF

EVENTS, OUTPUTS = "events", "outputs"
TOPICS = {EVENTS: (JOURNAL, DEAD_LETTERS), OUTPUTS: tuple(name for name in RECORD_OF if name != DEAD_LETTERS)}


class Part(NamedTuple):
    """``behind``: offsets between what was read and the ends, markers of transactions included. ``oldest``: when what
    the oldest row says of arrived, in milliseconds; None without rows, and for outputs."""

    part: str
    rows: int
    behind: int
    complete: bool
    oldest: int | None


@click.group()
def history() -> None:
    """What arrived and what was decided, as the relational store has it.

    The program `history` fills it from the topics, which stay the truth: it can always be filled again.
    """


@history.command()
@output_option
@dir_option
def show(output: str, directory: Path | None) -> None:
    """How many rows there are, and how far they are behind. Exit 1 if something is not complete yet.

    `events` is the index of what arrived, `outputs` are entries and rewards. A part is complete once it held all there
    was when it began; until then what is not in it may have happened all the same.
    """
    found = _look(connect(StackFiles.find(directory)))
    if output == "json":
        print_json({part.part: {**part._asdict(), "oldest": _moment(part.oldest)} for part in found})
    else:
        rows = [(p.part, p.rows, p.behind, "yes" if p.complete else "no", _moment(p.oldest)) for p in found]
        print_fitting(("part", "rows", "behind", "complete", "oldest (UTC)"), rows)
    if not all(part.complete for part in found):
        raise click.exceptions.Exit(1)


@history.command(short_help="Empty a part of the store, to be filled again from the topics.")
@click.argument("part", type=click.Choice((EVENTS, OUTPUTS)), required=False)
@click.option("--yes", is_flag=True, help="Do it; without it only what would be done is shown.")
@output_option
@dir_option
def rebuild(part: str | None, yes: bool, output: str, directory: Path | None) -> None:
    """Empty a part of the store, so that the program `history` fills it again from the topics.

    `events` is the index of what arrived, which `offerflow events` reads; `outputs` are entries and rewards, which
    lists, results and the API are given from.

    It may run meanwhile, and begins again within seconds. What the topics no longer have does not come back, and of
    events only what arrived within history.days; while outputs are being filled no list of rewards is given, by the
    API neither.
    """
    if part is None:
        raise click.UsageError(
            f"say which part: `{EVENTS}`, the index of what arrived, or `{OUTPUTS}`, entries and rewards"
        )
    settings = connect(StackFiles.find(directory))
    topics = [settings.topic(name) for name in TOPICS[part]]
    engine = open_store(settings)
    try:
        if yes:
            with writing(engine) as connection:
                rows = _rows(connection, part)
                (empty_events if part == EVENTS else empty_outcomes)(connection, topics)
        else:
            with reading(engine) as connection:
                rows = _rows(connection, part)
    finally:
        engine.dispose()
    if output == "json":
        print_json({"part": part, "emptied": yes, "rows": rows, "topics": topics})
        return
    click.echo(f"{part}: {rows:,} rows {'removed' if yes else 'would be removed'}, to be read again from:")
    for topic in topics:
        click.echo(f"  {topic}")
    if yes:
        click.echo(f"`{follow_up('history show')}` shows how far that is", err=True)
    else:
        click.echo("nothing was done; add --yes to do it", err=True)


def _look(settings: Settings) -> list[Part]:
    engine = open_store(settings)
    try:
        with reading(engine) as connection:
            known = positions_in(connection, positions)
            rows = {part: _rows(connection, part) for part in TOPICS}
            done = {EVENTS: events_complete(connection), OUTPUTS: complete(connection)}
            oldest = connection.scalar(select(func.min(events.c.received_at)))
    finally:
        engine.dispose()
    admin, found = Admin(settings), []
    for part, names in TOPICS.items():
        there = admin.topics(map(settings.topic, names)).values()
        ends = admin.ends([(info.name, number) for info in there for number in range(info.partitions)])
        behind = sum(max(0, end - (known[place].next if place in known else 0)) for place, end in ends.items())
        found.append(Part(part, rows[part], behind, done[part], oldest if part == EVENTS else None))
    return found


def _rows(connection: Connection, part: str) -> int:
    tables: Any = (events,) if part == EVENTS else (entries, rewards)
    return sum(int(connection.scalar(select(func.count()).select_from(table)) or 0) for table in tables)


def _moment(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)

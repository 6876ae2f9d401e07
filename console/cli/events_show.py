"""``offerflow events show``: one event, what was sent beside what was stored."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

import click

from console.cli.events_follow import print_event
from console.cli.events_list import say_handled
from console.cli.events_options import live_of, pii_option, settings_of, since_option, store_of
from console.cli.options import dir_option, output_option
from console.events.arrivals import Arrivals, Where
from console.events.fetching import arrival_of, letter_at, stored_at
from console.events.filters import Wanted
from console.events.index import Earlier, of_id
from console.events.live import Live
from console.events.telling import as_json, row_of
from console.events.verdicts import VALID, Verdict
from console.events.watching import Watch
from console.events.world import World
from offerflow.runtime import outside
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.events import EventRow
from offerflow.runtime.store.transactions import reading

_AT = re.compile(r"(\d{1,9})/(\d{1,18})")
RECENT_MS = 3_600_000


@click.command()
@click.argument("event", metavar="ID")
@since_option
@pii_option
@output_option
@dir_option
def show(event: str, since: int | None, show_pii: bool, output: str, directory: Path | None) -> None:
    """Show the event with this ID whole: what was sent, what was stored, and each difference.

    ID is an event id, or the place of a record in the journal such as 3/120. Where the id came more than once, each
    arrival is shown. What the history has not yet is looked for in the topics of the last hour, or since --since.
    """
    settings = settings_of(directory)
    with live_of(settings, show_pii=show_pii) as live:
        at = _AT.fullmatch(event)
        found = _in_journal(live, (int(at[1]), int(at[2]))) if at else _indexed(live, settings, event)
        if not found and not at:
            found = list(_searched(live, event, since))
        if not found:
            raise OfferflowError(_nothing(event, in_journal=bool(at)))
        rows = [row_of(live.world, one, whole=output == "json") for one in found]
        say_handled(settings, rows)
        if output == "json":
            click.echo(as_json({"event": event, "arrivals": rows}))
            return
        for number, (one, row) in enumerate(zip(found, rows, strict=True)):
            if number:
                click.echo()
            print_event(live.world, one, verdicts=True)
            for text in _places(live.world, one, row["handled"]):
                click.echo(f"    {text}")


def _nothing(event: str, *, in_journal: bool) -> str:
    if in_journal:
        return f"there is no event at {event} of the journal, or its retention has passed"
    return f"there is no event {event!r} in the history or in the topics of the last hour; --since looks further back"


def _in_journal(live: Live, at: tuple[int, int]) -> list[Verdict]:
    stored = stored_at(live, at)
    return [] if stored is None else [Verdict(VALID, arrival_of(live, stored), stored)]


def _indexed(live: Live, settings: Settings, event: str) -> list[Verdict]:
    """Each arrival of the id, as far as their bodies are still there."""
    found: list[Verdict] = []
    with store_of(settings) as engine:
        with reading(engine) as connection:
            rows = of_id(connection, event)
        for row in rows:
            verdict = _verdict(live, row, {one.arrival.where for one in found if one.arrival is not None})
            if verdict is not None:
                found.append(verdict)
        earlier = Earlier(engine)
        for verdict in found:
            before = earlier(verdict.stored) if verdict.stored is not None and verdict.verdict == VALID else None
            if before is not None:
                verdict.repeats(before)
    return found


def _verdict(live: Live, row: EventRow, taken: Collection[Where]) -> Verdict | None:
    at = (row.partition, row.offset)
    if not row.dead:
        stored = stored_at(live, at)
        return None if stored is None else Verdict(VALID, arrival_of(live, stored, taken), stored)
    letter = letter_at(live, at)
    if letter is None:
        return None
    if letter.topic == live.world.journal:
        stored = stored_at(live, (letter.partition, letter.offset))
        return Verdict(letter.reason, None if stored is None else arrival_of(live, stored), stored, letter)
    return Verdict(letter.reason, Arrivals(live.world).of_letter(letter), None, letter)


def _searched(live: Live, event: str, since: int | None) -> Iterator[Verdict]:
    """From the topics themselves."""
    started = int(outside.wall() * 1000) - RECENT_MS if since is None else since
    wanted = Wanted(ids=frozenset((event,)))
    with closing(Watch(live, lambda: wanted, since_ms=started, follow=False)) as watch:
        yield from watch


def _places(world: World, one: Verdict, handled: str | None) -> Iterator[str]:
    """Where its records lie."""
    if one.arrival is not None:
        topic, partition, offset = one.arrival.where
        yield f"arrived in {topic} {partition}/{offset}"
    if one.stored is not None:
        yield f"stored in {world.journal} {one.stored.partition}/{one.stored.offset}"
    if one.letter is not None:
        at = f"{one.letter.at[0]}/{one.letter.at[1]}"
        since = f", {handled} since" if handled else ""
        yield f"dead letter {at}{since}: offerflow dlq show {at}"

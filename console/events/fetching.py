"""Bodies by coordinates, and the raw record of a journal record."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from console.events.arrivals import Arrival, Arrivals, Where
from console.events.live import CLIENT, Live
from console.events.stored import Stored, read_letter, read_stored
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.scan import Span, read_spans, spans
from schemas.dead_letter import StoredLetter
from schemas.step import Emit

Coordinates = tuple[int, int]
JUDGING_MS = 60_000
"""Within how long a replayed or imported record is looked for before its journal record."""


def fetch(live: Live, topic: str, at: Iterable[Coordinates]) -> dict[Coordinates, Record]:
    """Records of one topic by partition and offset; without those that retention has taken."""
    wanted: dict[Place, Span] = {}
    chosen = set(at)
    held = spans(live.settings, [topic], CLIENT) if chosen else {}
    for partition, offset in chosen:
        place = (topic, partition)
        first, end = held.get(place, (0, 0))
        if first <= offset < end:
            before = wanted.get(place, (offset, offset + 1))
            wanted[place] = (min(before[0], offset), max(before[1], offset + 1))
    found = {}
    for record in read_spans(live.settings, wanted, CLIENT):
        where = (record.partition(), record.offset())
        if where in chosen:
            found[where] = record
    return found


def stored_at(live: Live, at: Coordinates) -> Stored | None:
    """The event in the journal there, if there is one."""
    record = fetch(live, live.world.journal, [at]).get(at)
    return None if record is None else read_stored(live.world, record)


def letter_at(live: Live, at: Coordinates) -> StoredLetter | None:
    """The dead letter there, if there is one."""
    record = fetch(live, live.world.dead_letters, [at]).get(at)
    return None if record is None else read_letter(live.world, record)


def arrival_of(live: Live, stored: Stored, taken: Collection[Where] = ()) -> Arrival | None:
    """The raw record that became ``stored``; None if retention has taken it. ``taken`` ones became another.

    The partition says nothing, since senders choose their own keys. The time of arrival does: to the millisecond, but
    for records that were replayed or imported, which were judged soon after they were written again.
    """
    again = stored.meta["lateness"] == "ignore"
    topics = [name for name, channel in live.world.channels.items()
              if (channel.origin is None if again else channel.origin == stored.meta["origin"])]  # fmt: skip
    first = stored.appended - JUDGING_MS if again else stored.meta["received_at"]
    last = stored.appended if again else first
    read = Arrivals(live.world)
    held = spans(live.settings, topics, CLIENT, since_ms=first, until_ms=last)
    found = [(arrival, record) for record in read_spans(live.settings, held, CLIENT)
             if (arrival := read(record)).joins == stored.joins and arrival.where not in taken]  # fmt: skip
    # The same id twice within a millisecond, as in one request: with other content it became another record.
    same = [arrival for arrival, record in found if len(found) == 1 or _became(live, record, stored)]
    return min(same or [arrival for arrival, _ in found], key=lambda arrival: arrival.where, default=None)


def _became(live: Live, record: Record, stored: Stored) -> bool:
    outcome = live.world.step(record)
    return isinstance(outcome, Emit) and outcome.value == stored.value

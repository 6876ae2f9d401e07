"""The index of what arrived, as the feed of journal and dead letters writes it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Engine

from consumers.history.arrivals import Rows
from offerflow.runtime.errors import Disturbed
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.settings import Settings
from offerflow.runtime.store import outcomes
from offerflow.runtime.store.claims import Position
from offerflow.runtime.store.events import (
    DEAD_LETTERS,
    JOURNAL,
    add_events,
    event_positions,
    mark_events_complete,
    remove_ended,
    remove_events,
)
from offerflow.runtime.store.positions import move
from offerflow.runtime.store.transactions import reading, writing

DAY_S = 86_400
TRIM_EVERY_S = 600.0
AT_ONCE = 5_000
"""Rows removed in one transaction: others who write wait for it."""
_ALL = 1 << 62
"""Beyond every offset."""


class EventIndex:
    """Raises StoreDown when the store does not answer."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.topics = {settings.topic(JOURNAL): 0, settings.topic(DEAD_LETTERS): 1}
        """By full name, what ``dead`` is in their rows."""
        self._engine = engine

    def positions(self) -> Mapping[Place, Position]:
        with reading(self._engine) as connection:
            return event_positions(connection, self.topics)

    def batch(self) -> Rows:
        return []

    def write(self, batch: Rows, before: Mapping[Place, Position], after: Mapping[Place, Position]) -> None:
        """Raises Disturbed, having added nothing, if one of the positions is not where it was ``before``, and while
        there are rows of a topic that was made anew since: their offsets mean something else now."""
        anew = [place for place in after if place in before and before[place].topic_id != after[place].topic_id]
        for topic, partition in anew:
            with writing(self._engine) as connection:
                mine = event_positions(connection, self.topics).get((topic, partition)) == before[topic, partition]
                gone = remove_events(connection, self.topics[topic], partition, _ALL, AT_ONCE) if mine else 0
            if gone == AT_ONCE:
                raise Disturbed(f"{topic}/{partition} was made anew; removing what is here of the one before")
        with writing(self._engine) as connection:
            move(connection, outcomes.positions, before, after)
            add_events(connection, batch)

    def mark_complete(self, ends: Mapping[Place, int]) -> bool:
        """Whether the index holds everything below ``ends``; kept in the store when it is so."""
        with writing(self._engine) as connection:
            known = event_positions(connection, self.topics)
            if any(place not in known or known[place].next < end for place, end in ends.items()):
                return False
            mark_events_complete(connection)
            return True


class Retention:
    """How far back the index goes. Rows leave by when their records were appended, as Kafka tells it."""

    def __init__(self, settings: Settings, engine: Engine, index: EventIndex) -> None:
        self._seconds = settings.history.days * DAY_S
        self._engine = engine
        self._index = index
        self._admin = Admin(settings, settings.worker)
        self._below: dict[Place, int] = {}
        self._looked = float("-inf")

    def starts(self, places: list[Place]) -> dict[Place, int]:
        """The first offset of each partition that the index is to have."""
        first, edge = self._admin.starts(places), self._admin.at(places, self._edge())
        return {place: max(first[place], edge[place]) for place in places}

    def turn(self, owned: Mapping[Place, int]) -> None:
        """Remove a little of what is too old in the partitions that are ``owned``, if it is time to."""
        now = time.monotonic()
        if owned and not self._below and now - self._looked > TRIM_EVERY_S:
            self._looked = now
            edges = self._admin.at(owned, self._edge())
            self._below = dict(edges)
            with writing(self._engine) as connection:
                remove_ended(connection, int(self._edge().timestamp() * 1000))
        elif self._below:
            place, below = self._below.popitem()
            with writing(self._engine) as connection:
                gone = remove_events(connection, self._index.topics[place[0]], place[1], below, AT_ONCE)
            if gone == AT_ONCE and place in owned:
                self._below[place] = below

    def _edge(self) -> datetime:
        return datetime.fromtimestamp(time.time() - self._seconds, UTC)

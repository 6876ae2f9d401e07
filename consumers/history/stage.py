"""The history stage: two feeds in one loop. Outputs become entries and rewards, which lists and answers are given from;
journal and dead letters become the index of what arrived, which may be far behind without holding those up.

An emptied store is filled again from the start of the topics. Until it holds all there was when that began, it is not
complete: no list of rewards is given from it, and whoever looks for an event is told.
"""

from __future__ import annotations

from sqlalchemy import Engine

from consumers.history.arrivals import JournalReader, LetterReader
from consumers.history.arrivals import Rows as Arrivals
from consumers.history.complete import Completeness
from consumers.history.fold import HistoryFold
from consumers.history.index import EventIndex, Retention
from consumers.history.names import Names
from consumers.history.rows import TOPICS, Reader, Rows
from offerflow.catalog.follower import CatalogFollower
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.program import Program
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.events import DEAD_LETTERS, JOURNAL, events_complete
from offerflow.runtime.store.feed import Feed, Readers
from offerflow.runtime.store.transactions import reading

OUTPUTS, EVENTS = "history", "history-events"
"""Stages, and groups, of the two feeds."""
WAIT_S = 0.05
SPACING_S = 0.05


class HistoryStage:
    """One member of both groups, from joining to leaving."""

    def __init__(self, settings: Settings, program: Program, engine: Engine) -> None:
        self._program = program
        self._names = Names(CatalogFollower(settings, settings.worker), program)
        admin, fold, index = Admin(settings, settings.worker), HistoryFold(engine), EventIndex(settings, engine)
        self._retention = Retention(settings, engine, index)
        readers = {settings.topic(name): Reader(name) for name in TOPICS}
        arrivals: Readers[Arrivals] = {
            settings.topic(JOURNAL): JournalReader(self._names.name_of),
            settings.topic(DEAD_LETTERS): LetterReader(settings.topic_prefix),
        }
        outputs = Feed[Rows](settings, OUTPUTS, readers, fold, SPACING_S)
        events = Feed[Arrivals](settings, EVENTS, arrivals, index, SPACING_S, self._retention.starts)

        def indexed() -> bool:
            with reading(engine) as connection:
                return events_complete(connection)

        self._outputs = _Followed(
            outputs, Completeness(admin, outputs.topics.values(), fold.complete, fold.mark_complete, "outputs")
        )
        self._events = _Followed(
            events, Completeness(admin, events.topics.values(), indexed, index.mark_complete, "events")
        )

    def run(self) -> None:
        """Work until the program is asked to stop. Raises what only a new session can mend."""
        both = (self._outputs, self._events)
        try:
            for one in both:
                one.feed.join()
            busy = False
            while not self._program.stopping:
                self._program.turn()
                # Whoever waits while the other is busy holds it up.
                self._outputs.turn(0 if busy else WAIT_S)
                busy = self._events.turn(0 if self._outputs.busy else WAIT_S)
                self._names.follow()
                self._retention.turn(self._events.feed.owned())
                if all(one.feed.partitions for one in both):
                    self._program.health.ready(
                        partitions=self._outputs.feed.partitions, complete=self._outputs.complete.reached,
                        events_complete=self._events.complete.reached,
                    )  # fmt: skip
            for one in both:
                one.feed.finish()
        finally:
            for one in both:
                one.feed.leave()
            self._names.close()


class _Followed:
    """A feed, and whether what it fills is complete. ``busy``: its last turn found something to read."""

    def __init__(self, feed: Feed[Rows] | Feed[Arrivals], complete: Completeness) -> None:
        self.feed = feed
        self.complete = complete
        self.busy = False

    def turn(self, wait_s: float) -> bool:
        disturbed = self.feed.disturbed
        self.busy = self.feed.turn(wait_s)
        if disturbed and not self.feed.disturbed:
            self.complete.begin()
        self.complete.turn(idle=not self.busy)
        return self.busy

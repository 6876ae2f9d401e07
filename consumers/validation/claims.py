"""Where one worker stands in each of its raw partitions: what is read, what is committed, and what is counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from consumers.validation.judging import STAGE
from consumers.validation.seen import Ledger, resume
from offerflow.runtime import metrics, outside
from offerflow.runtime.claims import claiming, committed_positions, look
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.kafka.transactional import Output
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import commit_metadata
from schemas.seen import load_snapshots, write_snapshot


class Claims:
    """``next`` is the position to read from. It lies below ``committed`` while records that were written before a
    crash are counted again; ``serials`` says under which plan those were judged."""

    def __init__(self, settings: Settings, admin: Admin) -> None:
        self._settings = settings
        self._admin = admin
        self._topic_ids: dict[str, str] = {}
        self.next: dict[Place, int] = {}
        self.committed: dict[Place, int] = {}
        self.serials: dict[Place, int] = {}
        self.ledger = Ledger()
        self._partitions = metrics.PartitionsGauge(STAGE)

    def claim(self, places: list[Place]) -> None:
        """Raises Refused where a guard of the protocol does not hold."""
        with claiming(STAGE):
            # Before the offsets, with which they are committed: so counts are never ahead of the position, even if the
            # last owner goes on meanwhile.
            found = load_snapshots(self._settings, {partition for _, partition in places})
            committed, topics = committed_positions(self._settings, self._admin, STAGE, places)
            starts = self._admin.starts(places)
        self._topic_ids.update({topic.name: topic.id for topic in topics.values()})
        for place in places:
            mine = place in found and found[place].worker == self._settings.worker
            snapshot = resume(found.get(place), self._topic_ids[place[0]], starts[place], committed[place])
            self.ledger.take(place, snapshot, fresh=not mine)
            self.next[place], self.committed[place] = snapshot.next, committed[place]
            self.serials[place] = snapshot.serial
        metrics.claims.labels(STAGE, "carried_on").inc(len(places))

    def expect(self, topics: Iterable[str]) -> None:
        """What the group reads from now on, of which every partition should have an owner."""
        self._partitions.show({topic.name: topic.partitions for topic in self._admin.topics(topics).values()})

    def look(self) -> None:
        """Whether the topics are what they were, asked now and then. Raises Refused."""
        read = {topic for topic, _ in self.next}
        look(self._settings, self._admin, {name: self._topic_ids[name] for name in read})

    def drop(self, places: Iterable[Place]) -> None:
        gone = list(places)
        self.ledger.drop(gone)
        for place in gone:
            self.next.pop(place, None)
            self.committed.pop(place, None)
            self.serials.pop(place, None)

    def forward(self, offsets: Mapping[Place, int]) -> dict[Place, tuple[int, str]]:
        """Those of ``offsets`` that are to be committed, with their metadata: never one at or below the committed."""
        return {
            place: (to, commit_metadata(self._topic_ids[place[0]], to))
            for place, to in offsets.items()
            if to > self.committed[place]
        }

    def moved(self, offsets: Mapping[Place, int]) -> None:
        """What lies before ``offsets`` is done with."""
        for place, to in offsets.items():
            self.next[place] = to
            self.committed[place] = max(to, self.committed[place])

    def snapshots(self, places: Iterable[Place], serial: int) -> list[Output]:
        """The counts of ``places`` as records for ``events-seen``. What follows them is judged under ``serial``."""
        written = self.ledger.write(places, self._settings.worker, outside.monotonic())
        for place, snapshot in written.items():
            snapshot.serial = serial if snapshot.next >= self.committed[place] else self.serials[place]
        return [write_snapshot(self._settings, place, snapshot) for place, snapshot in written.items()]

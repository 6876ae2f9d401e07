"""Where to read on: positions that are kept in the store, with what was read, held against what Kafka has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.admin import Admin, Place, TopicInfo
from offerflow.runtime.logs import get_logger


class Position(NamedTuple):
    """The next offset of a partition, and Kafka's id of the topic it is of."""

    topic_id: str
    next: int


Starts = Callable[[list[Place]], Mapping[Place, int]]
"""The first offset to read of each partition that has no position."""


def claim(
    places: list[Place], known: Mapping[Place, Position], topics: Mapping[str, TopicInfo], starts: Mapping[Place, int]
) -> dict[Place, Position]:
    """A topic that was made anew is read from its start, and so is what was never read; records that retention removed
    before they were read are gone for good, which is told."""
    claimed = {}
    for place in places:
        topic_id, start = topics[place[0]].id, starts[place]
        before = known.get(place)
        if before is None:
            claimed[place] = Position(topic_id, start)
        elif before.topic_id != topic_id:
            get_logger().warning("topic was made anew; reading it from its start", topic=place[0], partition=place[1])
            claimed[place] = Position(topic_id, start)
        elif before.next < start:
            get_logger().warning(
                "retention was faster than the reader", topic=place[0], partition=place[1], lost=start - before.next
            )
            claimed[place] = Position(topic_id, start)
        else:
            claimed[place] = before
    return claimed


def described(admin: Admin, names: list[str]) -> dict[str, TopicInfo]:
    """The topics by full name. Raises KafkaDown if one is missing."""
    there = admin.topics(names)
    missing = [name for name in names if name not in there]
    if missing:
        raise KafkaDown(f"Kafka lacks {', '.join(missing)}; run `offerflow topics create`")
    return there


class Standing:
    """Where a reader stands in each partition that is its own: the membership of a group whose positions the store
    keeps. ``known`` gives them, of whatever was ever read; ``starts`` from where on a partition is of interest."""

    def __init__(
        self, admin: Admin, names: list[str], known: Callable[[], Mapping[Place, Position]],
        starts: Starts | None = None,
    ) -> None:  # fmt: skip
        self._known = known
        self._starts = starts or admin.starts
        self.topics = described(admin, names)
        self.stored: dict[Place, Position] = {}
        """As the store has them; without what was never read."""
        self.next: dict[Place, Position] = {}
        """Past transaction markers."""

    def assigned(self, places: list[Place]) -> Mapping[Place, int]:
        known = self._known()
        for place, position in claim(places, known, self.topics, self._starts(places)).items():
            self.next[place] = position
            if place in known:
                self.stored[place] = known[place]
        return {place: self.next[place].next for place in places}

    def revoked(self, places: list[Place]) -> None:
        for place in places:
            self.next.pop(place, None)
            self.stored.pop(place, None)

    lost = revoked

    def again(self) -> Mapping[Place, int]:
        """Claim everything anew; where to read on."""
        places = list(self.next)
        self.revoked(places)
        return self.assigned(places)

    def end(self, ends: Mapping[Place, int]) -> None:
        """These partitions were read to their end."""
        for place, end in ends.items():
            position = self.next.get(place)
            if position is not None and end > position.next:
                self.next[place] = position._replace(next=end)

    def to_write(self, moved: Mapping[Place, int]) -> tuple[dict[Place, Position], dict[Place, Position]]:
        """The positions that the store lacks, as it has them and as they are once all up to ``moved`` is in it."""
        after = {
            place: position._replace(next=moved.get(place, position.next)) for place, position in self.next.items()
        }
        after = {place: position for place, position in after.items() if position != self.stored.get(place)}
        return {place: self.stored[place] for place in after if place in self.stored}, after

    def wrote(self, after: Mapping[Place, Position]) -> None:
        """The store has these now."""
        self.stored |= after
        self.next |= after

    def offsets(self) -> dict[Place, int]:
        return {place: position.next for place, position in self.next.items()}

    def stored_offsets(self) -> dict[Place, int]:
        return {place: position.next for place, position in self.stored.items()}

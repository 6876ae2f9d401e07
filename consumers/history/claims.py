"""Where to read on: the positions of the store, held against what Kafka has."""

from __future__ import annotations

from collections.abc import Mapping

from consumers.history.fold import Position
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.admin import Admin, Place, TopicInfo
from offerflow.runtime.logs import get_logger


def claim(
    places: list[Place], known: Mapping[Place, Position], topics: Mapping[str, TopicInfo], starts: Mapping[Place, int]
) -> dict[Place, Position]:
    """A topic that was made anew is read from its start, and so is what was never read; records that retention removed
    before they were read are missing from the history for good, which is told."""
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
                "retention was faster than the history", topic=place[0], partition=place[1], lost=start - before.next
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

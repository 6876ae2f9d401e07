"""Between which positions a running deployment can be judged: what must be in the output topics, and what may be.

1. ``certain``: the rules' committed offsets. What was decided below them was published in the same transactions.
2. the ends of the output topics, once every transaction that had written below them is over.
3. ``possible``: the committed offsets again. Nothing below those ends was decided at or above them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from offerflow.runtime.errors import KafkaDown, Refused, TryAgain
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.settings import Settings
from schemas.folding.announced import STAGE
from schemas.output_topics import RECORD_OF

CLIENT = "offerflow-verify"
OUTPUT_TOPICS = tuple(RECORD_OF)
"""Short names; everything that a fold says goes to these."""
_OPEN_S = 60.0
"""Far beyond the time after which a broker ends a transaction that nobody ends."""
_LOOK_S = 0.1


class Bounds(msgspec.Struct, frozen=True):
    """By journal partition, and by place (full topic name, partition) of the output topics."""

    certain: dict[int, int]
    possible: dict[int, int]
    starts: dict[Place, int]
    ends: dict[Place, int]


def journal_places(settings: Settings, admin: Admin) -> list[Place]:
    """The partitions of the journal. Raises KafkaDown if there is none."""
    topic = settings.topic("journal")
    found = admin.topics([topic])
    if topic not in found:
        where = settings.kafka.bootstrap_servers
        raise KafkaDown(f"Kafka at {where} has no topic {topic}; run `offerflow topics create`, or look elsewhere")
    return [(topic, partition) for partition in range(found[topic].partitions)]


def check_starts(admin: Admin, places: Sequence[Place]) -> None:
    """Raises Refused unless the journal reaches back to its first record."""
    cut = {place: start for place, start in admin.starts(places).items() if start}
    if cut:
        (topic, partition), start = next(iter(cut.items()))
        raise Refused(
            "journal_short",
            f"{topic}/{partition} starts at {start}{f', and {len(cut) - 1} more' if len(cut) > 1 else ''}: retention or"
            " somebody removed its beginning, so it cannot be folded from there. Fold on from a copy of Redis that"
            " reaches the journal (--from-copy, docs/verifying.md), or verify partitions that are whole (--partition)",
        )


def committed_by_rules(settings: Settings, admin: Admin, places: Sequence[Place]) -> dict[int, int]:
    """The stable committed offset of each journal partition."""
    group = settings.group(STAGE)
    deadline = time.monotonic() + _OPEN_S
    while True:
        try:
            found = admin.committed(group, places)
            break
        except KafkaDown:
            # A worker that stands still in mid-transaction holds the answer back until the broker aborts it.
            if time.monotonic() > deadline:
                raise
    for topic, partition in places:
        if (topic, partition) not in found:
            raise Refused(
                "offset_absent",
                f"group {group} has no committed offset for {topic}/{partition}, so nobody knows what was published:"
                " it expired or was deleted, or `offerflow topics create` was never run. `offerflow state show` tells"
                " where the partition stands",
            )
    return {partition: found[topic, partition].offset for topic, partition in places}


def bounds(settings: Settings, admin: Admin, journal: Sequence[Place]) -> Bounds:
    """Raises TryAgain if a transaction on an output topic stays open for a minute."""
    topics = admin.topics(settings.topic(name) for name in OUTPUT_TOPICS)
    places = [(topic.name, partition) for topic in topics.values() for partition in range(topic.partitions)]
    certain = committed_by_rules(settings, admin, journal)
    ends = admin.written(places)
    _await(admin, ends)
    possible = committed_by_rules(settings, admin, journal)
    return Bounds(certain, possible, admin.starts(places), ends)


def _await(admin: Admin, ends: Mapping[Place, int]) -> None:
    deadline = time.monotonic() + _OPEN_S
    waiting: Iterable[Place] = ends
    while True:
        stable = admin.ends(waiting)
        waiting = [place for place in waiting if stable[place] < ends[place]]
        if not waiting:
            return
        if time.monotonic() > deadline:
            topic, partition = waiting[0]
            raise TryAgain(
                f"a transaction that wrote to {topic}/{partition} has been open for {_OPEN_S:.0f} s, so nobody knows"
                " what is to be there; is a worker hanging? Try again when it is over"
            )
        time.sleep(_LOOK_S)

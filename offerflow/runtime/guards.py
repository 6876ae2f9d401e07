"""The guards of a claim, one predicate each: what must not be guessed about when a worker takes over a partition.

Each says why it is needed. They are looked up here at each use, so that tests can show of every one a schedule of
faults that goes wrong without it; nothing else may switch them off. offerflow.runtime.claims asks them in order and has
the words for people; those of a worker's turn are in consumers.rules.guards.
"""

from __future__ import annotations

from collections.abc import Mapping

from offerflow.runtime.kafka.admin import Committed, TopicInfo
from offerflow.runtime.redis.store import Meta
from offerflow.runtime.topics import commit_metadata

IDENTITY = ("cluster_id", "topic_id", "group", "partitions")
"""What a partition in Redis says of the journal that it was folded from, in the order in which it is compared."""


def absent(committed: Committed | None) -> bool:
    """Whether the group has no offset. An offset that expired looks like one that never was, so that beginning at the
    start of the log would publish everything again."""
    return committed is None


def of_another_topic(committed: Committed, topic: TopicInfo) -> bool:
    """Whether the offset was committed by us, but for a topic that had the same name: a number without meaning now."""
    parts = committed.metadata.split(":")
    return len(parts) == 3 and parts[0] == "of1" and parts[1] != topic.id


def tampered(committed: Committed, topic: TopicInfo) -> bool:
    """Whether somebody else committed the offset. Set back, outputs would be published twice; set forward, records
    would be passed over."""
    return committed.metadata != commit_metadata(topic.id, committed.offset)


def outside(committed: Committed, start: int, end: int) -> bool:
    """Whether the log does not have the offset: below its start records went unread, beyond its end some that were
    read are lost, and others will come in their place."""
    return not start <= committed.offset <= end


def recounted(topic: TopicInfo, partitions: int) -> bool:
    """Whether the journal has another number of partitions than it was made with: an entity's records would lie in two
    of them, and its state in neither."""
    return topic.partitions != partitions


def half_written(meta: Meta) -> bool:
    """Whether a script died between its first write and its last, so that the states are of two positions at once."""
    return meta.dirty is not None


def of_another_layout(meta: Meta, layout: str) -> bool:
    """Whether another version packed the states, which this one would misread."""
    return meta.next > 0 and meta.layout != layout


def stranger(meta: Meta, identity: Mapping[str, str]) -> str | None:
    """The first of IDENTITY in which Redis and this deployment differ: the states were folded from another journal,
    whose offsets mean nothing in this one. A partition that says nothing of itself is new."""
    for name in IDENTITY:
        found = getattr(meta, name)
        if found is not None and found != identity[name]:
            return name
    return None


def ahead(meta: Meta, committed: int) -> bool:
    """Whether Redis has folded what was never committed, so never published: going on would lose its outputs."""
    return meta.next > committed


def too_old(meta: Meta, start: int) -> bool:
    """Whether records that Redis has not folded are gone from the journal: going on would leave them out."""
    return meta.next < start

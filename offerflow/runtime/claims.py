"""The Kafka side of a claim: where a group's committed offset stands, and whether it can be trusted.

A guard that does not hold raises Refused with what is wrong and what to do; a worker never guesses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from offerflow.runtime.errors import Refused
from offerflow.runtime.kafka.admin import Admin, Place, TopicInfo
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import commit_metadata


def committed_positions(
    settings: Settings, admin: Admin, stage: str, places: Sequence[Place]
) -> tuple[Mapping[Place, int], Mapping[str, TopicInfo]]:
    """The stable committed offset of each place, and the topics they are in.

    Raises Refused if an offset is absent, was not committed by us for this very topic, or lies outside the log.
    """
    group = settings.group(stage)
    topics = admin.topics(sorted({topic for topic, _ in places}))
    committed = admin.committed(group, places)
    starts, ends = admin.starts(places), admin.ends(places)
    positions = {}
    for place in places:
        topic, partition = place
        where = f"{topic}/{partition}"
        if topic not in topics:
            raise Refused("topic_absent", f"topic {topic} is gone; run `offerflow topics create`")
        found = committed.get(place)
        if found is None:
            raise Refused(
                "offset_absent",
                f"group {group} has no committed offset for {where}: it expired or was deleted, or the topic is new."
                " If it is new, run `offerflow topics create`; if not, find out why before going on",
            )
        if found.metadata != commit_metadata(topics[topic].id, found.offset):
            raise Refused(
                "offset_foreign",
                f"the committed offset {found.offset} of group {group} for {where} was not committed by this system for"
                f" this topic (its metadata is {found.metadata!r}): offsets were reset by hand, or the topic was"
                " deleted and created again. Restore the offsets, or rebuild the deployment",
            )
        if not starts[place] <= found.offset <= ends[place]:
            raise Refused(
                "offset_outside",
                f"the committed offset {found.offset} for {where} lies outside the log, which goes from"
                f" {starts[place]} to {ends[place]}: the log was truncated or retention overtook the stage",
            )
        positions[place] = found.offset
    return positions, topics

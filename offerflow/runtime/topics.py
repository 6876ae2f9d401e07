"""The topics of a deployment, and the first commits without which no worker claims a partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from offerflow.runtime.errors import Refused
from offerflow.runtime.kafka.admin import Admin, Place, TopicInfo, first_commits
from offerflow.runtime.kafka.scan import scan
from offerflow.runtime.logs import get_logger
from offerflow.runtime.settings import Settings

MIB = 1024 * 1024
DAY_MS = 24 * 3600 * 1000
RAW = ("raw.sdk", "raw.backend", "raw.integration", "raw.replay", "raw.import")
CHANNELS = {"raw.sdk": "sdk", "raw.backend": "backend", "raw.integration": "integration"}
"""The fixed raw topics that carry events from outside, and the origin each belongs to."""

# Twice the limit on one record, so that a record a little over it becomes a dead letter rather than an error.
_RAW_CONFIG = {"retention.ms": str(14 * DAY_MS), "max.message.bytes": str(2 * MIB)}
_WRITTEN = {"journal": 16 * MIB, "raw.replay": 16 * MIB, "dead-letter": 96 * MIB}
"""What stages and commands must be able to write. Brokers measure compressed records, and a sender may compress better
than our producers do: what a raw topic takes as 2 MiB was seen to take 45 MiB here. So a dead letter may be as large as
fits into one request of a broker as it comes (100 MiB); those of ``raw.replay`` have the key twice and fit as well.
Asked for after a topic was made, since a hosted broker may allow less and the topic is wanted all the same."""
_FIXED: dict[str, dict[str, str]] = {
    **dict.fromkeys(RAW, _RAW_CONFIG),
    "journal": {"retention.ms": str(400 * DAY_MS), "max.message.bytes": str(2 * MIB)},
    "dead-letter": {"retention.ms": str(30 * DAY_MS), "max.message.bytes": str(4 * MIB)},
    "offer-entry": {"retention.ms": str(90 * DAY_MS), "max.message.bytes": str(4 * MIB)},
    "offer-exit": {"retention.ms": str(90 * DAY_MS), "max.message.bytes": str(4 * MIB)},
    "reward-satisfied": {"retention.ms": str(365 * DAY_MS), "max.message.bytes": str(4 * MIB)},
    "reward-reversed": {"retention.ms": str(365 * DAY_MS), "max.message.bytes": str(4 * MIB)},
    "reward-fulfilled": {"retention.ms": str(365 * DAY_MS), "max.message.bytes": str(4 * MIB)},
    "dead-letter-state": {"cleanup.policy": "compact"},
    # Whoever claims a partition reads these: small segments, since the one being written is never compacted.
    "events-seen": {"cleanup.policy": "compact", "max.message.bytes": str(4 * MIB), "segment.bytes": str(8 * MIB)},
    "catalog": {"cleanup.policy": "compact", "max.message.bytes": str(4 * MIB)},
    "audit": {"retention.ms": str(5 * 365 * DAY_MS)},
}
_SINGLE = ("catalog", "audit")


class PlannedTopic(msgspec.Struct, frozen=True):
    """A topic as ``create_topics`` makes it, with the room for records that it asks for afterwards."""

    partitions: int
    config: Mapping[str, str]


def planned_topics(settings: Settings, raw_topics: Iterable[str] = ()) -> dict[str, PlannedTopic]:
    """The fixed topics and ``raw_topics`` (short names) by full name."""
    wanted = {**_FIXED, **dict.fromkeys(raw_topics, _RAW_CONFIG)}
    found = {}
    for name, config in wanted.items():
        room = {"max.message.bytes": str(_WRITTEN[name])} if name in _WRITTEN else {}
        partitions = 1 if name in _SINGLE else settings.partitions
        found[settings.topic(name)] = PlannedTopic(
            partitions, {"message.timestamp.type": "LogAppendTime", **config, **room}
        )
    return found


def create_topics(settings: Settings, raw_topics: Iterable[str] = ()) -> list[str]:
    """Create what is missing of the fixed topics and of ``raw_topics`` (short names), then the first commits.
    Topics with less room for a record than _WRITTEN says are given more; nothing is lowered.

    Idempotent. Returns the full names of the topics it made. Raises Refused if the journal exists with another
    number of partitions than the settings say, or if offsets are gone from a deployment that has worked; KafkaDown if
    there is no broker.
    """
    admin = Admin(settings)
    wanted = {**_FIXED, **dict.fromkeys(raw_topics, _RAW_CONFIG)}
    names = {name: settings.topic(name) for name in wanted}
    there = admin.topics(names.values())
    created = admin.create(
        (
            full,
            1 if name in _SINGLE else settings.partitions,
            -1,
            {"message.timestamp.type": "LogAppendTime", **wanted[name]},
        )
        for name, full in names.items()
        if full not in there
    )
    there = await_topics(admin, names.values())
    _make_room(admin, {names[name]: limit for name, limit in _WRITTEN.items()})
    journal = there[names["journal"]]
    if journal.partitions != settings.partitions:
        raise Refused(
            "partitions",
            f"the journal {journal.name} has {journal.partitions} partitions, the settings say {settings.partitions};"
            " the number is never altered: set OFFERFLOW_PARTITIONS to what the journal has",
        )
    raw = [there[names[name]] for name in wanted if name.startswith("raw.")]
    _refuse_lost(settings, admin, "rules", [journal], _written(admin, journal))
    _refuse_lost(settings, admin, "validation", raw, _counted(settings, raw))
    # Rules first: whoever is interrupted in between leaves a journal that nobody can have written to.
    commit_first(settings, admin, "rules", [journal])
    commit_first(settings, admin, "validation", raw)
    return created


def _written(admin: Admin, journal: TopicInfo) -> set[Place]:
    """Partitions of the journal with records. Nobody writes any before the first commits of the rules are made."""
    ends = admin.written((journal.name, partition) for partition in range(journal.partitions))
    return {place for place, end in ends.items() if end}


class _Counted(msgspec.Struct):
    """What of a snapshot in ``events-seen`` matters here (schemas.seen)."""

    topic_id: str
    next: int


def _counted(settings: Settings, raw: Iterable[TopicInfo]) -> set[Place]:
    """Raw partitions that validation has gone on in: it writes its counts with the first offset that it commits. A
    topic that was deleted and created again is another one."""
    ids = {topic.name: topic.id for topic in raw}
    newest: dict[Place, int] = {}
    for record in scan(settings, [settings.topic("events-seen")], "offerflow-topics"):
        topic, _, partition = (record.key() or b"").decode("utf-8", "replace").rpartition("/")
        found = msgspec.json.decode(record.value() or b'{"topic_id": "", "next": 0}', type=_Counted)
        if ids.get(topic) == found.topic_id:
            newest[topic, int(partition)] = found.next
    return {place for place, counted in newest.items() if counted}


def _refuse_lost(settings: Settings, admin: Admin, stage: str, topics: list[TopicInfo], worked: set[Place]) -> None:
    """Raises Refused for partitions that were ``worked`` on and whose offset is gone. To begin at the start of the log
    would judge and publish everything again."""
    known = admin.committed(settings.group(stage), worked)
    for topic in topics:
        lost = sorted(partition for name, partition in worked - known.keys() if name == topic.name)
        if lost:
            raise Refused(
                "offset_absent",
                f"group {settings.group(stage)} has no committed offset for {topic.name}, partitions"
                f" {', '.join(map(str, lost))}, but has worked on them: the offsets expired (`offsets.retention"
                ".minutes` of the broker) or were deleted, and to begin at the start would publish everything again."
                " `offerflow state show` tells where everything stands, `offerflow state adopt` sets offsets that you"
                " know to be right",
            )


def _make_room(admin: Admin, wanted: Mapping[str, int]) -> None:
    found = admin.record_limits(wanted)
    for topic, limit in wanted.items():
        if topic not in found or found[topic] >= limit:
            continue
        why = admin.raise_record_limit(topic, limit)
        if why is None:
            get_logger().info("limit raised", topic=topic, max_message_bytes=limit, before=found[topic])
        else:
            get_logger().warning(
                f"max.message.bytes of {topic} stays {found[topic]}: {why}; a record too large for it would stop the"
                f" stage that writes it, so have it raised to {limit}"
            )


def check_topics(settings: Settings) -> list[str]:
    """What is missing or wrong, a sentence each; empty if the deployment is complete."""
    admin = Admin(settings)
    there = admin.topics(settings.topic(name) for name in _FIXED)
    problems = []
    for name in _FIXED:
        topic, expected = there.get(settings.topic(name)), 1 if name in _SINGLE else settings.partitions
        if topic is None:
            problems.append(f"topic {settings.topic(name)} is missing; run `offerflow topics create`")
        elif topic.partitions != expected:
            problems.append(f"topic {topic.name} has {topic.partitions} partitions, expected {expected}")
    for stage, names in (("validation", RAW), ("rules", ("journal",))):
        topics = [there[settings.topic(name)] for name in names if settings.topic(name) in there]
        places = [(topic.name, partition) for topic in topics for partition in range(topic.partitions)]
        known = admin.committed(settings.group(stage), places)
        problems += [
            f"group {settings.group(stage)} has no committed offset for {topic}/{partition};"
            " if the topic is new run `offerflow topics create`"
            for topic, partition in places
            if (topic, partition) not in known
        ]
    return problems


def await_topics(admin: Admin, names: Iterable[str], tries: int = 50) -> dict[str, TopicInfo]:
    """Descriptions of all ``names``; a topic just made may take a moment to be known everywhere."""
    import stamina

    wanted = list(names)
    for attempt in stamina.retry_context(on=LookupError, attempts=tries, wait_initial=0.05, wait_max=0.5, timeout=20):
        with attempt:
            there = admin.topics(wanted)
            missing = [name for name in wanted if name not in there]
            if missing:
                raise LookupError(f"topics are not there: {', '.join(missing)}")
    return there


def commit_first(settings: Settings, admin: Admin, stage: str, topics: Iterable[TopicInfo]) -> None:
    """Give partitions of ``topics`` that have no committed offset their first one: the start of the log."""
    group = settings.group(stage)
    by_name: Mapping[str, TopicInfo] = {topic.name: topic for topic in topics}
    places: list[Place] = [(t.name, p) for t in by_name.values() for p in range(t.partitions)]
    known = admin.committed(group, places)
    starts = admin.starts(place for place in places if place not in known)
    first_commits(
        settings,
        admin,
        group,
        {place: (offset, commit_metadata(by_name[place[0]].id, offset)) for place, offset in starts.items()},
    )


def commit_metadata(topic_id: str, offset: int) -> str:
    """What every commit carries, so that an offset reset by hand or by expiry is recognised."""
    return f"of1:{topic_id}:{offset}"

"""Topics: all there, as ``offerflow topics create`` makes them, and safe on their brokers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

from console.doctor.brokers import CLIENT, REPLICAS
from console.doctor.catalog import catalog_of
from console.doctor.finding import Check, Finding, Verdict, days, size, some
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.inspection import Config, Inspection
from offerflow.runtime.kafka.inspection import Replicas as Copies
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import RAW, PlannedTopic, planned_topics

AREA = "topics"
RETENTION, RETENTION_BYTES, LIMIT = "retention.ms", "retention.bytes", "max.message.bytes"
CLEANUP, TIMESTAMPS, IN_SYNC = "cleanup.policy", "message.timestamp.type", "min.insync.replicas"
UNCLEAN = "unclean.leader.election.enable"

_ALLOWED = re.compile(r"[a-zA-Z0-9._-]*")

NAMES = Check("topic-names", AREA, "OFFERFLOW_TOPIC_PREFIX of letters, digits, dots, dashes and underscores")
PRESENT = Check("topics-present", AREA, "all fixed topics and those that sources name")
PARTITIONS = Check("topics-partitions", AREA, "as many as OFFERFLOW_PARTITIONS says; catalog and audit have one")
REPLICATION = Check("topics-replication", AREA, "3 replicas, or as many as there are brokers")
MIN_IN_SYNC = Check("topics-min-insync", AREA, f"{IN_SYNC} 2 of 3 replicas, 1 where there is one")
NOW_IN_SYNC = Check("topics-in-sync", AREA, "every replica in sync, every partition with a leader")
POLICY = Check("topics-cleanup", AREA, f"{CLEANUP} as `offerflow topics create` sets it")
KEPT = Check(
    "topics-retention", AREA, f"{RETENTION} of what `offerflow topics create` sets or more, no {RETENTION_BYTES}"
)
TIMES = Check("topics-timestamps", AREA, f"{TIMESTAMPS}=LogAppendTime")
ROOM = Check("topics-record-limit", AREA, f"{LIMIT} of what `offerflow topics create` sets or more")
ELECTION = Check("topics-unclean-election", AREA, f"{UNCLEAN}=false for every topic")
THERE = (PRESENT, PARTITIONS, REPLICATION, NOW_IN_SYNC)
CONFIGURED = (POLICY, KEPT, TIMES, ROOM, MIN_IN_SYNC, ELECTION)

Wrong = list[tuple[Verdict, str]]


def look_names(settings: Settings) -> Iterator[Finding]:
    """Kafka refuses every question about a topic whose name cannot be."""
    yield judge_names(settings.topic_prefix)


def judge_names(prefix: str) -> Finding:
    if _ALLOWED.fullmatch(prefix):
        return NAMES.ok(f"names begin with {prefix!r}")
    return NAMES.bad(
        f"topic_prefix {prefix!r} has what Kafka allows in no topic's name", "set OFFERFLOW_TOPIC_PREFIX to another"
    )


def look_there(settings: Settings) -> Iterator[Finding]:
    admin, planned = Inspection(settings, CLIENT), _planned(settings)
    yield from judge_there(settings, planned, admin.replicas(planned), admin.brokers())


def look_configured(settings: Settings) -> Iterator[Finding]:
    admin, planned = Inspection(settings, CLIENT), _planned(settings)
    configs = admin.topic_configs(planned)
    replicas = {name: least_of(copies) for name, copies in admin.replicas(planned).items()}
    yield from judge_configs(settings, planned, configs, replicas)


def _planned(settings: Settings) -> dict[str, PlannedTopic]:
    """The fixed topics, and those of sources as far as the catalog can be read."""
    named: set[str] = set()
    with suppress(KafkaDown):  # no catalog, no sources: that it is missing is a finding
        named = {topic for source in catalog_of(settings).sources.values() for topic in source.topics}
    return planned_topics(settings, sorted(named - set(RAW)))


def least_of(copies: list[Copies]) -> int:
    """Replicas of the partition that has the fewest."""
    return min((one.wanted for one in copies), default=0)


def judge_there(
    settings: Settings, planned: Mapping[str, PlannedTopic], found: Mapping[str, list[Copies]], brokers: int
) -> Iterator[Finding]:
    """``found``: the partitions of each topic that is there."""
    missing: Wrong = [("bad", f"{name} is missing") for name in planned if name not in found]
    yield PRESENT.worst(missing, f"{len(planned)} topics", "offerflow topics create")
    if not found:
        yield from (check.unknown("no topic is there") for check in (PARTITIONS, REPLICATION, NOW_IN_SYNC))
        return
    yield _partitions(settings, planned, found)
    wanted = min(REPLICAS, brokers)
    few: Wrong = []
    ill: Wrong = []
    for name, copies in found.items():
        least = least_of(copies)
        if least < wanted:
            few.append(("bad" if least < 2 else "warn", f"{name} has {least}"))
        leaderless = sum(not one.led for one in copies)
        behind = sum(one.in_sync < one.wanted for one in copies)
        if leaderless:
            ill.append(("bad", f"{name}: {leaderless} of {len(copies)} partitions have no leader"))
        elif behind:
            ill.append(("warn", f"{name}: {behind} of {len(copies)} partitions lack replicas in sync"))
    least = min(least_of(copies) for copies in found.values())
    well = f"{least} replica{'s' if least != 1 else ''}" + (" (a cluster of one broker)" if brokers == 1 else "")
    yield REPLICATION.worst(few, well, "have them reassigned to more brokers (kafka-reassign-partitions.sh)")
    yield NOW_IN_SYNC.worst(ill, "all in sync", "a broker is away or too slow: look at its log and its disk")


def _partitions(settings: Settings, planned: Mapping[str, PlannedTopic], found: Mapping[str, list[Copies]]) -> Finding:
    journal = settings.topic("journal")
    fixed = planned_topics(settings)
    told: Wrong = [
        ("bad" if name == journal else "warn", f"{name} has {len(copies)}, expected {planned[name].partitions}")
        for name, copies in found.items()
        if name in fixed and len(copies) != planned[name].partitions
    ]
    of_journal = any(verdict == "bad" for verdict, _ in told)
    do = "docs/runbook.md#partitions" if of_journal else "harmless if meant; validation reads as many as there are"
    return PARTITIONS.worst(told, f"{settings.partitions} each", do)


def judge_configs(
    settings: Settings, planned: Mapping[str, PlannedTopic], configs: Mapping[str, Config], replicas: Mapping[str, int]
) -> Iterator[Finding]:
    """``configs`` and ``replicas`` of the topics that are there; what a broker does not tell is left alone."""
    policy: Wrong = []
    kept: Wrong = []
    times: Wrong = []
    room: Wrong = []
    in_sync: Wrong = []
    election: Wrong = []
    for name, config in configs.items():
        wanted, journal = planned[name].config, name == settings.topic("journal")
        expected = wanted.get(CLEANUP, "delete")
        if config.get(CLEANUP, expected) != expected:
            policy.append(("bad", f"{name}: {config[CLEANUP]}, expected {expected}"))
        kept += _retention(name, config, wanted, journal=journal)
        if config.get(TIMESTAMPS, wanted[TIMESTAMPS]) != wanted[TIMESTAMPS]:
            times.append(("bad", f"{name}: {config[TIMESTAMPS]}"))
        least = int(wanted.get(LIMIT, 0))
        if int(config.get(LIMIT, least)) < least:
            room.append(("warn", f"{name}: {size(int(config[LIMIT]))}, expected {size(least)}"))
        in_sync += _in_sync(name, config, replicas.get(name, 0))
        if config.get(UNCLEAN) == "true":
            election.append(("bad" if replicas.get(name, 0) > 1 else "warn", name))
    if not configs:
        yield from (check.unknown("no topic is there") for check in CONFIGURED)
        return

    def planned_of(wrong: Wrong, name: str, default: str = "") -> dict[str, str]:
        """What is planned for those topics of ``wrong``, by topic."""
        return {topic: planned[topic].config.get(name, default) for topic in _topics_of(wrong)}

    yield POLICY.worst(
        policy, "as planned",
        _set(settings, CLEANUP, planned_of(policy, CLEANUP, "delete")) + "; as it is, records are lost or never go",
    )  # fmt: skip
    yield KEPT.worst(
        kept, "as planned or longer", _set(settings, RETENTION, planned_of(kept, RETENTION), f"{RETENTION_BYTES}=-1")
    )
    yield TIMES.worst(
        times, "LogAppendTime",
        _set(settings, TIMESTAMPS, planned_of(times, TIMESTAMPS)) + "; time and lag are told by it",
    )  # fmt: skip
    yield ROOM.worst(
        room, "as planned or more",
        "`offerflow topics create` asks for it; if the broker refuses: "
        + _set(settings, LIMIT, planned_of(room, LIMIT))
        + "; a record too large for its topic stops the stage that writes it",
    )  # fmt: skip
    least = min((int(config[IN_SYNC]) for config in configs.values() if IN_SYNC in config), default=1)
    alone = " (a cluster of one broker)" if max(replicas.values(), default=1) == 1 else ""
    fitting = {name: "2" if replicas.get(name, 0) > 2 else "1" for name in _topics_of(in_sync)}
    yield MIN_IN_SYNC.worst(in_sync, f"{least}{alone}", _set(settings, IN_SYNC, fitting) + "; with three replicas 2")
    yield ELECTION.worst(
        election, "false",
        _set(settings, UNCLEAN, dict.fromkeys(_topics_of(election), "false"))
        + "; what the new leader lacks would be lost",
    )  # fmt: skip


def _topics_of(wrong: Wrong) -> list[str]:
    return list(dict.fromkeys(text.partition(":")[0] for _, text in wrong))


def _set(settings: Settings, name: str, values: Mapping[str, str], also: str = "") -> str:
    """How topics are altered: the command for the first, and what is another's. ``also``: set in each of them."""
    if not values:
        return ""
    (first, value), *others = values.items()
    pairs = f"{name}={value}" + (f",{also}" if also else "")
    more = [f"{topic} {name}={wanted}" for topic, wanted in others]
    return (
        f"`kafka-configs.sh --bootstrap-server {settings.kafka.bootstrap_servers} --alter --entity-type topics"
        f" --entity-name {first} --add-config {pairs}`"
        + (f", and likewise {some(more, len(more))}" if more else "")
        + " (without Kafka's tools: docs/doctor.md#altering)"
    )


def _retention(name: str, config: Config, wanted: Mapping[str, str], *, journal: bool) -> Wrong:
    found: Wrong = []
    verdict: Verdict = "bad" if journal else "warn"
    least, has = int(wanted.get(RETENTION, 0)), int(config.get(RETENTION, -1))
    if least and 0 <= has < least:
        found.append((verdict, f"{name}: {days(has)}, expected {days(least)}"))
    limit = int(config.get(RETENTION_BYTES, -1))
    if least and limit >= 0:
        found.append((verdict, f"{name}: cut at {size(limit)} per partition, however young"))
    return found


def _in_sync(name: str, config: Config, replicas: int) -> Wrong:
    least = int(config.get(IN_SYNC, 1))
    if replicas > 1 and least < 2:
        return [("warn", f"{name}: 1 of {replicas}, so a record may be on one disk alone")]
    if 1 < replicas <= least:
        return [("warn", f"{name}: {least} of {replicas}, so no broker may be away")]
    return [("bad", f"{name}: {least} of {replicas}, so nothing can be written")] if least > max(1, replicas) else []

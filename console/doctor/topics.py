"""Topics: all there, as ``offerflow topics create`` makes them, and safe on their brokers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

from console.doctor.brokers import CLIENT, REPLICAS
from console.doctor.catalog import catalog_of
from console.doctor.finding import Check, Finding, Verdict, days, size
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.inspection import Config, Inspection
from offerflow.runtime.kafka.inspection import Replicas as Copies
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import RAW, PlannedTopic, planned_topics

AREA = "topics"
RETENTION, RETENTION_BYTES, LIMIT = "retention.ms", "retention.bytes", "max.message.bytes"
CLEANUP, TIMESTAMPS, IN_SYNC = "cleanup.policy", "message.timestamp.type", "min.insync.replicas"
UNCLEAN = "unclean.leader.election.enable"

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
    alter = "kafka-configs.sh --alter --entity-type topics --entity-name NAME --add-config "
    if not configs:
        yield from (check.unknown("no topic is there") for check in CONFIGURED)
        return
    yield POLICY.worst(policy, "as planned", f"{alter}{CLEANUP}=… for each: as it is, records are lost or never go")
    yield KEPT.worst(kept, "as planned or longer", f"{alter}{RETENTION}=…, and delete {RETENTION_BYTES}")
    yield TIMES.worst(times, "LogAppendTime", f"{alter}{TIMESTAMPS}=LogAppendTime: time and lag are told by it")
    yield ROOM.worst(
        room, "as planned or more",
        f"{alter}{LIMIT}=…: a record too large for its topic stops the stage that writes it",
    )  # fmt: skip
    least = min((int(config[IN_SYNC]) for config in configs.values() if IN_SYNC in config), default=1)
    alone = " (a cluster of one broker)" if max(replicas.values(), default=1) == 1 else ""
    yield MIN_IN_SYNC.worst(in_sync, f"{least}{alone}", f"{alter}{IN_SYNC}=2, with three replicas")
    yield ELECTION.worst(election, "false", f"{alter}{UNCLEAN}=false: what the new leader lacks would be lost")


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

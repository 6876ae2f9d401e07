"""Kafka: whether it answers, how many brokers there are, and what they are set to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from console.doctor.finding import Check, Finding, Verdict, days
from offerflow.runtime.errors import DependencyDown
from offerflow.runtime.kafka.inspection import Config, Inspection, Replicas
from offerflow.runtime.settings import Settings

AREA = "Kafka"
CLIENT = "offerflow-doctor"
YEAR_MIN = 525_600
WEEK_MIN = 10_080
TRANSACTION_MS = 10_000
"""``transaction.timeout.ms`` of our producers (offerflow.runtime.kafka.transactional)."""
REPLICAS = 3
OFFSETS_TOPIC, TRANSACTIONS_TOPIC = "__consumer_offsets", "__transaction_state"

REACHABLE = Check("kafka-reachable", AREA, "an answer within 4 s")
BROKERS = Check("kafka-brokers", AREA, "3 brokers or more, so that one may be away or lost")
OFFSETS = Check("kafka-offsets-retention", AREA, f"offsets.retention.minutes of a year ({YEAR_MIN}) or more")
OFFSETS_LOG = Check("kafka-offsets-replicas", AREA, f"{OFFSETS_TOPIC} on 3 brokers, or on all where there are fewer")
TRANSACTIONS_LOG = Check(
    "kafka-transactions-replicas", AREA,
    f"{TRANSACTIONS_TOPIC} on 3 brokers with min.insync.replicas 2, or on all where there are fewer",
)  # fmt: skip
TRANSACTION_TIME = Check("kafka-transaction-timeout", AREA, f"transaction.max.timeout.ms of {TRANSACTION_MS} or more")
UNCLEAN = Check("kafka-unclean-election", AREA, "unclean.leader.election.enable=false")
AUTO_CREATE = Check("kafka-auto-create", AREA, "auto.create.topics.enable=false")
CLOCK = Check("kafka-clock", AREA, "no record from the future: clocks within 2 s of each other")
CONFIGURED = (OFFSETS, TRANSACTION_TIME, UNCLEAN, AUTO_CREATE)
INTERNAL = (OFFSETS_LOG, TRANSACTIONS_LOG)

_RESTART = "set it in server.properties of every broker and restart them one after the other"


def reach(settings: Settings) -> Iterator[Finding]:
    """Whether there is a Kafka at all."""
    admin = Inspection(settings, CLIENT)
    try:
        admin.ping()
        number, cluster = admin.brokers(), admin.cluster_id()
    except DependencyDown as error:
        yield REACHABLE.bad(str(error), "start it, mend the network, or check OFFERFLOW_KAFKA__BOOTSTRAP_SERVERS")
        yield BROKERS.unknown("Kafka does not answer")
        return
    yield REACHABLE.ok(f"{settings.kafka.bootstrap_servers}, cluster {cluster}")
    yield judge_brokers(number)


def look_configured(settings: Settings) -> Iterator[Finding]:
    admin = Inspection(settings, CLIENT)
    yield from judge_configs(admin.broker_configs(), admin.brokers())


def look_internal(settings: Settings) -> Iterator[Finding]:
    admin = Inspection(settings, CLIENT)
    replicas, brokers = admin.replicas((OFFSETS_TOPIC, TRANSACTIONS_TOPIC)), admin.brokers()
    configs = admin.topic_configs(replicas)
    for check, name in (OFFSETS_LOG, OFFSETS_TOPIC), (TRANSACTIONS_LOG, TRANSACTIONS_TOPIC):
        yield judge_internal(check, replicas.get(name), configs.get(name, {}).get("min.insync.replicas"), brokers)


def look_clock(settings: Settings) -> Iterator[Finding]:
    admin = Inspection(settings, CLIENT)
    there = admin.topics(settings.topic(name) for name in ("catalog", "events-seen", "journal"))
    places = [(topic.name, partition) for topic in there.values() for partition in range(topic.partitions)]
    yield judge_clock(admin.newest(places), int(time.time() * 1000))


def judge_brokers(number: int) -> Finding:
    if number >= REPLICAS:
        return BROKERS.ok(f"{number} brokers")
    alone = "1 broker: what its disk loses is lost, and while it is away all waits"
    return BROKERS.warn(
        alone if number == 1 else f"{number} brokers are up: none of them may be away",
        "enough to try things; for what must last have three up (docs/backups.md, What to keep; docs/local-stack.md,"
        " Several brokers)",
    )


def judge_configs(configs: Mapping[int, Config], brokers: int) -> Iterator[Finding]:
    """``configs`` of those brokers that told theirs."""

    def each(check: Check, name: str, verdict_of: Callable[[str], Verdict], do: str) -> Finding:
        told = {number: config[name] for number, config in configs.items() if name in config}
        if not told:
            return check.unknown(f"no broker tells its {name}")
        values = ", ".join(sorted(set(told.values())))
        wrong: list[tuple[Verdict, str]] = [
            (verdict_of(value), f"{name}={value} on broker {number}") for number, value in sorted(told.items())
        ]
        return check.worst([one for one in wrong if one[0] != "ok"], f"{name}={values}", do)

    def retention(value: str) -> Verdict:
        return "ok" if int(value) >= YEAR_MIN else "warn" if int(value) >= WEEK_MIN else "bad"

    yield each(OFFSETS, "offsets.retention.minutes", retention,
               f"{_RESTART}: a stage that is off for longer loses its place and refuses to start"
               " (docs/runbook.md#offset_absent)")  # fmt: skip
    yield each(TRANSACTION_TIME, "transaction.max.timeout.ms",
               lambda value: "ok" if int(value) >= TRANSACTION_MS else "bad",
               f"{_RESTART}: no stage can begin a transaction")  # fmt: skip
    yield each(UNCLEAN, "unclean.leader.election.enable",
               lambda value: "ok" if value == "false" else "bad" if brokers > 1 else "warn",
               "set it to false: a broker that lacks records must not become leader"
               " (docs/runbook.md#offset_outside)")  # fmt: skip
    yield each(AUTO_CREATE, "auto.create.topics.enable", lambda value: "ok" if value == "false" else "warn",
               f"{_RESTART}: a mistyped or missing topic would be made with settings nobody chose")  # fmt: skip


def judge_internal(check: Check, replicas: list[Replicas] | None, insync: str | None, brokers: int) -> Finding:
    """One of Kafka's own topics. ``insync``: its min.insync.replicas."""
    if not replicas:
        return check.ok("not there yet: Kafka makes it with the first group or transaction")
    wanted, least = min(REPLICAS, brokers), min(one.wanted for one in replicas)
    found = f"{least} replica{'s' if least > 1 else ''}, min.insync.replicas {insync or 'unknown'}"
    do = "have it reassigned to more brokers (kafka-reassign-partitions.sh); for new clusters set the broker's "
    do += "offsets.topic.replication.factor" if check is OFFSETS_LOG else "transaction.state.log.replication.factor"
    leaderless, behind = sum(not one.led for one in replicas), sum(one.in_sync < one.wanted for one in replicas)
    away = "a broker is away or too slow: look at its log and its disk"
    if leaderless:
        return check.bad(f"{leaderless} of {len(replicas)} partitions have no leader; {found}", away)
    if least < wanted:
        return check.bad(found, f"{do}={wanted}: the loss of one broker would stop the stages")
    if behind:
        return check.warn(f"{behind} of {len(replicas)} partitions lack replicas in sync; {found}", away)
    if check is TRANSACTIONS_LOG and least >= REPLICAS and insync == "1":
        return check.warn(found, f"set min.insync.replicas=2 of {TRANSACTIONS_TOPIC} (transaction.state.log.min.isr)")
    if check is TRANSACTIONS_LOG and insync is not None and least > 1 and int(insync) >= least:
        return check.warn(found, f"lower min.insync.replicas of {TRANSACTIONS_TOPIC}: no broker may be away")
    return check.ok(found + (" (a cluster of one broker)" if brokers == 1 else ""))


def judge_clock(newest: int | None, now: int) -> Finding:
    """``newest``: when a broker appended the newest record, milliseconds since 1970."""
    if newest is None:
        return CLOCK.unknown("nothing was written yet that would tell")
    ahead = newest - now
    do = "have brokers and programs keep their clocks by NTP: windows, expiry and late events are judged by them"
    if ahead > 60_000:
        return CLOCK.bad(f"a broker's clock is ahead of this machine's by {days(ahead)} at least", do)
    if ahead > 2_000:
        return CLOCK.warn(f"a broker's clock is ahead of this machine's by {days(ahead)} at least", do)
    return CLOCK.ok(f"the newest record is {days(max(0, -ahead))} old; only a clock that is ahead shows itself")

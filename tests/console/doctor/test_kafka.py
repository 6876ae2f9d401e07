"""What is judged of brokers and topics, without any."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from console.doctor import brokers, topics
from console.doctor.finding import Finding
from offerflow.runtime.kafka.inspection import Config, Replicas
from offerflow.runtime.settings import KafkaSettings, Settings
from offerflow.runtime.topics import planned_topics

GOOD: Config = {
    "offsets.retention.minutes": "525600", "transaction.max.timeout.ms": "900000",
    "unclean.leader.election.enable": "false", "auto.create.topics.enable": "false",
}  # fmt: skip
SETTINGS = Settings(topic_prefix="of.", partitions=4)
THREE, ALONE = Replicas(3, 3, True), Replicas(1, 1, True)


def wrong(found: Iterable[Finding]) -> dict[str, str]:
    """Verdicts that are not ok by id."""
    return {one.id: one.verdict for one in found if one.verdict != "ok"}


def told(found: Iterable[Finding], name: str) -> Finding:
    return next(one for one in found if one.id == name)


@pytest.mark.parametrize(("number", "verdict"), [(1, "warn"), (2, "warn"), (3, "ok"), (5, "ok")])
def test_three_brokers_are_wanted(number: int, verdict: str) -> None:
    """Fewer are a warning: they are enough to try things."""
    assert brokers.judge_brokers(number).verdict == verdict


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {}),
        ({"offsets.retention.minutes": "525599"}, {"kafka-offsets-retention": "warn"}),
        ({"offsets.retention.minutes": "10080"}, {"kafka-offsets-retention": "warn"}),
        ({"offsets.retention.minutes": "10079"}, {"kafka-offsets-retention": "bad"}),
        ({"transaction.max.timeout.ms": "9999"}, {"kafka-transaction-timeout": "bad"}),
        ({"unclean.leader.election.enable": "true"}, {"kafka-unclean-election": "bad"}),
        ({"auto.create.topics.enable": "true"}, {"kafka-auto-create": "warn"}),
    ],
)
def test_the_worst_broker_decides(changed: Config, expected: dict[str, str]) -> None:
    """One that is set otherwise than the rest is found, and named."""
    found = list(brokers.judge_configs({1: GOOD, 2: {**GOOD, **changed}, 3: GOOD}, 3))
    assert wrong(found) == expected
    for name in expected:
        assert "broker 2" in told(found, name).found
        assert "broker 1" not in told(found, name).found
        assert told(found, name).do


def test_what_no_broker_tells_is_unknown() -> None:
    """A hosted cluster may keep its configuration to itself: that is no fault, and nothing to rely on."""
    found = list(brokers.judge_configs({1: {}}, 3))
    assert {one.verdict for one in found} == {"unknown"}
    assert len(found) == 4


@pytest.mark.parametrize(
    ("check", "replicas", "insync", "number", "verdict"),
    [
        (brokers.TRANSACTIONS_LOG, [ALONE], "1", 1, "ok"),
        (brokers.TRANSACTIONS_LOG, [THREE, ALONE], "2", 3, "bad"),
        (brokers.TRANSACTIONS_LOG, [THREE], "2", 3, "ok"),
        (brokers.TRANSACTIONS_LOG, [THREE], "1", 3, "warn"),
        (brokers.TRANSACTIONS_LOG, [THREE], "3", 3, "warn"),
        (brokers.OFFSETS_LOG, [ALONE], "1", 3, "bad"),
        (brokers.OFFSETS_LOG, [THREE], "1", 3, "ok"),
        (brokers.OFFSETS_LOG, [THREE, Replicas(3, 2, True)], "1", 3, "warn"),
        (brokers.TRANSACTIONS_LOG, [THREE, Replicas(3, 1, True)], "2", 3, "warn"),
        (brokers.TRANSACTIONS_LOG, [THREE, Replicas(3, 0, False)], "2", 3, "bad"),
        (brokers.TRANSACTIONS_LOG, [Replicas(1, 0, False)], "1", 1, "bad"),
        (brokers.OFFSETS_LOG, None, None, 3, "ok"),
    ],
)
def test_kafkas_own_topics_outlive_a_broker(
    check: brokers.Check, replicas: list[Replicas] | None, insync: str | None, number: int, verdict: str
) -> None:
    """As far as there are brokers to lie on."""
    assert brokers.judge_internal(check, replicas, insync, number).verdict == verdict


@pytest.mark.parametrize(("ahead", "verdict"), [(-3_600_000, "ok"), (1_900, "ok"), (2_100, "warn"), (61_000, "bad")])
def test_a_record_from_the_future_shows_a_clock(ahead: int, verdict: str) -> None:
    """What was appended after now tells of two clocks; what is old tells nothing."""
    assert brokers.judge_clock(1_790_000_000_000 + ahead, 1_790_000_000_000).verdict == verdict
    assert brokers.judge_clock(None, 0).verdict == "unknown"


def test_topics_are_there_on_enough_brokers() -> None:
    """Missing ones, the wrong number of partitions, few replicas and ill ones are each a finding of their own."""
    planned = planned_topics(SETTINGS, ["raw.shop"])
    well = {name: [THREE] * topic.partitions for name, topic in planned.items()}
    assert wrong(topics.judge_there(SETTINGS, planned, well, 3)) == {}
    del well["of.raw.shop"]
    well["of.journal"] = [Replicas(1, 1, True), *[THREE] * 4]
    well["of.audit"] = [Replicas(3, 2, True)]
    found = list(topics.judge_there(SETTINGS, planned, well, 3))
    assert wrong(found) == {
        "topics-present": "bad", "topics-partitions": "bad", "topics-replication": "bad", "topics-in-sync": "warn",
    }  # fmt: skip
    assert told(found, "topics-present").found == "of.raw.shop is missing"
    assert told(found, "topics-partitions").found == "of.journal has 5, expected 4"
    assert told(found, "topics-partitions").do == "docs/runbook.md#partitions"
    well["of.audit"] = [Replicas(3, 0, False)]
    assert wrong(topics.judge_there(SETTINGS, planned, well, 3))["topics-in-sync"] == "bad"


def test_one_broker_has_one_replica_and_that_is_said() -> None:
    """A local stack is not scolded for each of its topics."""
    planned = planned_topics(SETTINGS)
    found = list(topics.judge_there(SETTINGS, planned, {name: [ALONE] * one.partitions for name, one in
                                                        planned.items()}, 1))  # fmt: skip
    assert wrong(found) == {}
    assert "a cluster of one broker" in told(found, "topics-replication").found


def test_no_topic_is_one_finding() -> None:
    """Before `topics create` what is missing is told once, and the rest cannot be judged."""
    planned = planned_topics(SETTINGS)
    found = [*topics.judge_there(SETTINGS, planned, {}, 1), *topics.judge_configs(SETTINGS, planned, {}, {})]
    assert told(found, "topics-present").verdict == "bad"
    assert {one.verdict for one in found[1:]} == {"unknown"}
    assert {one.id for one in found} == {check.id for check in (*topics.THERE, *topics.CONFIGURED)}


@pytest.mark.parametrize(
    ("topic", "changed", "expected"),
    [
        ("journal", {}, {}),
        ("journal", {"retention.ms": "-1"}, {}),
        ("journal", {"retention.ms": "86400000"}, {"topics-retention": "bad"}),
        ("journal", {"retention.bytes": "1000"}, {"topics-retention": "bad"}),
        ("raw.sdk", {"retention.ms": "86400000"}, {"topics-retention": "warn"}),
        ("catalog", {"retention.ms": "86400000"}, {}),
        ("catalog", {"cleanup.policy": "delete"}, {"topics-cleanup": "bad"}),
        ("journal", {"cleanup.policy": "compact"}, {"topics-cleanup": "bad"}),
        ("raw.sdk", {"message.timestamp.type": "CreateTime"}, {"topics-timestamps": "bad"}),
        ("dead-letter", {"max.message.bytes": "4194304"}, {"topics-record-limit": "warn"}),
        ("journal", {"min.insync.replicas": "1"}, {"topics-min-insync": "warn"}),
        ("journal", {"min.insync.replicas": "3"}, {"topics-min-insync": "warn"}),
        ("journal", {"min.insync.replicas": "4"}, {"topics-min-insync": "warn"}),
        ("journal", {"unclean.leader.election.enable": "true"}, {"topics-unclean-election": "bad"}),
    ],
)
def test_topics_are_set_as_they_are_made(topic: str, changed: Config, expected: dict[str, str]) -> None:
    """Each deviation turns its own check, and the topic is named."""
    planned = planned_topics(SETTINGS)
    configs = {
        name: {"min.insync.replicas": "2", "unclean.leader.election.enable": "false", "retention.bytes": "-1",
               "cleanup.policy": "delete", **one.config} for name, one in planned.items()
    }  # fmt: skip
    configs[f"of.{topic}"] |= changed
    found = list(topics.judge_configs(SETTINGS, planned, configs, dict.fromkeys(planned, 3)))
    assert wrong(found) == expected
    assert len(found) == len(topics.CONFIGURED)
    for name in expected:
        assert f"of.{topic}" in told(found, name).found


def test_advice_for_a_topic_can_be_copied() -> None:
    """The command is whole for the first, and says what the others get; where the topic is cut by size, no more."""
    settings = Settings(topic_prefix="of.", kafka=KafkaSettings(bootstrap_servers="kafka:9092"))
    planned = planned_topics(settings)
    configs = {name: dict(one.config) for name, one in planned.items()}
    configs["of.raw.sdk"]["retention.ms"] = "3600000"
    configs["of.journal"]["retention.bytes"] = "1000"
    found = told(topics.judge_configs(settings, planned, configs, dict.fromkeys(planned, 1)), "topics-retention")
    assert found.do == (
        "`kafka-configs.sh --bootstrap-server kafka:9092 --alter --entity-type topics --entity-name of.raw.sdk"
        " --add-config retention.ms=1209600000,retention.bytes=-1`, and likewise of.journal retention.ms=34560000000"
        " (without Kafka's tools: docs/doctor.md#altering)"
    )


@pytest.mark.parametrize(("prefix", "verdict"), [("of.", "ok"), ("", "ok"), ("shop_1-", "ok"), ("shöp.", "bad")])
def test_names_are_those_that_kafka_takes(prefix: str, verdict: str) -> None:
    """Of others it answers no question, so that nothing else of topics is asked."""
    assert topics.judge_names(prefix).verdict == verdict


def test_min_insync_above_a_single_replica_stops_writes() -> None:
    """One is right where there is one replica; two would refuse every record."""
    planned = {"of.journal": planned_topics(SETTINGS)["of.journal"]}
    for least, expected in (("1", {}), ("2", {"topics-min-insync": "bad"})):
        configs = {"of.journal": {**planned["of.journal"].config, "min.insync.replicas": least}}
        assert wrong(topics.judge_configs(SETTINGS, planned, configs, {"of.journal": 1})) == expected

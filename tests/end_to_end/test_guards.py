"""What a worker must not guess about: it refuses, says why, writes nothing, and goes on once its advice was taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]
from redis import Redis

from tests.deployment import Deployment, Program, offsets
from tests.end_to_end.coffee import RAW, WORKSPACE, Traffic
from tests.redis_server import redis_server
from tests.waiting import until

pytestmark = pytest.mark.broker
DAMAGE = """
redis.call('HSET', KEYS[1], 'dirty', 'half')
for n = 10, 19 do redis.call('DEL', ARGV[1] .. ':st:' .. n) end
"""


def _idle(deployment: Deployment, **rules: str) -> tuple[Program, Program]:
    """A deployment that has worked and has nothing left to do: its validation and its rules worker."""
    deployment.create_topics()
    deployment.apply(WORKSPACE)
    programs = deployment.validation(), deployment.rules(**rules)
    _send(deployment, 41, 1000)
    _rest(deployment, rules.get("OFFERFLOW_REDIS__URL"))
    return programs


def _rest(deployment: Deployment, redis: str | None = None) -> None:
    """Wait until Redis has folded everything as well: Kafka knows of a batch before Redis does, so that damage done
    between the two would meet a worker in mid-step."""
    deployment.wait_idle(RAW)

    def folded() -> bool:
        ends = offsets(deployment.services.kafka, deployment.prefix + "journal", None)
        with Redis.from_url(redis or deployment.services.redis) as client:
            stands = {p: int(client.hget(f"{_tag(deployment, p)}:meta", "next") or 0) for p in ends}  # type: ignore[arg-type]
        return all(stands[partition] == end for partition, (_, end) in ends.items())

    until(folded, "Redis to have folded the journal", 60)


def _tag(deployment: Deployment, partition: int) -> str:
    return f"{{of:{deployment.prefix}journal:{partition}}}"


def _send(deployment: Deployment, seed: int, count: int) -> None:
    raws = Traffic(seed, users=100).take(count)
    for topic in RAW:
        deployment.produce(topic, [raw[1:] for raw in raws if raw[0] == topic])


def _commit(deployment: Deployment, stage: str, place: TopicPartition) -> None:
    """What a person with an admin tool does; only possible while the group has no member."""
    consumer = Consumer({
        "bootstrap.servers": deployment.services.kafka, "group.id": deployment.prefix + stage,
        "enable.auto.commit": False,
    })  # fmt: skip
    try:
        consumer.commit(offsets=[place], asynchronous=False)
    finally:
        consumer.close()


def _committed(deployment: Deployment, stage: str, topic: str) -> TopicPartition:
    """The first partition of a topic that the stage has moved on in, with offset and metadata."""
    name = deployment.prefix + topic
    consumer = Consumer({"bootstrap.servers": deployment.services.kafka, "group.id": deployment.prefix + stage})
    try:
        places = [TopicPartition(name, p) for p in consumer.list_topics(name, timeout=15).topics[name].partitions]
        return next(place for place in consumer.committed(places, timeout=15) if place.offset > 5)
    finally:
        consumer.close()


def _done(deployment: Deployment, ask: Callable[[AdminClient], Mapping[Any, Any]]) -> None:
    """Ask the broker for changes, and wait for all of them."""
    admin = AdminClient({"bootstrap.servers": deployment.services.kafka})
    for future in ask(admin).values():
        future.result(30)


def _refuses(program: Program, words: str, by: str = "refusing") -> None:
    def why() -> str:
        try:
            return str(httpx.get(f"{program.url}/readyz", timeout=5).json().get("why", ""))
        except httpx.TransportError:
            return ""

    until(lambda: by in why() and words in why(), f"{program.name} to say: {words}", 60, program.tail)
    assert program.process.poll() is None


def _advised(deployment: Deployment, *command: str) -> None:
    done = deployment.command(*command, "--yes")
    assert done.returncode == 0, done.stderr


def _right(deployment: Deployment) -> None:
    deployment.wait_idle(RAW)
    examined = deployment.examine(WORKSPACE)
    assert not examined.report, str(examined.report)


def test_an_offset_of_validation_moved_by_hand(deployment: Callable[..., Deployment]) -> None:
    """Backwards, it would double events; the worker refuses until the true offset is back with its metadata."""
    made = deployment()
    validation, _ = _idle(made)
    assert validation.stop() == 0
    true = _committed(made, "validation", "raw.backend")
    _commit(made, "validation", TopicPartition(true.topic, true.partition, 2))
    refusing = made.validation(2)
    _refuses(refusing, "committed offset")
    _send(made, 42, 300)
    assert refusing.stop() == 0
    _commit(made, "validation", true)
    made.validation().wait_ready()
    _right(made)


def test_offsets_of_the_rules_moved_and_expired(deployment: Callable[..., Deployment]) -> None:
    """Set back, they would double outputs, and so would beginning anew where they expired: workers refuse both, nor
    does creating the topics help; adopting what Redis has folded does."""
    made = deployment()
    _, rules = _idle(made)
    assert rules.stop() == 0
    true = _committed(made, "rules", "journal")
    _commit(made, "rules", TopicPartition(true.topic, true.partition, 2))
    _send(made, 42, 300)
    rules = made.rules(2)
    _refuses(rules, "not committed by this system")
    assert rules.stop() == 0
    _advised(made, "state", "adopt")
    rules = made.rules()
    _right(made)
    _rest(made)
    assert rules.stop() == 0
    _done(made, lambda admin: admin.delete_consumer_groups([f"{made.prefix}rules"]))
    done = made.command("topics", "create")
    assert done.returncode == 1
    assert "the offsets expired" in done.stderr
    _send(made, 43, 300)
    rules = made.rules(2)
    _refuses(rules, "no committed offset")
    assert rules.stop() == 0
    _advised(made, "state", "adopt")
    made.rules().wait_ready()
    _right(made)


def test_redis_ahead_of_the_log(deployment: Callable[..., Deployment]) -> None:
    """A state that has folded more than was ever committed is refused, also by a worker that runs; a rebuild mends
    it."""
    made = deployment()
    _, rules = _idle(made)
    place = _committed(made, "rules", "journal")
    redis = Redis.from_url(made.services.redis)
    redis.hset(f"{_tag(made, place.partition)}:meta", "next", str(place.offset + 1000))
    _refuses(rules, "Redis")
    _send(made, 43, 300)
    assert rules.stop() == 0
    _advised(made, "state", "rebuild", "--partition", str(place.partition))
    made.rules(2).wait_ready()
    _right(made)


def test_a_state_half_written(deployment: Callable[..., Deployment]) -> None:
    """A script that died between two writes leaves a mark; the partition is dropped and folded again."""
    made = deployment()
    _, rules = _idle(made)
    place = _committed(made, "rules", "journal")
    redis = Redis.from_url(made.services.redis)
    tag = _tag(made, place.partition)
    redis.eval(DAMAGE, 1, f"{tag}:meta", tag)
    _send(made, 44, 300)
    _right(made)
    _rest(made)
    assert not redis.hexists(f"{tag}:meta", "dirty")
    assert rules.metric("offerflow_suppressed_outputs_total") > 0
    assert rules.metric("offerflow_claims_total") > rules.metric("offerflow_partitions") == made.partitions
    assert rules.metric("offerflow_redis_memory_bytes") > 0


def test_redis_restored_from_an_older_copy(deployment: Callable[..., Deployment]) -> None:
    """A partition that is consistent but older is folded on from where it stands, its outputs suppressed."""
    made = deployment()
    _, rules = _idle(made)
    redis = Redis.from_url(made.services.redis)
    keys = list(redis.scan_iter(f"{{of:{made.prefix}journal:*"))
    older = {key: redis.dump(key) for key in keys}
    _send(made, 45, 500)
    _rest(made)
    journal = offsets(made.services.kafka, made.prefix + "journal", made.prefix + "rules")
    pipeline = redis.pipeline(transaction=True)
    pipeline.delete(*redis.scan_iter(f"{{of:{made.prefix}journal:*"))
    for key, copy in older.items():
        pipeline.restore(key, 0, copy)
    pipeline.execute()
    _send(made, 46, 500)
    _right(made)
    now = offsets(made.services.kafka, made.prefix + "journal", made.prefix + "rules")
    assert all(now[partition] >= journal[partition] for partition in journal)
    assert rules.metric("offerflow_suppressed_outputs_total") > 0


def test_a_redis_that_is_full(deployment: Callable[..., Deployment], tmp_path: Path) -> None:
    """It takes no writes: the worker says so where probes and alarms look, and goes on by itself once there is room."""
    made = deployment()
    with redis_server(tmp_path) as server:
        _, rules = _idle(made, OFFERFLOW_REDIS__URL=server.url)
        admin = server.client()
        admin.config_set("maxmemory", "1")
        _send(made, 47, 500)
        _refuses(rules, "maxmemory", by="Redis")
        assert rules.metric("offerflow_redis_errors_total") > 0
        admin.config_set("maxmemory", "0")
        rules.wait_ready()
        _right(made)
        _rest(made, server.url)
        assert not any(admin.hexists(key, "dirty") for key in admin.scan_iter("*:meta"))
        assert rules.stop() == 0


def test_topics_that_change(deployment: Callable[..., Deployment]) -> None:
    """Raw records that are gone unread, a journal made anew, one given more partitions: all are refused, the last by
    workers that run, and the first two go on once a person has adopted them."""
    made = deployment()
    validation, rules = _idle(made)
    assert validation.stop() == 0
    _send(made, 48, 300)
    raw = offsets(made.services.kafka, f"{made.prefix}raw.backend", None)
    gone = [TopicPartition(f"{made.prefix}raw.backend", partition, end) for partition, (_, end) in raw.items()]
    _done(made, lambda admin: admin.delete_records(gone))
    validation = made.validation(2)
    _refuses(validation, "removed before they were read")
    assert validation.stop() == 0
    _advised(made, "state", "adopt", "--stage", "validation")
    validation = made.validation().wait_ready()
    _rest(made)

    assert (validation.stop(), rules.stop()) == (0, 0)
    _done(made, lambda admin: admin.delete_topics([f"{made.prefix}journal"]))
    rules = made.rules(2)
    _refuses(rules, "topics create", by="lacks a topic")
    made.create_topics()
    _refuses(rules, "created anew")
    assert rules.stop() == 0
    _advised(made, "state", "adopt", "--anew")
    rules, validation = made.rules(), made.validation()
    _send(made, 49, 300)
    _rest(made)

    added = NewPartitions(f"{made.prefix}journal", made.partitions + 1)  # type: ignore[no-untyped-call]
    _done(made, lambda admin: admin.create_partitions([added]))
    for program in (validation, rules):
        _refuses(program, "OFFERFLOW_PARTITIONS")
    _, end = offsets(made.services.kafka, f"{made.prefix}journal", None)[made.partitions]
    assert end == 0

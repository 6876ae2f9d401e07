"""What a worker must not guess about: it refuses, says why, writes nothing, and goes on once it is put right."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition
from redis import Redis

from tests.deployment import Deployment, Program, offsets
from tests.end_to_end.coffee import RAW, WORKSPACE, Traffic
from tests.waiting import until

pytestmark = pytest.mark.broker


def _idle(deployment: Deployment) -> tuple[Program, Program]:
    """A deployment that has worked and has nothing left to do: its validation and its rules worker."""
    deployment.create_topics()
    deployment.apply(WORKSPACE)
    programs = deployment.validation(), deployment.rules()
    _send(deployment, 41, 1000)
    deployment.wait_idle(RAW)
    return programs


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


def _refuses(program: Program, word: str) -> None:
    def why() -> str:
        try:
            return str(httpx.get(f"{program.url}/readyz", timeout=5).json().get("why", ""))
        except httpx.TransportError:
            return ""

    until(lambda: "refusing" in why() and word in why(), f"{program.name} to refuse: {word}", 60, program.tail)
    assert program.process.poll() is None


def _right(deployment: Deployment) -> None:
    deployment.wait_idle(RAW)
    examined = deployment.examine(WORKSPACE)
    assert not examined.report, str(examined.report)


@pytest.mark.parametrize(("stage", "topic"), [("rules", "journal"), ("validation", "raw.backend")])
def test_an_offset_moved_by_hand(deployment: Callable[..., Deployment], stage: str, topic: str) -> None:
    """Backwards, it would double outputs; the worker refuses until the true offset is back, and nothing is doubled."""
    made = deployment()
    programs = dict(zip(("validation", "rules"), _idle(made), strict=True))
    assert programs[stage].stop() == 0
    true = _committed(made, stage, topic)
    _commit(made, stage, TopicPartition(true.topic, true.partition, 2))
    refusing = made.start(f"consumers.{stage}", f"{stage}-2")
    _refuses(refusing, "committed offset")
    _send(made, 42, 300)
    assert refusing.stop() == 0
    _commit(made, stage, true)
    made.start(f"consumers.{stage}", f"{stage}-1").wait_ready()
    _right(made)


def test_redis_ahead_of_the_log(deployment: Callable[..., Deployment]) -> None:
    """A state that has folded more than was ever committed is refused, also by a worker that runs; once it is
    removed, the partition is folded again without a word."""
    made = deployment()
    _, rules = _idle(made)
    place = _committed(made, "rules", "journal")
    redis = Redis.from_url(made.services.redis)
    tag = f"{{of:{place.topic}:{place.partition}}}"
    redis.hset(f"{tag}:meta", "next", place.offset + 1000)
    _refuses(rules, "Redis")
    _send(made, 43, 300)
    redis.delete(*redis.scan_iter(f"{tag}:*"))
    rules.wait_ready()
    _right(made)


def test_a_state_half_written(deployment: Callable[..., Deployment]) -> None:
    """A script that died between two writes leaves a mark; the partition is dropped and folded again."""
    made = deployment()
    _, rules = _idle(made)
    place = _committed(made, "rules", "journal")
    redis = Redis.from_url(made.services.redis)
    tag = f"{{of:{place.topic}:{place.partition}}}"
    redis.hset(f"{tag}:meta", "dirty", "half")
    redis.delete(*redis.scan_iter(f"{tag}:st:1*"))
    _send(made, 44, 300)
    _right(made)
    assert not redis.hexists(f"{tag}:meta", "dirty")
    assert rules.metric("offerflow_suppressed_outputs_total") > 0


def test_redis_restored_from_an_older_copy(deployment: Callable[..., Deployment]) -> None:
    """A partition that is consistent but older is folded on from where it stands, its outputs suppressed."""
    made = deployment()
    _, rules = _idle(made)
    redis = Redis.from_url(made.services.redis)
    keys = list(redis.scan_iter(f"{{of:{made.prefix}journal:*"))
    older = {key: redis.dump(key) for key in keys}
    _send(made, 45, 500)
    made.wait_idle(RAW)
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

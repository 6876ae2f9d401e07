"""The short version of ``make chaos``: one broker, two workers of each stage, some faults of KINDS, and the judge."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from confluent_kafka import Producer
from rich.console import Console

from offerflow.runtime.redis.store import BUCKETS
from tests.chaos.judging import judged
from tests.chaos.kinds import every
from tests.chaos.lanes import Limits, broken
from tests.chaos.result import Result
from tests.chaos.world import PREFIX, Size, World, running
from tests.oracle import topics, wire

pytestmark = [pytest.mark.broker, pytest.mark.slow]
KINDS = (
    "validation: SIGKILL at committed", "validation: cut at EndTxn, which arrives later", "rules: SIGKILL at committed",
    "rules: SIGKILL at applied", "rules: Redis cut", "redis: older RDB", "redis: keys of one partition removed",
    "redis: maxmemory hit",
)  # fmt: skip
FIRST_EVENT = 1000
EVENTS, FAULTS, AT_MOST_S = 8_000, 6, 40.0


def _again(world: World, topic: str) -> None:
    """Write a copy of the first record of ``topic``, as a stage would that forgot that it had; of the journal's first
    event, since rules may be activated twice."""
    there = topics.stream(world.bootstrap, [PREFIX + topic])
    first = next(one for one in there if topic != "journal" or wire.unframe(one.value, one.where)[0] >= FIRST_EVENT)
    producer = Producer({"bootstrap.servers": world.bootstrap})
    headers: list[tuple[str, str | bytes | None]] = list(first.headers)
    producer.produce(first.topic, first.value, first.key, first.partition, headers=headers)
    assert producer.flush(30) == 0


def _forget(world: World) -> None:
    """Remove the state of one user who is in an offer."""
    with world.redis.client() as redis:
        key = next(redis.scan_iter(f"{{of:{PREFIX}journal:*}}:open"))
        [user] = redis.zrange(key, 0, 0)
        bucket = f"{key.decode().removesuffix('open')}st:{zlib.crc32(user) % BUCKETS}"
        assert redis.hdel(bucket, user) == 1


def test_faults_leave_nothing_wrong_and_the_judge_would_see(tmp_path: Path) -> None:
    """Whatever of KINDS comes by leaves nothing missing, doubled or wrong; and an output, a dead letter and a journal
    record written twice, and a state that is gone, are found."""
    kinds = [kind for kind in every(several=False) if kind.name in KINDS]
    assert len(kinds) == len(KINDS)
    console = Console(stderr=True)
    with running(tmp_path / "run", Size(brokers=1, workers=2, seed=6)) as world:
        result = broken(world, Limits(AT_MOST_S, FAULTS, EVENTS), kinds, console)
        judged(world, result, console)
        assert result.lines() == []
        assert len({fault.kind for fault in result.faults}) >= 3, result.faults
        assert result.totals["events"] == result.totals["sent"] >= EVENTS
        assert min(result.totals["outputs"].values()) > 20
        assert result.totals["webhooks"] == result.totals["outputs"]["RewardReversed"]
        for topic in ("offer-entry", "dead-letter", "journal"):
            _again(world, topic)
        _forget(world)
        seen = Result()
        judged(world, seen, console)
        found = seen.total().found
        assert found["duplicated"] == 3
        assert found["wrong states"] >= 1

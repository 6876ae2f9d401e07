"""``offerflow state`` on a real deployment: what it shows, and that what it writes is what workers go on with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from offerflow.runtime.redis.store import StateStore
from offerflow.runtime.settings import KafkaSettings, RedisSettings, Settings
from tests.deployment import Deployment, Program
from tests.end_to_end.coffee import RAW, WORKSPACE, Traffic
from tests.waiting import until

pytestmark = pytest.mark.broker
Kept = tuple[dict[str, bytes], dict[str, int], set[str], bytes | None, int]


def _worked(made: Deployment) -> Program:
    """A deployment that has worked, and whose rules worker has left: its validation worker."""
    made.create_topics()
    made.apply(WORKSPACE)
    validation, rules = made.validation(), made.rules()
    _send(made, 51, 1500)
    made.wait_idle(RAW)
    assert rules.stop() == 0
    return validation


def _send(made: Deployment, seed: int, count: int) -> None:
    raws = Traffic(seed, users=100).take(count)
    for topic in RAW:
        made.produce(topic, [raw[1:] for raw in raws if raw[0] == topic])


def _store(made: Deployment) -> StateStore:
    return StateStore(Settings(
        kafka=KafkaSettings(bootstrap_servers=made.services.kafka), redis=RedisSettings(url=made.services.redis),
        topic_prefix=made.prefix, partitions=made.partitions,
    ))  # fmt: skip


def _kept(store: StateStore, partitions: int) -> dict[int, Kept]:
    """Everything that Redis has of the journal."""
    metas = {partition: store.meta(partition) for partition in range(partitions)}
    return {
        partition: (store.states(partition), store.timers(partition), store.opened(partition), meta.fold, meta.next)
        for partition, meta in metas.items()
    }


def _differ(now: dict[int, Kept], right: dict[int, Kept]) -> dict[int, list[str]]:
    """By partition, what is not as it should be."""
    found: dict[int, list[str]] = {}
    for number, one in now.items():
        states, timers, opened, fold, position = right[number]
        said = [f"state of {name}" for name in {*one[0], *states} if one[0].get(name) != states.get(name)]
        said += [f"timer of {name}" for name in {*one[1], *timers} if one[1].get(name) != timers.get(name)]
        said += [f"whether {name} is in an offer" for name in one[2] ^ opened]
        said += ["the fold"] * (one[3] != fold) + [f"{one[4]} instead of {position}"] * (one[4] != position)
        if said:
            found[number] = said
    return found


def _shown(made: Deployment, *more: str, code: int = 0) -> dict[int, dict[str, Any]]:
    done = made.command("state", "show", "--output", "json", *more)
    assert done.returncode == code, done.stderr
    return {one["partition"]: one for one in json.loads(done.stdout)["partitions"]}


def _move(made: Deployment, partition: int, offset: int) -> None:
    """What a person with an admin tool does while nobody is in the group."""
    consumer = Consumer({"bootstrap.servers": made.services.kafka, "group.id": made.prefix + "rules"})
    try:
        consumer.commit(offsets=[TopicPartition(made.prefix + "journal", partition, offset)], asynchronous=False)
    finally:
        consumer.close()


@contextmanager
def _member(made: Deployment) -> Iterator[None]:
    """Somebody is in the group of the rules."""
    consumer = Consumer({
        "bootstrap.servers": made.services.kafka, "group.id": made.prefix + "rules", "enable.auto.commit": False,
        "partition.assignment.strategy": "cooperative-sticky",
    })  # fmt: skip
    joined: list[object] = []
    try:
        consumer.subscribe([made.prefix + "journal"], on_assign=lambda _, parts: joined.append(parts))
        until(lambda: consumer.poll(0.1) is not None or joined, "the group to have a member")
        yield
    finally:
        consumer.close()


def _rules_go_on(made: Deployment) -> None:
    """A rules worker takes what is there, folds more, and all of it is as the raw topics say."""
    made.rules(2).wait_ready()
    _send(made, 52, 500)
    made.wait_idle(RAW)
    examined = made.examine(WORKSPACE)
    assert not examined.report, str(examined.report)


def test_an_offset_moved_by_hand_is_shown_and_adopted(deployment: Callable[..., Deployment]) -> None:
    """Adopting changes nothing before it is told to, is refused while a worker is there, and then leads to a group that
    loses and doubles nothing."""
    made = deployment()
    _worked(made)
    before = _shown(made)
    assert {one["claim"] for one in before.values()} == {"carry on"}
    moved = max(before, key=lambda number: before[number]["committed"]["offset"])
    _move(made, moved, 2)

    shown = _shown(made, code=1)
    assert {number for number, one in shown.items() if one["refusal"]} == {moved}
    assert shown[moved]["refusal"]["reason"] == "offset_foreign"
    assert _shown(made, "--partition", str((moved + 1) % made.partitions))

    look = made.command("state", "adopt")
    assert look.returncode == 0, look.stderr
    assert f"commit {before[moved]['redis']['next']}" in look.stdout
    assert "This takes for granted" in look.stdout
    assert _shown(made, code=1) == shown

    with _member(made):
        busy = made.command("state", "adopt", "--yes")
        assert busy.returncode == 75, busy.stderr
        assert "stop the rules workers" in busy.stderr
    assert _shown(made, code=1) == shown

    done = made.command("state", "adopt", "--yes")
    assert done.returncode == 0, done.stderr
    after = _shown(made)
    assert after[moved]["committed"]["offset"] == before[moved]["redis"]["next"]
    assert made.command("state", "adopt").stdout.startswith("nothing to adopt")
    _rules_go_on(made)


def test_states_are_folded_anew_and_on(deployment: Callable[..., Deployment]) -> None:
    """Rebuilding gives byte for byte what the workers had, whatever Redis held: wrong states, half of an apply, an
    older position, nothing; and it moves no offset."""
    made = deployment()
    _worked(made)
    before = _shown(made)
    store = _store(made)
    right = _kept(store, made.partitions)
    assert sum(len(one[0]) for one in right.values()) > 100
    redis = store._redis

    def tag(partition: int, what: str) -> str:
        return f"{{of:{made.prefix}journal:{partition}}}:{what}"

    older = {key: redis.dump(key) for key in redis.scan_iter(tag(3, "*"))}
    _rules_go_on(made)
    made.programs[-1].stop()
    right = _kept(store, made.partitions)
    before = _shown(made)

    for entity in list(right[0][0])[:5]:
        for bucket in range(64):
            if redis.hexists(tag(0, f"st:{bucket}"), entity):
                redis.hset(tag(0, f"st:{bucket}"), entity, b"\x90")
    redis.hset(tag(1, "meta"), "dirty", "half")
    redis.delete(tag(1, "tm"), tag(1, "st:7"))
    redis.delete(*redis.scan_iter(tag(2, "*")))
    redis.delete(*redis.scan_iter(tag(3, "*")))
    for key, copy in older.items():
        redis.restore(key, 0, copy)
    wrong = _kept(store, made.partitions)
    assert wrong != right

    look = made.command("state", "rebuild")
    assert look.returncode == 0, look.stderr
    assert "nothing was done" in look.stderr
    assert _kept(store, made.partitions) == wrong

    on = made.command("state", "rebuild", "--on", "--yes", "--output", "json")
    assert on.returncode == 0, on.stderr
    folded = {one["partition"]: one for one in json.loads(on.stdout)["partitions"]}
    assert {number for number in folded if number < 4} == {1, 2, 3}
    assert folded[1]["dropped"]
    assert (folded[3]["dropped"], folded[3]["from"]) == (False, wrong[3][4])
    now = _kept(store, made.partitions)
    assert _differ(now, right).keys() == {0}, _differ(now, right)

    redis.hset(tag(4, "meta"), "next", before[4]["end"] + 1000)
    assert _shown(made, code=1)[4]["refusal"]["reason"] == "redis_ahead"
    done = made.command("state", "rebuild", "--partition", "0", "--partition", "4", "--yes")
    assert done.returncode == 0, done.stderr
    assert not _differ(_kept(store, made.partitions), right)
    assert {number: one["committed"] for number, one in _shown(made).items()} == {
        number: one["committed"] for number, one in before.items()
    }
    store.close()

"""Verifying real deployments: what is right is proved, and what is wrong is found and named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from redis import Redis

from console.verify.findings import OUTPUTS, STATES
from console.verify.telling import counts
from offerflow.rules import instances, rewards
from offerflow.rules.outcomes import OfferEntered, RewardSatisfied
from offerflow.rules.record import Record
from offerflow.rules.state import pack, unpack_entity
from tests.console.verify.journey import PARTITIONS, WELL, Journey
from tests.deployment import Deployment, Services
from tests.waiting import until

pytestmark = pytest.mark.broker
USERS = 40


@pytest.fixture(scope="module")
def journey(stack: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    """A deployment at rest; its workers are gone, so that nobody mends what a test breaks."""
    deployment = Deployment(stack, tmp_path_factory.mktemp("verified"), partitions=PARTITIONS)
    try:
        made = Journey(deployment)
        deployment.validation()
        deployment.rules().wait_ready()
        made.send([f"u{n}" for n in range(USERS)])
        until(made.moments.ticks, "time to pass", 60)
        made.rest()
        for program in deployment.programs:
            program.stop()
        yield made
    finally:
        deployment.close()


@pytest.fixture
def redis(stack: Services) -> Iterator[Redis]:
    with Redis.from_url(stack.redis) as connection:
        yield connection


def test_what_is_right_is_identical(journey: Journey, tmp_path: Path) -> None:
    """The command folds in two processes, finds every state and every output as it must be, and writes metrics."""
    textfile = tmp_path / "offerflow.prom"
    done = journey.deployment.command("verify", "--processes", "2", "--output", "json", "--textfile", textfile)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["identical"]
    assert {check: {kind: found[kind] for kind in WELL[check]} for check, found in told["checks"].items()} == WELL
    assert told["checks"]["states"]["compared"] == USERS
    assert told["checks"]["outputs"]["compared"] == journey.written() > 2 * USERS
    assert len(told["partitions"]) == PARTITIONS
    metrics = textfile.read_text()
    assert 'offerflow_consistency_mismatches_total{check="outputs",kind="duplicated"} 0\n' in metrics
    assert textfile.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [textfile]


def test_one_partition_can_be_verified_alone(journey: Journey) -> None:
    """Only what was decided there is compared, and all of it over the partitions is all there is."""
    reports = [journey.verify(partitions=[partition]) for partition in range(PARTITIONS)]
    assert all(report.identical for report in reports)
    assert [[one.partition for one in report.partitions] for report in reports] == [[0], [1], [2]]
    assert sum(report.partitions[0].outputs for report in reports) == journey.written()
    assert sum(report.partitions[0].states for report in reports) == USERS


def test_broken_states_are_told_apart(journey: Journey, redis: Redis) -> None:
    """A state that was changed, one that is gone, one too many, and a forgotten timer: each is found, with its user,
    the field that differs and the last record of its journal."""
    (partition, changed), (other, gone) = _entities(journey, redis, 2)
    bucket, packed = _state(journey, redis, partition, changed)
    state = unpack_entity(packed)
    state.turn += 5
    theirs, lost = _state(journey, redis, other, gone)
    try:
        redis.hset(bucket, changed, pack(state))
        redis.hset(bucket, "u:nobody", packed)
        redis.hdel(theirs, gone)
        redis.zadd(journey.key(partition, "tm"), {changed: 5})
        report = journey.verify(STATES)
        explained = {(one.kind, one.subject): one for one in journey.explained(report)}
        code = journey.deployment.command("verify", "--state")
    finally:
        redis.hset(bucket, changed, packed)
        redis.hdel(bucket, "u:nobody")
        redis.hset(theirs, gone, lost)
        redis.zrem(journey.key(partition, "tm"), changed)
    assert counts(report) == {STATES: {"missing": 1, "wrong": 1, "unexpected": 2}}
    wrong = explained["wrong", "state"]
    assert (wrong.partition, wrong.user) == (partition, changed.removeprefix("u:"))
    assert [(one.name, one.expected, one.found) for one in wrong.fields] == [
        ("turn", str(state.turn - 5), str(state.turn))
    ]
    assert wrong.event in ("Joined", "Paid")
    assert wrong.record is not None
    assert wrong.record.startswith(f"{partition}/")
    assert (explained["missing", "state"].partition, explained["missing", "state"].id) == (other, gone)
    assert explained["unexpected", "state"].id == "u:nobody"
    assert explained["unexpected", "timer"].fields[0].found == "5"
    assert code.returncode == 1
    assert f"states: wrong state of {changed.removeprefix('u:')}, partition {partition}" in code.stdout
    assert f"  turn: expected {state.turn - 5}, found {state.turn}" in code.stdout
    assert journey.verify(STATES).identical


def test_redis_that_is_ahead_half_written_or_anothers_is_told(journey: Journey, redis: Redis) -> None:
    """A position beyond what was committed, a mark of a script that died, and the name of another group are findings
    of that partition; the others are compared all the same."""
    meta = journey.key(1, "meta")
    position, group = redis.hget(meta, "next"), redis.hget(meta, "group")
    for broken, words in (
        ({"next": int(position or 0) + 1000}, "what was applied was never published"),
        ({"dirty": "token"}, "half written"),
        ({"group": "another"}, "belong to group another"),
    ):
        try:
            redis.hset(meta, mapping=broken)  # type: ignore[arg-type]
            report = journey.verify(STATES)
        finally:
            redis.hdel(meta, "dirty")
            redis.hset(meta, mapping={"next": position or 0, "group": group or ""})
        [one] = [one for part in report.partitions for one in part.differences]
        assert (one.partition, one.subject, one.kind) == (1, "meta", "wrong")
        assert words in one.words
        assert all(part.states for part in report.partitions if part.partition != 1)


def test_a_bug_in_the_engine_is_found_at_its_record(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against an engine that enters one user wrongly, the first difference is that user's record: its coordinates, its
    event, the output and the field; nothing else is accused."""
    user = "u7"
    records = journey.deployment.read("journal")
    joined = [one for one in records if one.key == b"u:" + user.encode()][1]

    def entered(**fields: Any) -> OfferEntered:
        if fields["user_id"] == user and fields["offer"] == "brief":
            fields["holdout"] = not fields["holdout"]
        return OfferEntered(**fields)

    monkeypatch.setattr(instances, "OfferEntered", entered)
    report = journey.verify()
    assert counts(report) == {**WELL, OUTPUTS: {**WELL[OUTPUTS], "wrong": 1}}
    [one] = journey.explained(report)
    assert (one.record, one.event, one.user) == (f"{joined.partition}/{joined.offset}", "Joined", user)
    assert [(field.name, field.expected, field.found) for field in one.fields] == [("holdout", "True", "False")]
    [place] = one.places
    assert place.startswith(f"{journey.deployment.prefix}offer-entry ")


def test_a_bug_that_changes_what_is_decided(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the engine would reward some with more, their states and rewards differ; where it would reward nobody,
    the rewards there are are unexpected and none is missing."""
    value = rewards._value

    def generous(record: Any, reward: Any) -> Any:
        found = value(record, reward)
        return found + 1 if record.entity == "u:u4" and reward.id == "thanks" else found

    with monkeypatch.context() as patched:
        patched.setattr(rewards, "_value", generous)
        report = journey.verify()
    assert counts(report) == {STATES: {**WELL[STATES], "wrong": 1}, OUTPUTS: {**WELL[OUTPUTS], "wrong": 1}}
    [output, state] = journey.explained(report)
    assert (output.subject, output.user, output.event) == ("reward-satisfied", "u4", "tick")
    assert [field.name for field in output.fields] == ["value"]
    assert (state.id, state.subject) == ("u:u4", "state")

    announce = Record.announce

    def mean(record: Record, instance: Any, output: Any) -> None:
        if not isinstance(output, RewardSatisfied):
            announce(record, instance, output)

    monkeypatch.setattr(Record, "announce", mean)
    report = journey.verify(OUTPUTS)
    satisfied = len(journey.deployment.read("reward-satisfied"))
    assert counts(report) == {OUTPUTS: {**WELL[OUTPUTS], "unexpected": satisfied}}


def test_beside_running_workers_and_what_others_wrote(deployment: Callable[..., Deployment]) -> None:
    """While workers fold, everything is identical again and again. Then somebody writes an output once more, and
    something that is none: both are found. What retention took is not missed."""
    made = Journey(deployment(partitions=PARTITIONS))
    made.deployment.validation()
    made.deployment.rules().wait_ready()
    reports = []
    for turn in range(3):
        made.send([f"u{turn}-{n}" for n in range(400)])
        reports.append(made.verify())
    assert [counts(report) for report in reports] == [WELL] * 3
    made.rest()
    for program in made.deployment.programs:
        program.stop()
    last = made.verify()
    assert counts(last) == WELL
    assert sum(one.outputs for one in last.partitions) == made.written()

    copied = made.deployment.read("offer-entry")[5]
    made.deployment.produce("offer-entry", [(copied.key, copied.value, copied.headers), (b"u1", b"what?", [])])
    found = made.verify(OUTPUTS)
    assert counts(found) == {OUTPUTS: {**WELL[OUTPUTS], "duplicated": 1, "unexpected": 1}}
    twice, foreign = made.explained(found)
    assert (twice.kind, len(twice.places), twice.user) == ("duplicated", 2, (copied.key or b"").decode())
    assert "no worker writes such a record" in foreign.detail

    _delete_first(made.deployment, "reward-satisfied")
    left = made.verify(OUTPUTS)
    assert counts(left) == counts(found)
    assert sum(one.expired for one in left.partitions) == PARTITIONS * 3


def _entities(journey: Journey, redis: Redis, number: int) -> list[tuple[int, str]]:
    """Users of different partitions."""
    found = [(partition, next(iter(sorted(journey.moments.store.states(partition))))) for partition in range(number)]
    assert len(found) == number
    return found


def _state(journey: Journey, redis: Redis, partition: int, entity: str) -> tuple[str, bytes]:
    for bucket in range(64):
        key = journey.key(partition, f"st:{bucket}")
        packed: Any = redis.hget(key, entity)
        if packed is not None:
            return key, packed
    raise AssertionError(f"{entity} has no state in partition {partition}")


def _delete_first(deployment: Deployment, topic: str) -> None:
    """What retention does: the first three rewards of each partition are gone."""
    name = deployment.prefix + topic
    before = {}
    for record in deployment.read(topic):
        before.setdefault(record.partition, []).append(record.offset)  # type: ignore[var-annotated]
    places = [TopicPartition(name, partition, sorted(offsets)[3]) for partition, offsets in before.items()]
    admin = AdminClient({"bootstrap.servers": deployment.services.kafka})
    for future in admin.delete_records(places).values():
        future.result(30)

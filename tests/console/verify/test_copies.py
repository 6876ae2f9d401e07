"""Verifying on from a copy of Redis, in place of the first record: as much is proved, and the journal may be cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from redis import Redis

from console.verify import outputs, verifying
from console.verify.copies import NoAddress, NoCopy
from console.verify.findings import OUTPUTS, STATES
from console.verify.telling import counts
from offerflow.rules.state import pack, unpack_entity
from offerflow.runtime.errors import Refused, TryAgain
from tests.console.verify.journey import PARTITIONS, WELL, Journey
from tests.deployment import Deployment, Services

pytestmark = pytest.mark.broker
NEWER, OLDER, EMPTY, LAST = 1, 2, 3, 4
"""Databases of the server that the workers use, too. Their keys bear the deployment's prefix."""
COPY = """
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('COPY', key, key, 'DB', ARGV[2], 'REPLACE') end"""


class Copied(Journey):
    """A journey with copies of its states, each as of one moment, as an RDB file would have them."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self.redis = Redis.from_url(deployment.services.redis)

    def copy(self, number: int) -> str:
        self.redis.eval(COPY, 0, f"{{of:{self.deployment.prefix}*", number)
        return self.url(number)

    def url(self, number: int) -> str:
        return f"{self.deployment.services.redis.rpartition('/')[0]}/{number}"

    def database(self, number: int) -> Redis:
        return Redis.from_url(self.url(number))

    def positions(self, number: int = 0) -> list[int]:
        with self.database(number) as redis:
            return [int(redis.hget(self.key(one, "meta"), "next") or 0) for one in range(PARTITIONS)]

    def close(self) -> None:
        for number in (NEWER, OLDER, EMPTY, LAST):
            with self.database(number) as redis:
                for key in redis.scan_iter(f"{{of:{self.deployment.prefix}*"):
                    redis.delete(key)
        self.redis.close()


@pytest.fixture(scope="module")
def journey(stack: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copied]:
    """At rest, with two copies that were taken while the workers worked."""
    deployment = Deployment(stack, tmp_path_factory.mktemp("copied"), partitions=PARTITIONS)
    made = Copied(deployment)
    try:
        deployment.validation()
        deployment.rules().wait_ready()
        made.send([f"a{n}" for n in range(60)])
        made.rest()
        made.send([f"b{n}" for n in range(200)])
        made.copy(OLDER)
        made.rest()
        made.send([f"c{n}" for n in range(200)])
        made.copy(NEWER)
        made.rest()
        for program in deployment.programs:
            program.stop()
        yield made
    finally:
        made.close()
        deployment.close()


@pytest.mark.parametrize("number", [OLDER, NEWER])
def test_what_came_since_is_identical(journey: Copied, number: int) -> None:
    """Fewer records are folded, every state is compared, and of the outputs those that were decided since."""
    whole, since = journey.verify(), journey.verify(copy=journey.url(number))
    assert counts(whole) == counts(since) == WELL
    assert [one.since for one in since.partitions] == journey.positions(number)
    assert [one.position for one in since.partitions] == [one.position for one in whole.partitions]
    assert all(one.records == one.position - one.since > 0 for one in since.partitions)
    assert sum(one.states for one in since.partitions) == sum(one.states for one in whole.partitions) == 460
    compared, all_of_them = (sum(one.outputs for one in report.partitions) for report in (since, whole))
    assert 0 < compared < all_of_them == journey.written()
    assert compared + sum(one.earlier for one in since.partitions) <= all_of_them


def test_a_copy_is_verified_on_from_the_one_before(journey: Copied) -> None:
    """The newer copy in the place of Redis: so each copy is proved by the one before it."""
    done = journey.deployment.command(
        "verify", "--state", "--from-copy", journey.url(OLDER), OFFERFLOW_REDIS__URL=journey.url(NEWER)
    )
    assert done.returncode == 0, done.stderr
    assert "states   identical; " in done.stdout
    assert "on from a copy" in done.stdout


def test_what_is_wrong_since_is_found(journey: Copied) -> None:
    """A state that was changed, though nothing was heard of its user since the copy; an output written once more, and
    one that nobody decided."""
    copy = journey.url(NEWER)
    buckets = journey.redis.scan_iter(journey.key(0, "st:*"))
    old, entity = next((key, one) for key in buckets for one in journey.redis.hkeys(key) if one.startswith(b"u:a"))
    packed: Any = journey.redis.hget(old, entity)
    state = unpack_entity(packed)
    state.turn += 1
    try:
        journey.redis.hset(old, entity, pack(state))
        [state_found] = journey.explained(found := journey.verify(STATES, copy=copy))
    finally:
        journey.redis.hset(old, entity, packed)
    assert counts(found) == {STATES: {**WELL[STATES], "wrong": 1}}
    assert (state_found.id, state_found.record) == (entity.decode(), None)

    last = journey.deployment.read("offer-entry")[-1]
    stranger = dict(last.headers) | {"ce_id": b"0" * 32}
    journey.deployment.produce(
        "offer-entry", [(last.key, last.value, last.headers), (last.key, last.value, list(stranger.items()))]
    )
    report = journey.verify(OUTPUTS, copy=copy)
    assert counts(report) == {OUTPUTS: {**WELL[OUTPUTS], "duplicated": 1, "unexpected": 1}}
    assert {one.kind for one in journey.explained(report)} == {"duplicated", "unexpected"}


def test_what_nobody_decided_is_found_where_nothing_was_decided_since(
    journey: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rewards that somebody wrote after the copy was taken are unexpected in every partition, beyond the minute by
    which clocks may differ: here they do not."""
    for module in (outputs, verifying):
        monkeypatch.setattr(module, "SKEW_MS", 0)
    copy, [reward, *_] = journey.copy(LAST), journey.deployment.read("reward-satisfied")
    before = counts(journey.verify(OUTPUTS, copy=copy))[OUTPUTS]
    headers = [dict(reward.headers) | {"ce_id": f"{n:032x}".encode()} for n in range(30)]
    journey.deployment.produce(
        "reward-satisfied", [(f"u{n}".encode(), reward.value, list(one.items())) for n, one in enumerate(headers)]
    )
    after = counts(journey.verify(OUTPUTS, copy=copy))[OUTPUTS]
    assert after == {**before, "unexpected": before["unexpected"] + 30}


@pytest.mark.parametrize(
    "address",
    ["", "foo", "http://h/0", "redis://h:abc/0", "redis://[::1", "redis://:gehe/im@h:1/0", "redis://h/0?foo=1"],
)
def test_what_is_no_address(journey: Copied, address: str) -> None:
    """It is a mistake of the call, exit code 2, and nothing of it is repeated: it may hold a password."""
    done = journey.deployment.command("verify", "--state", "--from-copy", address)
    assert done.returncode == NoAddress.exit_code
    assert done.stderr.startswith("error: --from-copy: expected redis://HOST:PORT/NUMBER")
    assert "gehe" not in done.stderr


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"next": 1_000_000}, "it is ahead of Kafka"), ({"dirty": "token"}, "its states are half written"),
        ({"layout": "0"}, "its states have the layout 0"), ({"group": "another"}, "its states belong to group another"),
        ({"cluster_id": "another"}, "its states belong to cluster_id another"),
    ],
)  # fmt: skip
def test_a_copy_that_cannot_be_folded_on_from(journey: Copied, broken: dict[str, Any], words: str) -> None:
    """It is told apart before anything is folded, with the partition and what is wrong with it."""
    journey.copy(EMPTY)
    with journey.database(EMPTY) as redis:
        redis.hset(journey.key(1, "meta"), mapping=broken)
        try:
            with pytest.raises(NoCopy, match=f"journal/1 .*{words}"):
                journey.verify(STATES, copy=journey.url(EMPTY))
        finally:
            for key in redis.scan_iter(f"{{of:{journey.deployment.prefix}*"):
                redis.delete(key)


def test_a_copy_that_is_none(journey: Copied) -> None:
    """An empty Redis, the one that is verified, and one that is further than it."""
    with pytest.raises(NoCopy, match="was the copy loaded"):
        journey.verify(STATES, copy=journey.url(EMPTY))
    with pytest.raises(NoCopy, match="compared with itself"):
        journey.verify(STATES, copy=journey.deployment.services.redis)
    done = journey.deployment.command(
        "verify", "--state", "--from-copy", journey.url(NEWER), OFFERFLOW_REDIS__URL=journey.url(OLDER)
    )
    assert done.returncode == TryAgain.exit_code
    assert "take an older copy" in done.stderr


def test_a_journal_that_was_cut(deployment: Callable[..., Deployment]) -> None:
    """Without its beginning nothing can be folded from there, and that is said; on from a copy all the rest is proved,
    beside the running workers. A copy from before the cut is of no use."""
    made = Copied(deployment(partitions=PARTITIONS))
    try:
        made.deployment.validation()
        made.deployment.rules().wait_ready()
        made.send([f"a{n}" for n in range(100)])
        made.rest()
        made.copy(OLDER)
        made.send([f"b{n}" for n in range(100)])
        made.rest()
        made.copy(NEWER)
        _cut(made, made.positions(NEWER))
        with pytest.raises(Refused, match="--from-copy"):
            made.verify()
        with pytest.raises(NoCopy, match="what lies between is gone"):
            made.verify(copy=made.url(OLDER))
        made.send([f"c{n}" for n in range(300)])
        beside = made.verify(copy=made.url(NEWER))
        made.rest()
        after = made.verify(copy=made.url(NEWER))
        assert counts(beside) == counts(after) == WELL
        assert sum(one.states for one in after.partitions) == 500
        assert sum(one.outputs for one in after.partitions) > 300
    finally:
        made.close()


def _cut(journey: Journey, positions: list[int]) -> None:
    """What retention does to a journal."""
    name = f"{journey.deployment.prefix}journal"
    admin = AdminClient({"bootstrap.servers": journey.deployment.services.kafka})
    places = [TopicPartition(name, partition, position) for partition, position in enumerate(positions)]
    for future in admin.delete_records(places).values():
        future.result(30)

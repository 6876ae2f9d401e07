"""What the double can do that nobody may ask of a broker: each fault does what it says, and always the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from random import Random
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.doubles.kafka import Cluster, Dead, Ending, Sending, Time

WAIT = 10.0
PLACE = ("topic", 0)
MEMBER = {
    "group.id": "group", "session.timeout.ms": 6000, "heartbeat.interval.ms": 1500, "max.poll.interval.ms": 12000,
    "auto.offset.reset": "earliest", "enable.partition.eof": True,
}  # fmt: skip


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    made.create("topic", 2)
    return made


def producer(cluster: Cluster, **config: Any) -> Any:
    made = cluster.Producer({"transactional.id": "id", "transaction.timeout.ms": 10_000, **config})
    made.init_transactions(WAIT)
    return made


def write(client: Any, *values: bytes) -> None:
    """Begin a transaction, write to it, and leave it open."""
    client.begin_transaction()
    for value in values:
        client.produce("topic", value, partition=0)


def values(cluster: Cluster) -> list[bytes | None]:
    return [message.value() for message in cluster.records("topic")]


def refusal(call: Callable[[], object]) -> int:
    with pytest.raises(KafkaException) as raised:
        call()
    return int(raised.value.args[0].code())


def pass_time(cluster: Cluster, seconds: float, *polling: Any) -> None:
    """In small steps; ``polling`` consumers poll meanwhile."""
    until = cluster.now() + seconds
    while cluster.now() < until:
        for consumer in polling:
            consumer.consume(100, 0)
        cluster.pause(0.1)
        cluster.turn()


def join(cluster: Cluster, owner: Hashable, told: list[tuple[str, list[int]]]) -> Any:
    cluster.owner = lambda: owner
    consumer = cluster.Consumer({**MEMBER, "client.id": str(owner)})

    def note(what: str) -> Any:
        return lambda _, partitions: told.append((what, [tp.partition for tp in partitions]))

    consumer.subscribe(["topic"], on_assign=note("assign"), on_revoke=note("revoke"), on_lost=note("lost"))
    consumer.consume(100, 0)
    return consumer


# -- ends of transactions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [Ending.LOST_DONE, Ending.LOST, Ending.HELD])
def test_an_end_whose_answer_is_lost_times_out_whether_it_happened_or_not(cluster: Cluster, how: Ending) -> None:
    """The client cannot tell the three apart."""
    client = producer(cluster)
    write(client, b"0")
    cluster.ending = lambda _: how
    before = cluster.now()
    assert refusal(lambda: client.commit_transaction(5.0)) == KafkaError._TIMED_OUT
    assert cluster.now() - before == pytest.approx(5.0, abs=0.1)
    assert values(cluster) == ([b"0"] if how is Ending.LOST_DONE else [])
    assert len(cluster.late) == (1 if how is Ending.HELD else 0)


def test_an_end_that_was_held_back_happens_when_it_arrives(cluster: Cluster) -> None:
    """If nobody has fenced it before."""
    client = producer(cluster)
    write(client, b"0")
    cluster.ending = lambda _: Ending.HELD
    refusal(lambda: client.commit_transaction(1.0))
    assert repr(cluster.late[0]) == "EndTxn commit of id epoch 0"
    assert cluster.deliver_late() == 0
    assert values(cluster) == [b"0"]
    assert cluster.late == []


def test_a_new_producer_fences_an_end_that_was_held_back(cluster: Cluster) -> None:
    """That is what making it anew is for."""
    client = producer(cluster)
    write(client, b"0")
    cluster.ending = lambda _: Ending.HELD
    refusal(lambda: client.commit_transaction(1.0))
    newer = producer(cluster)
    write(newer, b"1")
    assert cluster.deliver_late() == KafkaError.PRODUCER_FENCED
    assert values(cluster) == []


def test_a_duplicate_of_an_end_commits_the_half_of_the_next_transaction(cluster: Cluster) -> None:
    """The commit itself looks like any other, but for the client's log and counters."""
    heard: list[tuple[str, str]] = []

    class Log:
        def log(self, level: int, template: str, facility: str, client: str, text: str) -> None:
            heard.append((facility, text))

    client = producer(cluster, logger=Log())
    write(client, b"0")
    cluster.ending = lambda _: Ending.DUPLICATED
    client.commit_transaction(WAIT)
    client.poll(0)
    assert [facility for facility, _ in heard] == ["FAIL"]
    write(client, b"half")
    assert cluster.deliver_late() == 0
    assert values(cluster) == [b"0", b"half"]


def test_a_slow_end_takes_its_time(cluster: Cluster) -> None:
    """And succeeds."""
    client = producer(cluster)
    write(client, b"0")
    cluster.ending = lambda _: Ending.SLOW
    before = cluster.now()
    client.commit_transaction(WAIT)
    assert cluster.now() - before > 1.0
    assert values(cluster) == [b"0"]


@pytest.mark.parametrize("how", [Sending.LOST_DONE, Sending.LOST, Sending.HELD])
def test_offsets_whose_answer_is_lost_time_out(cluster: Cluster, how: Sending) -> None:
    """Whether they are pending or not; a late arrival lands in the transaction that is open then."""
    client, consumer = producer(cluster), cluster.Consumer(MEMBER)
    who = consumer.consumer_group_metadata()
    client.begin_transaction()
    cluster.sending = lambda _: how
    send = lambda: client.send_offsets_to_transaction([TopicPartition(*PLACE, 7)], who, 1.0)  # noqa: E731
    assert refusal(send) == KafkaError._TIMED_OUT
    if how is Sending.HELD:
        assert cluster.deliver_late() == 0
    client.commit_transaction(WAIT)
    assert cluster.committed("group") == ({} if how is Sending.LOST else {PLACE: (7, "")})


def test_a_duplicate_of_offsets_overwrites_those_of_the_next_transaction(cluster: Cluster) -> None:
    """Which would take the position back."""
    client, consumer = producer(cluster), cluster.Consumer(MEMBER)
    who = consumer.consumer_group_metadata()

    def send(offset: int) -> None:
        client.begin_transaction()
        client.send_offsets_to_transaction([TopicPartition(*PLACE, offset)], who, WAIT)

    cluster.sending = lambda _: Sending.DUPLICATED
    send(5)
    client.commit_transaction(WAIT)
    cluster.sending = None
    send(9)
    assert cluster.deliver_late() == 0
    client.commit_transaction(WAIT)
    assert cluster.committed("group") == {PLACE: (5, "")}


def test_markers_may_come_after_the_answer(cluster: Cluster) -> None:
    """Meanwhile nobody reads past, offsets are pending, and the next transaction waits."""
    client, consumer = producer(cluster), cluster.Consumer(MEMBER)
    who = consumer.consumer_group_metadata()
    cluster.marker_delay = lambda: 3.0
    write(client, b"0")
    client.send_offsets_to_transaction([TopicPartition(*PLACE, 1)], who, WAIT)
    began = cluster.now()
    client.commit_transaction(WAIT)
    assert cluster.now() == began
    assert values(cluster) == []
    assert not cluster.settled()
    assert refusal(lambda: consumer.committed([TopicPartition(*PLACE)], timeout=1.0)) == KafkaError._TIMED_OUT
    assert consumer.committed([TopicPartition(*PLACE)], timeout=5.0)[0].offset == 1
    assert cluster.now() - began == pytest.approx(3.0, abs=0.1)
    assert values(cluster) == [b"0"]
    write(client, b"2")
    client.commit_transaction(WAIT)
    write(client, b"4")
    assert cluster.records("topic", committed=False)[-1].value() == b"2"  # the last is not sent yet
    client.commit_transaction(WAIT)
    pass_time(cluster, 4.0)
    assert values(cluster) == [b"0", b"2", b"4"]


def test_open_transactions_can_be_expired_at_will(cluster: Cluster) -> None:
    """Aborted and fenced, as their time-out would do it."""
    client = producer(cluster)
    write(client, b"0")
    cluster.expire_transactions()
    assert cluster.settled()
    assert refusal(lambda: client.commit_transaction(WAIT)) == KafkaError._FENCED
    assert values(cluster) == []


# -- processes ---------------------------------------------------------------------------------------------------------


def test_what_a_killed_process_does_has_no_effect(cluster: Cluster) -> None:
    """Its calls raise Dead. Its open transaction stays until it times out, or its id is taken over."""
    cluster.owner = lambda: "worker"
    client = producer(cluster)
    write(client, b"0")
    cluster.kill("worker")
    with pytest.raises(Dead):
        client.commit_transaction(WAIT)
    assert not cluster.settled()
    pass_time(cluster, 11.0)
    assert cluster.settled()
    assert values(cluster) == []


def test_the_partitions_of_a_killed_member_move_when_its_session_is_over(cluster: Cluster) -> None:
    """And not before: until then they belong to nobody who lives."""
    told: list[tuple[str, list[int]]] = []
    dying = join(cluster, "dying", [])
    living = join(cluster, "living", told)
    pass_time(cluster, 5.0, dying, living)
    assert [len(consumer.assignment()) for consumer in (dying, living)] == [1, 1]
    cluster.kill("dying")
    pass_time(cluster, 4.0, living)
    assert len(living.assignment()) == 1
    pass_time(cluster, 5.0, living)
    assert len(living.assignment()) == 2
    assert cluster.members("group") == ["living"]


def test_a_process_that_slept_too_long_has_lost_everything_and_hears_of_it(cluster: Cluster) -> None:
    """Until then it may act as if nothing had happened, but commit nothing."""
    told: list[tuple[str, list[int]]] = []
    sleeping = join(cluster, "sleeping", told)
    stale = sleeping.consumer_group_metadata()
    awake = join(cluster, "awake", [])
    cluster.freeze("sleeping")
    pass_time(cluster, 9.0, awake)
    assert len(awake.assignment()) == 2
    client = producer(cluster)
    client.begin_transaction()
    late = [TopicPartition(*PLACE, 5)]
    code = refusal(lambda: client.send_offsets_to_transaction(late, stale, WAIT))
    assert code == KafkaError.UNKNOWN_MEMBER_ID
    cluster.thaw("sleeping")
    pass_time(cluster, 6.0, awake, sleeping)
    assert told[:2] == [("assign", [0, 1]), ("lost", [0, 1])]
    assert [len(consumer.assignment()) for consumer in (awake, sleeping)] == [1, 1]


def test_a_short_sleep_harms_nobody(cluster: Cluster) -> None:
    """The session goes on."""
    told: list[tuple[str, list[int]]] = []
    consumer = join(cluster, "worker", told)
    cluster.freeze("worker")
    pass_time(cluster, 4.0)
    cluster.thaw("worker")
    pass_time(cluster, 10.0, consumer)
    assert told == [("assign", [0, 1])]
    assert cluster.generation("group") == 1


def test_a_rebalance_can_be_forced(cluster: Cluster) -> None:
    """Everybody gets a new generation and keeps what it has."""
    told: list[tuple[str, list[int]]] = []
    consumer = join(cluster, "worker", told)
    cluster.rebalance("group")
    pass_time(cluster, 3.0, consumer)
    assert told == [("assign", [0, 1]), ("assign", [])]
    assert cluster.generation("group") == 2


# -- the broker --------------------------------------------------------------------------------------------------------


def test_while_the_broker_is_away_calls_wait_and_time_out(cluster: Cluster) -> None:
    """Nobody's session ends by that; the clients see that their connections broke."""
    told: list[str] = []
    statistics = {"stats_cb": told.append, "statistics.interval.ms": 1000}
    client, consumer, admin = producer(cluster, **statistics), join(cluster, "worker", []), cluster.AdminClient({})
    cluster.stop()
    [error] = consumer.consume(10, 20.0)
    assert error.error().code() == KafkaError._ALL_BROKERS_DOWN
    assert refusal(lambda: consumer.committed([TopicPartition(*PLACE)], timeout=1.0)) == KafkaError._TIMED_OUT
    assert refusal(lambda: admin.list_topics(timeout=1.0)) == KafkaError._TRANSPORT
    assert refusal(admin.describe_cluster(request_timeout=1.0).result) == KafkaError._TIMED_OUT
    write(client, b"0")
    assert refusal(lambda: client.commit_transaction(1.0)) == KafkaError._TIMED_OUT
    client.poll(0)
    assert '"disconnects": 1' in told[-1]
    cluster.start()
    pass_time(cluster, 5.0, consumer)
    assert cluster.generation("group") == 1
    assert values(cluster) == []


def test_a_call_goes_on_when_the_broker_comes_back_in_time(cluster: Cluster) -> None:
    """As the client tries again by itself."""
    client = producer(cluster)
    write(client, b"0")
    cluster.stop()
    cluster.agenda.at(cluster.now() + 2.0, cluster.start)
    client.commit_transaction(WAIT)
    assert values(cluster) == [b"0"]


def test_an_operator_may_do_anything_to_offsets_and_logs(cluster: Cluster) -> None:
    """Move and delete offsets, cut a log at both ends, make a topic anew."""
    for number in range(4):
        cluster.append("topic", b"%d" % number)
    cluster.set_offset("group", *PLACE, 2, "metadata")
    assert cluster.committed("group") == {PLACE: (2, "metadata")}
    cluster.delete_offset("group", *PLACE)
    assert cluster.committed("group") == {}
    cluster.delete_records(*PLACE, 1)
    cluster.truncate(*PLACE, 3)
    assert values(cluster) == [b"1", b"2"]
    before = cluster.topics["topic"].id
    cluster.recreate("topic")
    assert str(cluster.topics["topic"].id) != str(before)
    assert values(cluster) == []


def test_every_call_is_announced_and_may_be_the_last(cluster: Cluster) -> None:
    """The hook hears the name before anything happens, and once more between the broker's act and its answer."""
    client = producer(cluster)
    heard: list[str] = []
    cluster.on_call = heard.append
    write(client, b"0")
    client.commit_transaction(WAIT)
    assert heard == ["begin_transaction", "produce", "commit_transaction", "commit_transaction.replied"]

    class Killed(Exception):
        pass

    def kill(name: str) -> None:
        if name == "commit_transaction.replied":
            raise Killed

    cluster.on_call = kill
    write(client, b"2")
    with pytest.raises(Killed):
        client.commit_transaction(WAIT)
    assert values(cluster) == [b"0", b"2"]


def test_the_same_schedule_goes_the_same_way_again() -> None:
    """Two clusters under the same seeded mixture of calls and faults end with the same logs, offsets and time."""

    def history(seed: int) -> object:
        random, time = Random(seed), Time()
        cluster = Cluster(time.now, time.pause)
        cluster.create("topic", 2)
        cluster.ending = lambda _: random.choice(list(Ending))
        cluster.sending = lambda _: random.choice(list(Sending))
        cluster.marker_delay = lambda: random.choice([0.0, 0.0, 0.5])
        told: list[tuple[str, list[int]]] = []
        members = {name: join(cluster, name, told) for name in ("a", "b")}
        for _ in range(60):
            name = random.choice(list(members))
            cluster.owner = lambda name=name: name
            try:
                client = producer(cluster, **{"transactional.id": name})
                write(client, random.randbytes(2))
                who = members[name].consumer_group_metadata()
                at = TopicPartition("topic", random.randrange(2), random.randrange(99))
                client.send_offsets_to_transaction([at], who, 2.0)
                client.commit_transaction(2.0)
            except KafkaException as error:
                told.append((error.args[0].name(), []))
            for member in members.values():
                member.consume(random.randrange(1, 5), random.random())
            if random.random() < 0.2:
                random.choice([cluster.freeze, cluster.thaw])(name)
            if cluster.late and random.random() < 0.5:
                cluster.deliver_late(random.randrange(len(cluster.late)))
        kept = [(m.partition(), m.offset(), m.value(), m.timestamp()) for m in cluster.records("topic")]
        return kept, cluster.committed("group"), told, cluster.now(), cluster.generation("group")

    assert history(1) == history(1)
    assert history(1) != history(2)

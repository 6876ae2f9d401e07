"""Transactions, fencing and committed offsets: what the protocol stands on. Held true on the double and on a broker.

Version 1 of the transaction protocol, the only one librdkafka speaks.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.doubles.kafka_worlds import Kafka

WAIT = 15.0


def refusal(call: Callable[[], object]) -> KafkaError:
    """The error that ``call`` raises."""
    with pytest.raises(KafkaException) as raised:
        call()
    error: KafkaError = raised.value.args[0]
    return error


def offset(consumer: Any, place: tuple[str, int], timeout: float = WAIT) -> tuple[int, str]:
    """Committed offset and metadata of the consumer's group; below 0 if there is none."""
    [found] = consumer.committed([TopicPartition(*place)], timeout=timeout)
    assert found.error is None
    return found.offset, found.metadata or ""


class Group:
    """Joined members of one group, polled in turn so that every rebalance comes to its end."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self.name = kafka.name("group")
        self.members: list[Any] = []
        self._kafka = kafka
        self._topic = topic

    def join(self, **config: Any) -> Any:
        member = self._kafka.consumer(self.name, **config)
        member.subscribe([self._topic])
        self.members.append(member)
        self.settle()
        return member

    def settle(self) -> None:
        """Until every member has its share of the partitions."""

        def settled() -> bool:
            for member in self.members:
                member.consume(10, 0.02)
            return all(member.assignment() for member in self.members)

        self._kafka.until(settled, "every member to have partitions")


# -- transactions and their producers ----------------------------------------------------------------------------------


def test_calls_out_of_order_are_refused(kafka: Kafka) -> None:
    """By the client itself: they say nothing about the broker, and harm nothing."""
    topic, producer = kafka.topic(), kafka.producer(kafka.name("id"))
    assert refusal(lambda: producer.produce(topic, b"0")).code() == KafkaError._STATE
    assert refusal(lambda: producer.commit_transaction(WAIT)).code() == KafkaError._STATE
    producer.begin_transaction()
    assert refusal(producer.begin_transaction).code() == KafkaError._STATE
    kafka.write(producer, topic, b"0")
    producer.commit_transaction(WAIT)
    assert kafka.until(lambda: kafka.read(topic)[0], "the record") == [(0, b"0")]


def test_a_new_producer_of_the_same_id_settles_what_was_open(kafka: Kafka) -> None:
    """When it is ready the old transaction is aborted and marked, so nobody waits for it any more."""
    topic, name = kafka.topic(), kafka.name("id")
    old = kafka.producer(name)
    old.begin_transaction()
    kafka.write(old, topic, b"old")
    kafka.transact(kafka.producer(name), topic, b"new")
    kafka.until(lambda: kafka.read(topic) == ([(2, b"new")], 4), "both ends")


@pytest.mark.parametrize("call", ["produce", "offsets", "commit", "abort"])
def test_a_producer_is_fenced_by_a_newer_one_of_its_id(kafka: Kafka, call: str) -> None:
    """Whatever it calls next ends fatally, nothing of it is ever read, and the newer one is not disturbed."""
    topic, name, consumer = kafka.topic(), kafka.name("id"), kafka.consumer()
    old = kafka.producer(name)
    old.begin_transaction()
    kafka.write(old, topic, b"old")
    new = kafka.producer(name)

    def produce() -> None:
        old.produce(topic, b"late", partition=0)
        old.flush(WAIT)
        old.commit_transaction(WAIT)

    calls: dict[str, Callable[[], object]] = {
        "produce": produce,
        "offsets": lambda: kafka.send(old, consumer.consumer_group_metadata(), {(topic, 0): 1}),
        "commit": lambda: old.commit_transaction(WAIT),
        "abort": lambda: old.abort_transaction(WAIT),
    }
    error = refusal(calls[call])
    assert (error.code(), error.fatal()) == (KafkaError._FENCED, True)
    assert refusal(old.begin_transaction).fatal()
    kafka.transact(new, topic, b"new")
    kafka.until(lambda: kafka.read(topic)[0] == [(2, b"new")], "the newer one's record")
    assert offset(consumer, (topic, 0))[0] < 0


def test_a_transaction_that_takes_too_long_is_aborted_and_fences_its_producer(kafka: Kafka) -> None:
    """The broker counts the time; the producer hears of it at its next call."""
    topic, producer = kafka.topic(), kafka.producer(kafka.name("id"), transaction_timeout_ms=1000)
    producer.begin_transaction()
    kafka.write(producer, topic, b"0")
    kafka.until(lambda: kafka.read(topic) == ([], 2), "the abort")
    error = refusal(lambda: producer.commit_transaction(WAIT))
    assert (error.code(), error.fatal()) == (KafkaError._FENCED, True)


def test_an_end_that_comes_again_ends_what_is_open_then(kafka: Kafka) -> None:
    """An EndTxn names the producer and its epoch and not the transaction: a late one commits the half of the next."""
    topic, producer = kafka.topic(), kafka.producer(kafka.name("id"))
    kafka.transact(producer, topic, b"0")
    producer.begin_transaction()
    kafka.write(producer, topic, b"2")
    kafka.until(lambda: kafka.world.end_again(producer, True) == 0, "the broker to have settled the first")
    kafka.until(lambda: kafka.read(topic) == ([(0, b"0"), (2, b"2")], 4), "the half to be committed")


def test_what_follows_the_late_end_in_the_same_transaction_fails(kafka: Kafka) -> None:
    """The partition is no part of an open transaction any more, and the leader verifies that."""
    topic, producer = kafka.topic(), kafka.producer(kafka.name("id"))
    producer.begin_transaction()
    kafka.write(producer, topic, b"0")
    assert kafka.world.end_again(producer, True) == 0
    kafka.until(lambda: kafka.read(topic) == ([(0, b"0")], 2), "the half to be committed")
    producer.produce(topic, b"more", partition=0)
    producer.flush(WAIT)
    error = refusal(lambda: producer.commit_transaction(WAIT))
    assert error.code() == KafkaError.INVALID_TXN_STATE
    assert kafka.read(topic) == ([(0, b"0")], 2)


def test_an_end_with_nothing_open_is_only_taken_as_a_repetition(kafka: Kafka) -> None:
    """The same end as the last one is a retry and fine; the other one is refused, and so is a first one."""
    topic, producer = kafka.topic(), kafka.producer(kafka.name("id"))
    assert kafka.world.end_again(producer, True) == KafkaError.INVALID_TXN_STATE
    kafka.transact(producer, topic, b"0")
    kafka.until(lambda: kafka.world.end_again(producer, True) == 0, "the commit to be settled")
    assert kafka.world.end_again(producer, False) == KafkaError.INVALID_TXN_STATE
    kafka.transact(producer, topic, b"2", commit=False)
    kafka.until(lambda: kafka.world.end_again(producer, False) == 0, "the abort to be settled")
    assert kafka.world.end_again(producer, True) == KafkaError.INVALID_TXN_STATE


def test_an_end_of_an_older_producer_is_refused(kafka: Kafka) -> None:
    """Which is why the producer is made anew after any doubt: what still travels is fenced."""
    topic, name = kafka.topic(), kafka.name("id")
    old = kafka.producer(name)
    kafka.transact(old, topic, b"0")
    kafka.until(lambda: kafka.world.end_again(old, True) == 0, "the commit to be settled")
    new = kafka.producer(name)
    new.begin_transaction()
    kafka.write(new, topic, b"2")
    assert kafka.world.end_again(old, True) in (KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)
    assert kafka.read(topic) == ([(0, b"0")], 2)
    new.commit_transaction(WAIT)
    kafka.until(lambda: kafka.read(topic)[0] == [(0, b"0"), (2, b"2")], "the new one's record")


def test_reports_of_delivery_tell_where_a_record_lies(kafka: Kafka) -> None:
    """Before the transaction ends, so that another record may refer to it."""
    topic, producer = kafka.topic(), kafka.producer(kafka.name("id"))
    landed: list[tuple[object, int, int]] = []
    kafka.transact(producer, topic, b"0")
    producer.begin_transaction()
    producer.produce(
        topic, b"1", None, 0, lambda error, message: landed.append((error, message.partition(), message.offset()))
    )  # fmt: skip
    assert producer.flush(WAIT) == 0
    assert landed == [(None, 0, 2)]
    producer.commit_transaction(WAIT)


def test_statistics_count_what_went_wrong_with_brokers(kafka: Kafka) -> None:
    """Three counters of each broker, told from within poll."""
    told: list[str] = []
    producer = kafka.producer(stats_cb=told.append, statistics_interval_ms=100)

    def polled() -> bool:
        producer.poll(0.05)
        return bool(told)

    kafka.until(polled, "statistics")
    for broker in json.loads(told[0])["brokers"].values():
        assert {"txretries", "req_timeouts", "disconnects"} <= set(broker)


# -- offsets in transactions -------------------------------------------------------------------------------------------


def test_offsets_hold_when_their_transaction_commits(kafka: Kafka) -> None:
    """With their metadata; after an abort they never were."""
    topic, consumer, producer = kafka.topic(), kafka.consumer(), kafka.producer(kafka.name("id"))
    who, place = consumer.consumer_group_metadata(), (topic, 0)
    assert offset(consumer, place)[0] < 0
    kafka.commit(producer, who, {place: 7}, "of1:id:7")
    assert offset(consumer, place) == (7, "of1:id:7")
    producer.begin_transaction()
    kafka.send(producer, who, {place: 9}, "of1:id:9")
    producer.abort_transaction(WAIT)
    assert offset(consumer, place) == (7, "of1:id:7")
    kafka.commit(producer, who, {place: 3})
    assert offset(consumer, place) == (3, "")


def test_stable_offsets_wait_for_the_open_transaction(kafka: Kafka) -> None:
    """A read_committed consumer gets no answer while an offset is pending, and the settled one after that. One that
    reads uncommitted gets the old one, which may be about to change."""
    topic, group, producer = kafka.topic(partitions=2), kafka.name("group"), kafka.producer(kafka.name("id"))
    stable, hasty = kafka.consumer(group), kafka.consumer(group, isolation_level="read_uncommitted")
    place, other = (topic, 0), (topic, 1)
    kafka.commit(producer, stable.consumer_group_metadata(), {place: 1, other: 1})
    assert offset(stable, place)[0] == 1
    producer.begin_transaction()
    kafka.send(producer, stable.consumer_group_metadata(), {place: 2})
    assert refusal(lambda: offset(stable, place, 0.5)).code() == KafkaError._TIMED_OUT
    assert offset(stable, other)[0] == 1
    assert offset(hasty, place)[0] == 1
    producer.commit_transaction(WAIT)
    assert offset(stable, place)[0] == 2


def test_the_offset_that_was_sent_last_holds(kafka: Kafka) -> None:
    """Not the one whose transaction committed last: a slow zombie must not undo what came after it."""
    topic, consumer = kafka.topic(), kafka.consumer()
    who, place = consumer.consumer_group_metadata(), (topic, 0)
    slow, fast = kafka.producer(kafka.name("slow")), kafka.producer(kafka.name("fast"))
    slow.begin_transaction()
    kafka.send(slow, who, {place: 5})
    kafka.commit(fast, who, {place: 8})
    slow.commit_transaction(WAIT)
    assert offset(consumer, place)[0] == 8


def test_offsets_alone_leave_no_marker_in_the_topic(kafka: Kafka) -> None:
    """They are another topic's affair."""
    topic, consumer, producer = kafka.topic(), kafka.consumer(), kafka.producer(kafka.name("id"))
    kafka.commit(producer, consumer.consumer_group_metadata(), {(topic, 0): 1})
    assert offset(consumer, (topic, 0))[0] == 1
    assert kafka.read(topic) == ([], 0)


# -- who may commit ----------------------------------------------------------------------------------------------------


def test_an_outsider_commits_in_a_transaction_even_while_the_group_has_members(kafka: Kafka) -> None:
    """Without a generation, that is the one form the broker takes; a plain commit is refused then."""
    topic, producer = kafka.topic(), kafka.producer(kafka.name("id"))
    group = Group(kafka, topic)
    outsider = kafka.consumer(group.name)
    outsider.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
    group.join()
    plain = [TopicPartition(topic, 0, 5)]
    refused = refusal(lambda: outsider.commit(offsets=plain, asynchronous=False))
    assert refused.code() == KafkaError.UNKNOWN_MEMBER_ID
    assert offset(outsider, (topic, 0))[0] == 1
    kafka.commit(producer, outsider.consumer_group_metadata(), {(topic, 0): 6})
    assert offset(outsider, (topic, 0))[0] == 6


def test_a_generation_that_is_over_cannot_commit(kafka: Kafka) -> None:
    """Even for a partition that its member kept. The transaction must be aborted; the next one is fine."""
    topic, producer = kafka.topic(partitions=4), kafka.producer(kafka.name("id"))
    group = Group(kafka, topic)
    member = group.join()
    stale = member.consumer_group_metadata()
    kafka.commit(producer, stale, {(topic, 0): 1})
    group.join()
    producer.begin_transaction()
    kafka.write(producer, topic, b"never")
    error = refusal(lambda: kafka.send(producer, stale, {(topic, 0): 2}))
    assert (error.code(), error.txn_requires_abort()) == (KafkaError.ILLEGAL_GENERATION, True)
    error = refusal(lambda: producer.commit_transaction(WAIT))
    assert (error.code(), error.txn_requires_abort()) == (KafkaError.ILLEGAL_GENERATION, True)
    producer.abort_transaction(WAIT)
    assert offset(member, (topic, 0))[0] == 1
    group.settle()
    kafka.commit(producer, member.consumer_group_metadata(), {(topic, 0): 3})
    assert offset(member, (topic, 0))[0] == 3


def test_a_member_that_was_expelled_cannot_commit(kafka: Kafka) -> None:
    """Its id is unknown, even to a group that has nobody else."""
    topic, producer = kafka.topic(), kafka.producer(kafka.name("id"))
    group = Group(kafka, topic)
    stale = group.join(client_id="left").consumer_group_metadata()
    kafka.world.expel(group.name, "left")
    producer.begin_transaction()
    error = refusal(lambda: kafka.send(producer, stale, {(topic, 0): 2}))
    assert (error.code(), error.txn_requires_abort()) == (KafkaError.UNKNOWN_MEMBER_ID, True)
    producer.abort_transaction(WAIT)


def test_who_commits_is_judged_when_the_offsets_are_sent(kafka: Kafka) -> None:
    """A rebalance between that and the end changes nothing: the offsets hold, and whoever claims the partition has
    to wait for them."""
    topic, producer = kafka.topic(partitions=4), kafka.producer(kafka.name("id"))
    group = Group(kafka, topic)
    member = group.join()
    producer.begin_transaction()
    kafka.send(producer, member.consumer_group_metadata(), {(topic, number): 5 for number in range(4)})
    new = group.join()
    assert refusal(lambda: offset(new, (topic, 0), 0.5)).code() == KafkaError._TIMED_OUT
    producer.commit_transaction(WAIT)
    assert [offset(new, (topic, number))[0] for number in range(4)] == [5, 5, 5, 5]


def test_offsets_that_come_again_go_into_what_is_open_then(kafka: Kafka) -> None:
    """A TxnOffsetCommit names producer, epoch and generation and not the transaction: a late one lands in the next."""
    topic, producer = kafka.topic(), kafka.producer(kafka.name("id"))
    group = Group(kafka, topic)
    member = group.join()
    who, place = member.consumer_group_metadata(), (topic, 0)
    again = kafka.world.offset_again
    kafka.commit(producer, who, {place: 5})
    assert offset(member, place)[0] == 5
    assert again(producer, who, place, 1) == KafkaError.INVALID_TXN_STATE
    producer.begin_transaction()
    kafka.send(producer, who, {place: 9})
    assert again(producer, who, place, 5) == 0
    producer.commit_transaction(WAIT)
    assert offset(member, place)[0] == 5


def test_offsets_that_come_again_are_fenced_by_generation_and_by_epoch(kafka: Kafka) -> None:
    """So neither a member's nor a producer's past can reach into the present."""
    topic, name = kafka.topic(partitions=2), kafka.name("id")
    producer, group, place = kafka.producer(name), Group(kafka, topic), (topic, 0)
    member = group.join()
    old = member.consumer_group_metadata()
    group.join()
    producer.begin_transaction()
    kafka.send(producer, member.consumer_group_metadata(), {place: 9})
    again = kafka.world.offset_again
    assert again(producer, old, place, 5) == KafkaError.ILLEGAL_GENERATION
    producer.commit_transaction(WAIT)
    newer = kafka.producer(name)
    newer.begin_transaction()
    kafka.send(newer, member.consumer_group_metadata(), {place: 12})
    assert again(producer, member.consumer_group_metadata(), place, 5) in (
        KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED,
    )  # fmt: skip
    newer.commit_transaction(WAIT)
    assert offset(member, place)[0] == 12


def test_a_transaction_that_failed_takes_nothing_more(kafka: Kafka) -> None:
    """Until it is aborted, which takes back what was written before the failure."""
    topic, producer = kafka.topic(), kafka.producer(kafka.name("id"))
    group = Group(kafka, topic)
    stale = group.join(client_id="left").consumer_group_metadata()
    kafka.world.expel(group.name, "left")
    producer.begin_transaction()
    kafka.write(producer, topic, b"0")
    refusal(lambda: kafka.send(producer, stale, {(topic, 0): 2}))
    assert refusal(lambda: producer.produce(topic, b"more")).code() == KafkaError._STATE
    again = refusal(lambda: kafka.send(producer, stale, {(topic, 0): 2}))
    assert again.code() == KafkaError.UNKNOWN_MEMBER_ID
    producer.abort_transaction(WAIT)
    kafka.until(lambda: kafka.read(topic) == ([], 2), "the abort")
    kafka.transact(producer, topic, b"2")
    kafka.until(lambda: kafka.read(topic)[0] == [(2, b"2")], "the next transaction")

"""What Kafka's log is to its readers: offsets, transactions, stable ends. Held true on the double and on a broker."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    TIMESTAMP_LOG_APPEND_TIME,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
    murmur2,
)
from confluent_kafka.admin import NewTopic, OffsetSpec  # type: ignore[attr-defined]

from tests.doubles.kafka_worlds import Kafka

WAIT = 15.0


def ends(kafka: Kafka, topic: str, spec: Any = None) -> tuple[int, int]:
    """Where a read_committed and where any other reader would stop; or what ``spec`` asks for."""
    found = []
    for isolation in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED):
        asked = {TopicPartition(topic, 0): spec or OffsetSpec.latest()}  # type: ignore[no-untyped-call]
        [future] = kafka.admin.list_offsets(asked, isolation_level=isolation, request_timeout=WAIT).values()
        found.append(future.result(WAIT).offset)
    return found[0], found[1]


def test_a_record_comes_back_as_it_was_written(kafka: Kafka) -> None:
    """Key, value and headers are bytes or None, the time is the broker's."""
    topic, producer = kafka.topic(), kafka.producer()
    producer.produce(topic, "text", "key", 0, headers=[("a", "text"), ("b", b"\x00"), ("a", None)])
    producer.produce(topic, None, None, 0)
    producer.produce(topic, b"", b"", 0, headers=[])
    assert producer.flush(WAIT) == 0
    consumer = kafka.consumer()
    consumer.assign([TopicPartition(topic, 0, 0)])
    full, none, empty = kafka.messages(consumer, 3)
    assert (full.topic(), full.partition(), full.offset()) == (topic, 0, 0)
    assert (full.key(), full.value()) == (b"key", b"text")
    assert full.headers() == [("a", b"text"), ("b", b"\x00"), ("a", None)]
    assert full.timestamp()[0] == TIMESTAMP_LOG_APPEND_TIME
    assert full.timestamp()[1] > 0
    assert (none.key(), none.value(), none.headers()) == (None, None, None)
    assert (empty.key(), empty.value(), empty.headers()) == (b"", b"", None)


def test_a_key_chooses_its_partition_by_murmur2(kafka: Kafka) -> None:
    """As every Java client would choose it."""
    topic, producer = kafka.topic(partitions=5), kafka.producer()
    keys = [f"user-{number}".encode() for number in range(40)]
    landed: list[tuple[object, bytes, int]] = []
    for key in keys:
        producer.produce(topic, b"", key, on_delivery=lambda error, m: landed.append((error, m.key(), m.partition())))
    assert producer.flush(WAIT) == 0
    assert sorted(landed) == sorted((None, key, murmur2(key, 5)) for key in keys)


def test_the_marker_of_a_transaction_takes_an_offset(kafka: Kafka) -> None:
    """Nobody reads it, the end that is told lies past it, and the next record comes after it."""
    topic, producer = kafka.topic(), kafka.producer(kafka.name("id"))
    kafka.transact(producer, topic, b"1", b"2")
    kafka.transact(producer, topic, b"3")
    kafka.until(lambda: ends(kafka, topic) == (5, 5), "the markers")
    assert kafka.read(topic) == ([(0, b"1"), (1, b"2"), (3, b"3")], 5)


def test_what_was_aborted_is_read_by_nobody_who_reads_committed(kafka: Kafka) -> None:
    """Others see it; the marker takes an offset as well."""
    topic, producer = kafka.topic(), kafka.producer(kafka.name("id"))
    kafka.transact(producer, topic, b"1", commit=False)
    kafka.transact(producer, topic, b"2")
    kafka.until(lambda: ends(kafka, topic) == (4, 4), "the markers")
    assert kafka.read(topic) == ([(2, b"2")], 4)
    assert kafka.read(topic, "read_uncommitted") == ([(0, b"1"), (2, b"2")], 4)


def test_an_open_transaction_holds_back_all_that_follows_it(kafka: Kafka) -> None:
    """A read_committed reader stops before its first record, even for records that belong to no transaction."""
    topic, producer, other = kafka.topic(), kafka.producer(kafka.name("id")), kafka.producer()
    kafka.write(other, topic, b"0")
    producer.begin_transaction()
    kafka.write(producer, topic, b"1")
    kafka.write(other, topic, b"2")
    assert ends(kafka, topic) == (1, 3)
    assert kafka.read(topic) == ([(0, b"0")], 1)
    assert kafka.read(topic, "read_uncommitted") == ([(0, b"0"), (1, b"1"), (2, b"2")], 3)
    producer.commit_transaction(WAIT)
    kafka.until(lambda: ends(kafka, topic) == (4, 4), "the marker")
    assert kafka.read(topic) == ([(0, b"0"), (1, b"1"), (2, b"2")], 4)


def test_the_earliest_open_transaction_decides_where_reading_stops(kafka: Kafka) -> None:
    """Of two, the end of the later one frees nothing."""
    topic = kafka.topic()
    early, late = kafka.producer(kafka.name("early")), kafka.producer(kafka.name("late"))
    early.begin_transaction()
    kafka.write(early, topic, b"early")
    late.begin_transaction()
    kafka.write(late, topic, b"late")
    late.commit_transaction(WAIT)
    kafka.until(lambda: ends(kafka, topic) == (0, 3), "the marker of the later")
    assert kafka.read(topic) == ([], 0)
    early.abort_transaction(WAIT)
    kafka.until(lambda: ends(kafka, topic) == (4, 4), "the marker of the earlier")
    assert kafka.read(topic) == ([(1, b"late")], 4)


def test_a_transaction_marks_every_partition_it_wrote_to_and_no_other(kafka: Kafka) -> None:
    """So the ends of the others stay where they are."""
    topic, producer = kafka.topic(partitions=3), kafka.producer(kafka.name("id"))
    producer.begin_transaction()
    kafka.write(producer, topic, b"1", partition=0)
    kafka.write(producer, topic, b"2", partition=2)
    producer.commit_transaction(WAIT)
    found = [
        kafka.until(lambda number=number: kafka.read(topic, partition=number), "reading") for number in range(3)
    ]  # fmt: skip
    kafka.until(lambda: kafka.read(topic, partition=2)[1] == 2, "the last marker")
    assert found[1] == ([], 0)
    assert kafka.read(topic, partition=0) == ([(0, b"1")], 2)


def test_a_transaction_in_which_nothing_was_written_leaves_no_marker(kafka: Kafka) -> None:
    """The broker is not even told of it."""
    topic, producer = kafka.topic(), kafka.producer(kafka.name("id"))
    producer.begin_transaction()
    producer.commit_transaction(WAIT)
    producer.begin_transaction()
    producer.abort_transaction(WAIT)
    kafka.transact(producer, topic, b"1")
    kafka.until(lambda: ends(kafka, topic) == (2, 2), "the one marker")
    assert kafka.read(topic) == ([(0, b"1")], 2)


def test_an_end_is_told_once_until_more_came(kafka: Kafka) -> None:
    """And again to who takes the partition anew."""
    topic, producer, consumer = kafka.topic(), kafka.producer(), kafka.consumer()
    consumer.assign([TopicPartition(topic, 0, 0)])
    assert kafka.to_end(consumer) == ([], 0)
    assert consumer.consume(1, 0.3) == []
    kafka.write(producer, topic, b"1")
    assert kafka.to_end(consumer) == ([(0, b"1")], 1)
    consumer.incremental_unassign([TopicPartition(topic, 0)])
    consumer.incremental_assign([TopicPartition(topic, 0, 1)])
    assert kafka.to_end(consumer) == ([], 1)
    consumer.incremental_unassign([TopicPartition(topic, 0)])
    consumer.incremental_assign([TopicPartition(topic, 0, 0)])
    assert kafka.to_end(consumer) == ([(0, b"1")], 1)


def test_a_paused_partition_gives_nothing_until_it_is_resumed(kafka: Kafka) -> None:
    """And goes on where it stood."""
    topic, producer, consumer = kafka.topic(), kafka.producer(), kafka.consumer()
    consumer.assign([TopicPartition(topic, 0, 0)])
    kafka.write(producer, topic, b"1")
    kafka.messages(consumer, 1)
    consumer.pause([TopicPartition(topic, 0)])
    kafka.write(producer, topic, b"2")
    assert [message.value() for message in consumer.consume(2, 0.3) if message.error() is None] == []
    consumer.resume([TopicPartition(topic, 0)])
    assert [message.value() for message in kafka.messages(consumer, 1)] == [b"2"]


@pytest.mark.parametrize("position", [0, 9])
def test_a_position_outside_the_log_is_an_error_if_so_wished(kafka: Kafka, position: int) -> None:
    """Whether the records are gone or never were; without the wish it reads from the start that is left."""
    topic, producer = kafka.topic(), kafka.producer()
    kafka.write(producer, topic, b"0", b"1", b"2")
    [future] = kafka.admin.delete_records([TopicPartition(topic, 0, 2)]).values()
    future.result(WAIT)
    assert ends(kafka, topic, OffsetSpec.earliest()) == (2, 2)  # type: ignore[no-untyped-call]
    strict = kafka.consumer(auto_offset_reset="error")
    strict.assign([TopicPartition(topic, 0, position)])
    [error] = kafka.until(lambda: strict.consume(1, 0.2), "the error")
    assert error.error().code() == KafkaError._AUTO_OFFSET_RESET
    assert (error.topic(), error.partition()) == (topic, 0)
    assert strict.consume(1, 0.3) == []
    lenient = kafka.consumer()
    lenient.assign([TopicPartition(topic, 0, position)])
    assert kafka.to_end(lenient) == ([(2, b"2")], 3)


def test_reading_goes_on_after_the_committed_offset(kafka: Kafka) -> None:
    """A partition assigned with no position begins there; with the position of the beginning it does not."""
    topic, producer, group = kafka.topic(), kafka.producer(), kafka.name("group")
    kafka.write(producer, topic, b"0", b"1", b"2")
    consumer = kafka.consumer(group)
    consumer.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    consumer.assign([TopicPartition(topic, 0)])
    assert kafka.to_end(consumer) == ([(2, b"2")], 3)
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    assert kafka.to_end(consumer) == ([(0, b"0"), (1, b"1"), (2, b"2")], 3)


def test_watermarks_stop_where_the_reader_does(kafka: Kafka) -> None:
    """Asked for, a read_committed consumer hears the stable end; what it knows from fetching is the high watermark."""
    topic, producer, consumer = kafka.topic(), kafka.producer(kafka.name("id")), kafka.consumer()
    assert consumer.get_watermark_offsets(TopicPartition(topic, 0), cached=True)[1] < 0
    kafka.transact(producer, topic, b"0")
    producer.begin_transaction()
    kafka.write(producer, topic, b"2")
    kafka.until(lambda: ends(kafka, topic) == (2, 3), "the first marker")
    assert consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=WAIT) == (0, 2)
    other = kafka.consumer(isolation_level="read_uncommitted")
    assert other.get_watermark_offsets(TopicPartition(topic, 0), timeout=WAIT) == (0, 3)
    consumer.assign([TopicPartition(topic, 0, 0)])
    assert kafka.to_end(consumer) == ([(0, b"0")], 2)
    assert consumer.get_watermark_offsets(TopicPartition(topic, 0), cached=True)[1] == 3
    producer.abort_transaction(WAIT)


def test_a_moment_is_found_in_the_log(kafka: Kafka) -> None:
    """The first record appended then or later; none is told as -1."""
    topic, producer, consumer = kafka.topic(), kafka.producer(), kafka.consumer()
    kafka.write(producer, topic, b"0")
    consumer.assign([TopicPartition(topic, 0, 0)])
    [first] = kafka.messages(consumer, 1)
    at = first.timestamp()[1]
    assert ends(kafka, topic, OffsetSpec.for_timestamp(at)) == (0, 0)
    assert ends(kafka, topic, OffsetSpec.for_timestamp(at + 1)) == (-1, -1)
    [found] = consumer.offsets_for_times([TopicPartition(topic, 0, at)], timeout=WAIT)
    assert found.offset == 0


def test_a_topic_made_again_has_another_id(kafka: Kafka) -> None:
    """Name and number of partitions are no proof that it is the same."""
    topic, producer = kafka.topic(partitions=2), kafka.producer()
    kafka.write(producer, topic, b"0")

    def described() -> Any:
        [future] = kafka.admin.describe_topics(TopicCollection([topic]), request_timeout=WAIT).values()
        error = future.exception(WAIT)
        if isinstance(error, KafkaException) and error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        return future.result(WAIT)

    before = described()
    assert len(before.partitions) == 2
    [future] = kafka.admin.create_topics([NewTopic(topic, 2, replication_factor=1)]).values()
    with pytest.raises(KafkaException) as raised:
        future.result(WAIT)
    assert raised.value.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS
    [future] = kafka.admin.delete_topics([topic]).values()
    future.result(WAIT)
    kafka.until(lambda: described() is None, "the topic to be gone")
    [future] = kafka.admin.create_topics([NewTopic(topic, 2, replication_factor=1)]).values()
    future.result(WAIT)
    after = kafka.until(described, "the topic to be there")
    assert str(after.topic_id) != str(before.topic_id)
    assert kafka.until(lambda: kafka.read(topic), "reading") == ([], 0)


def test_a_reader_of_a_topic_that_is_made_again_is_where_it_was(kafka: Kafka) -> None:
    """So it is outside the new log, or in the midst of it: only the topic's id tells."""
    topic, consumer = kafka.topic(), kafka.consumer(auto_offset_reset="error")
    kafka.write(kafka.producer(), topic, b"0", b"1")
    consumer.assign([TopicPartition(topic, 0, 0)])
    assert kafka.to_end(consumer) == ([(0, b"0"), (1, b"1")], 2)
    [future] = kafka.admin.delete_topics([topic]).values()
    future.result(WAIT)
    kafka.until(lambda: kafka.admin.list_topics(topic, timeout=WAIT).topics[topic].error, "the topic to be gone")
    [future] = kafka.admin.create_topics([NewTopic(topic, 1, replication_factor=1)]).values()
    future.result(WAIT)
    [error] = kafka.until(lambda: consumer.consume(1, 0.2), "the error")
    assert (error.error().code(), error.offset()) == (KafkaError._AUTO_OFFSET_RESET, 2)

"""Topics read from their start to their stable end, as a read_committed consumer sees them."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.oracle.model import Record

SILENCE = 30.0


def existing(bootstrap: str) -> set[str]:
    """Names of all topics of the cluster."""
    return set(AdminClient({"bootstrap.servers": bootstrap, "log_level": 3}).list_topics(timeout=15).topics)


def topic_ids(bootstrap: str, topics: Iterable[str]) -> dict[str, str]:
    """Each topic's id as Kafka prints it."""
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 3})  # must outlive the answers
    futures = client.describe_topics(TopicCollection(list(topics)))
    return {name: str(future.result(timeout=15).topic_id) for name, future in futures.items()}


def read(bootstrap: str, topics: Iterable[str], committed: bool = True) -> dict[str, list[Record]]:
    """All records of each topic that exists, partition by partition. Transactions still open are waited for."""
    found: dict[str, list[Record]] = {topic: [] for topic in topics}
    for record in stream(bootstrap, found, committed):
        found[record.topic].append(record)
    return {topic: sorted(records, key=lambda one: (one.partition, one.offset)) for topic, records in found.items()}


def stream(
    bootstrap: str, topics: Iterable[str], committed: bool = True, only: Container[int] | None = None
) -> Iterator[Record]:
    """The same records one by one, each partition in its order; of the partitions ``only``, if that is given."""
    wanted = sorted(set(topics) & existing(bootstrap))
    if not wanted:
        return
    ids = topic_ids(bootstrap, wanted)
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "oracle",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "fetch.message.max.bytes": 8_000_000,
            "receive.message.max.bytes": 1_000_000_000,
            "fetch.queue.backoff.ms": 5,
            "check.crcs": True,
        }
    )
    try:
        yield from _read_all(consumer, wanted, ids, only)
    finally:
        consumer.close()


def _read_all(
    consumer: Consumer, wanted: list[str], ids: Mapping[str, str], only: Container[int] | None
) -> Iterator[Record]:
    metadata = consumer.list_topics(timeout=15).topics
    places = ((topic, p) for topic in wanted for p in metadata[topic].partitions if only is None or p in only)
    ends = {place: _stable_end(consumer, *place) for place in places}
    consumer.assign([TopicPartition(topic, p, 0) for topic, p in ends])
    open_, heard = {place for place, end in ends.items() if end}, time.monotonic()
    while open_:
        for message in consumer.consume(5000, 0.05):
            place = (message.topic(), message.partition())
            error = message.error()
            if error is None:
                yield Record(
                    place[0], ids[place[0]], place[1], message.offset(), message.timestamp()[1],
                    message.key(), message.value(), tuple(message.headers() or ()),
                )  # fmt: skip
                heard = time.monotonic()
            elif error.code() == KafkaError._PARTITION_EOF:
                if message.offset() >= ends[place]:  # before that an open transaction holds the reader back
                    open_.discard(place)
            elif not error.retriable():
                raise RuntimeError(f"reading {place}: {error.str()}")
        if time.monotonic() - heard > SILENCE:
            raise TimeoutError(f"nothing more came from {sorted(open_)} in {SILENCE:g} s: is a transaction left open?")


def _stable_end(consumer: Consumer, topic: str, partition: int) -> int:
    return int(consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=15)[1])

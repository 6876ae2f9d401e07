"""Everything that topics hold now, from their starts to the ends met first, with no group membership."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.kafka.client import base_config, translate
from offerflow.runtime.settings import Settings

SILENCE_S = 30.0


def read_all(settings: Settings, topics: Iterable[str], client_id: str) -> Iterator[tuple[str, bytes | None]]:
    """(topic, value) of every committed record of ``topics`` (full names; those that do not exist count as empty).

    Raises KafkaDown when nothing comes for SILENCE_S.
    """
    there = Admin(settings, client_id).topics(topics).values()
    open_parts = {(topic.name, partition) for topic in there for partition in range(topic.partitions)}
    consumer = Consumer({
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        **base_config(settings, client_id),
        "group.id": client_id,
    })  # fmt: skip
    try:
        consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in open_parts])
        heard = time.monotonic()
        while open_parts:
            for message in consumer.consume(1000, 0.1):
                heard = time.monotonic()
                error = message.error()
                if error is None:
                    yield str(message.topic()), message.value()
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_parts.discard((str(message.topic()), int(message.partition() or 0)))
                elif error.fatal() or not error.retriable():
                    raise translate(error, f"reading {message.topic()}", settings)
            if time.monotonic() - heard > SILENCE_S:
                where = settings.kafka.bootstrap_servers
                raise KafkaDown(f"Kafka at {where} gave nothing for {SILENCE_S:.0f} s while reading; is it running?")
    except KafkaException as error:
        raise translate(error, "reading topics", settings) from None
    finally:
        consumer.close()

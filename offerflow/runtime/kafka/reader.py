"""Reads a whole topic of one partition, or bounded parts of any, with no group membership."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from offerflow.runtime import outside
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.client import base_config, translate
from offerflow.runtime.settings import Settings


class TopicReader:
    """From the start of partition 0, read_committed. ``position`` is the next offset, past transaction markers.

    With a ``group``, ``commit`` stores the position under it; membership is never taken.
    """

    def __init__(self, settings: Settings, topic: str, client_id: str, group: str | None = None) -> None:
        self._settings = settings
        self._topic = topic
        self._group = group
        self.position = 0
        self._reported = -1
        self._consumer = outside.Consumer(
            {
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 100,
                "queued.max.messages.kbytes": 8192,
                # Also how long a commit waits for a coordinator that is away, which stands in a main loop.
                "session.timeout.ms": 6000,
                "socket.timeout.ms": 6000,
                **base_config(settings, client_id),
                "group.id": group or f"{topic}.reader",
            }
        )
        self._consumer.assign([TopicPartition(topic, 0, 0)])

    def read_to_end(self, timeout_s: float) -> list[tuple[bytes | None, bytes | None]]:
        """Key and value of everything up to the end met first. Raises KafkaDown after ``timeout_s``."""
        found: list[tuple[bytes | None, bytes | None]] = []
        deadline = outside.monotonic() + timeout_s
        while True:
            ended = False
            for message in self._consumer.consume(1000, 0.05):
                ended = self._sort(message, found) or ended
            if ended:
                return found
            if outside.monotonic() > deadline:
                raise KafkaDown(
                    f"Kafka at {self._settings.kafka.bootstrap_servers} did not give topic {self._topic} to its end"
                    f" within {timeout_s:.0f} s; is it running, do the topics exist (`offerflow topics create`)?"
                )

    def poll(self) -> list[tuple[bytes | None, bytes | None]]:
        """What has come since, without waiting."""
        found: list[tuple[bytes | None, bytes | None]] = []
        for message in self._consumer.consume(1000, 0):
            self._sort(message, found)
        return found

    def commit(self) -> None:
        """Store the position under the group, if it moved."""
        if self._group is None or self.position == self._reported:
            return
        try:
            self._consumer.commit(offsets=[TopicPartition(self._topic, 0, self.position)], asynchronous=False)
        except KafkaException as error:
            raise translate(error, f"reporting the position in {self._topic}", self._settings) from None
        self._reported = self.position

    def close(self) -> None:
        self._consumer.close()

    def _sort(self, message: Message, found: list[tuple[bytes | None, bytes | None]]) -> bool:
        """Take one message; whether it says that the end was reached."""
        error = message.error()
        if error is None:
            found.append((message.key(), message.value()))
            self.position = int(message.offset() or 0) + 1
            return False
        if error.code() == KafkaError._PARTITION_EOF:
            self.position = int(message.offset() or 0)
            return True
        if error.fatal() or error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._AUTHENTICATION):
            raise translate(error, f"reading {self._topic}", self._settings)
        return False

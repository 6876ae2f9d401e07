"""Publishing outside transactions: idempotent, acknowledged by every replica, bounded in memory.

A request is a list of records with one callback; the callback runs once, when the last of them is acknowledged or has
failed. One thread polls librdkafka and runs the callbacks, so they must be short and must not block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from offerflow.runtime import outside
from offerflow.runtime.errors import KafkaDown, OfferflowError, TryAgain
from offerflow.runtime.kafka.client import base_config, translate
from offerflow.runtime.logs import get_logger
from offerflow.runtime.settings import Settings

Headers = Sequence[tuple[str, bytes]]
Done = Callable[[list[OfferflowError]], None]


class Record(NamedTuple):
    """What goes to Kafka. ``topic`` is the full name, prefix included; a value of None is a tombstone."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class QueueFull(TryAgain):
    """More is waiting for acknowledgement than the publisher may hold. None of the request was taken."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may wait at once, and how long one record may wait before it fails (milliseconds)."""

    records: int = 200_000
    bytes: int = 256 * 1024 * 1024
    delivery_ms: int = 10_000


class Publisher:
    """Thread-safe. ``broken`` turns true after an error the client cannot recover from: start a new process."""

    def __init__(self, settings: Settings, client_id: str, bounds: Bounds | None = None) -> None:
        self._settings = settings
        self._bounds = bounds or Bounds()
        self._lock = threading.Lock()
        self._waiting = 0
        self._waiting_bytes = 0
        self._closed = threading.Event()
        self.broken = False
        try:
            self._producer = outside.Producer(self._config(client_id))
        except KafkaException as error:
            raise translate(error, "starting a producer", settings) from None
        self._poller = outside.thread("kafka-publisher", self._poll)
        self._poller.start()

    def _config(self, client_id: str) -> dict[str, Any]:
        return {
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "compression.type": "lz4",
            "linger.ms": 2,
            "batch.size": 1_000_000,
            # Checked before compression. The broker judges the compressed batch, so it stays the one to refuse.
            "message.max.bytes": 16_000_000,
            "delivery.timeout.ms": self._bounds.delivery_ms,
            # Ours are the bounds that hold; librdkafka's must not strike half-way through a request.
            "queue.buffering.max.messages": 2 * self._bounds.records,
            "queue.buffering.max.kbytes": max(1024, 2 * self._bounds.bytes // 1024),
            # Fail early for a topic that is not there, so that the sender hears of it.
            "topic.metadata.propagation.max.ms": min(5_000, self._bounds.delivery_ms),
            **base_config(self._settings, client_id),
        }

    def submit(self, records: Sequence[Record], done: Done) -> None:
        """Take all of ``records`` or raise QueueFull having taken none.

        ``done`` gets the errors, empty when Kafka has every record. It runs on the polling thread, or before this
        returns when nothing could be handed over. After an error some of the records may be in Kafka all the same.
        """
        size = sum(len(record.value or b"") for record in records)
        with self._lock:
            if self._closed.is_set():
                raise QueueFull("the publisher is closed")
            if self._waiting + len(records) > self._bounds.records or self._waiting_bytes + size > self._bounds.bytes:
                raise QueueFull(
                    f"{self._waiting} records ({self._waiting_bytes} bytes) wait for Kafka at"
                    f" {self._settings.kafka.bootstrap_servers}, the bound is {self._bounds.records} records or"
                    f" {self._bounds.bytes} bytes; try again"
                )
            self._waiting += len(records)
            self._waiting_bytes += size
        request = _Request(self, len(records), size, done)
        for topic, key, value, headers in records:
            try:
                self._producer.produce(topic, value, key, headers=list(headers) or None, on_delivery=request.answered)
            except KafkaException as error:
                request.answered(error.args[0], None)
            except BufferError:
                request.answered(KafkaError(KafkaError._QUEUE_FULL), None)
        if not records:
            done([])

    def publish(self, records: Iterable[Record], timeout: float = 30.0) -> None:
        """Publish and wait for the acknowledgements. Raises the first error; KafkaDown after ``timeout`` seconds."""
        finished = threading.Event()
        errors: list[OfferflowError] = []

        def done(failed: list[OfferflowError]) -> None:
            errors.extend(failed)
            finished.set()

        self.submit(list(records), done)
        if not finished.wait(timeout):
            raise KafkaDown(
                f"Kafka at {self._settings.kafka.bootstrap_servers} did not acknowledge within {timeout:g} s"
            )
        if errors:
            raise errors[0]

    def check(self, topics: Iterable[str], timeout: float = 5.0) -> None:
        """Ask the broker for its metadata. Raises KafkaDown when it does not answer or lacks one of ``topics``."""
        try:
            known = self._producer.list_topics(timeout=timeout).topics
        except KafkaException as error:
            raise translate(error, "asking for metadata", self._settings) from None
        missing = sorted(topic for topic in topics if topic not in known)
        if missing:
            raise KafkaDown(
                f"Kafka at {self._settings.kafka.bootstrap_servers} lacks {', '.join(missing)};"
                " run `offerflow topics create`"
            )

    @property
    def waiting(self) -> int:
        """Records taken and not yet answered for."""
        return self._waiting

    def flush(self, timeout: float) -> int:
        """Wait until Kafka has answered for everything taken. Returns what still waits after ``timeout`` seconds."""
        self._producer.flush(timeout)
        return self._waiting

    def close(self, timeout: float = 15.0) -> None:
        """Flush and stop. What Kafka has not acknowledged by then fails, and its callbacks are told."""
        with self._lock:
            self._closed.set()
        if self.flush(timeout):
            self._producer.purge()
            self._producer.flush(1.0)
        self._poller.join()

    def _poll(self) -> None:
        while not self._closed.is_set() or self._waiting:
            self._producer.poll(0.1)

    def _answered(self, count: int, size: int) -> None:
        with self._lock:
            self._waiting -= count
            self._waiting_bytes -= size

    def _error(self, error: KafkaError) -> OfferflowError:
        if error.fatal():
            self.broken = True
        return translate(error, "publishing", self._settings)


class _Request:
    """Counts down the records of one request."""

    __slots__ = ("_count", "_done", "_errors", "_left", "_lock", "_publisher", "_size")

    def __init__(self, publisher: Publisher, count: int, size: int, done: Done) -> None:
        self._publisher = publisher
        self._count = self._left = count
        self._size = size
        self._done = done
        self._errors: list[OfferflowError] = []
        self._lock = threading.Lock()

    def answered(self, error: KafkaError | None, _message: object) -> None:
        with self._lock:
            if error is not None:
                self._errors.append(self._publisher._error(error))
            self._left -= 1
            if self._left:
                return
        self._publisher._answered(self._count, self._size)
        try:
            self._done(self._errors)
        except Exception:  # raised into the polling thread it would end all publishing
            get_logger().exception("a callback of the publisher failed")

"""The transactional producer of a stage: outputs and offsets in one Kafka transaction, or neither.

librdkafka speaks transactions v1 only: a delayed EndTxn or TxnOffsetCommit can land in a *later* transaction of the
same producer epoch. So whenever an end failed, was slow, or the client saw retries, time-outs or disconnects, the
producer is destroyed and made anew under the same transactional id, which fences what is still on its way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from confluent_kafka import KafkaException, Producer, TopicPartition

from offerflow.runtime import metrics
from offerflow.runtime.errors import Disturbed
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.client import base_config, translate
from offerflow.runtime.settings import Settings

CALL_TIMEOUT_S = 10.0
SLOW_END_S = 1.0

_CONFIG = {
    "enable.idempotence": True,
    "acks": "all",
    "partitioner": "murmur2_random",
    "compression.type": "lz4",
    "linger.ms": 0,
    "batch.size": 1_000_000,
    # librdkafka counts before compression, the broker after: what came in compressed must fit into a dead letter.
    "message.max.bytes": 1_000_000_000,
    "queue.buffering.max.messages": 1_000_000,
    "queue.buffering.max.kbytes": 2_000_000,
    "transaction.timeout.ms": 10_000,
    "message.timeout.ms": 10_000,
    "statistics.interval.ms": 1000,
}


class Output(msgspec.Struct, gc=False):
    """One record to write. ``headers`` in order, or None; ``partition`` -1 leaves the choice to the key's hash."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]] | None = None
    partition: int = -1


class TransactionalProducer:
    """One producer under a stable ``transactional_id``. Construction fences whoever had the id before."""

    def __init__(self, settings: Settings, transactional_id: str, stage: str) -> None:
        self._settings = settings
        self._id = transactional_id
        self._stage = stage
        self._commit_seconds = metrics.commit_seconds.labels(stage)
        self._trouble = 0
        self._trouble_at_start: int | None = None
        self._producer: Producer | None = None
        self.committed_at = 0.0
        """When the last transaction ended, by the monotonic clock."""

    def open(self) -> None:
        """Make the producer anew and settle any transaction left open under its id. Raises KafkaDown to retry."""
        self.drop()
        config = {
            **_CONFIG,
            **base_config(self._settings, self._settings.worker or self._stage),
            "transactional.id": self._id,
            "stats_cb": self._count_trouble,
        }
        self._trouble, self._trouble_at_start = 0, None
        try:
            producer = Producer(config)
            producer.init_transactions(CALL_TIMEOUT_S)
        except KafkaException as error:
            raise translate(error, f"opening transactions as {self._id}", self._settings) from None
        self._producer = producer

    def settle(self) -> None:
        """Make the producer anew if it was dropped, so that its last transaction is ended before anybody claims."""
        if self._producer is None:
            self.open()

    def tend(self) -> None:
        """Between transactions: make the producer anew if its connections broke meanwhile. After a broker's restart
        the first call of an old producer was seen to hang for half a minute. Raises KafkaDown if that fails."""
        if self._producer is not None:
            self._producer.poll(0)
            if self._trouble:
                self.open()

    def drop(self) -> None:
        """Forget the producer and whatever it had under way; ``open`` settles what the broker knows of it."""
        if self._producer is not None:
            metrics.producer_recreations.labels(self._stage).inc()
            self._producer.purge(blocking=False)
            self._producer.poll(0)
        self._producer = None

    def publish(
        self, outputs: Iterable[Output], offsets: Mapping[Place, tuple[int, str]], group_metadata: Any | None
    ) -> None:
        """Write ``outputs`` and commit ``offsets`` (offset, metadata) for the group, all in one transaction.

        Raises Disturbed when it did not happen or may not have happened: the caller must claim again. Fenced if a
        newer process has the id. ``offsets`` may be empty; then ``group_metadata`` is not needed.
        """
        if offsets and group_metadata is None:
            raise Disturbed("the group is being rebalanced; nothing can be committed")
        self.settle()
        producer = self._producer
        assert producer is not None  # noqa: S101 - opened above
        try:
            producer.begin_transaction()
            for output in outputs:
                self._produce(producer, output)
            if offsets:
                parts = [TopicPartition(t, p, offset, metadata) for (t, p), (offset, metadata) in offsets.items()]
                producer.send_offsets_to_transaction(parts, group_metadata, CALL_TIMEOUT_S)
            started = time.monotonic()
            producer.commit_transaction(CALL_TIMEOUT_S)
        except KafkaException as error:
            self.drop()
            raised = translate(error, f"publishing as {self._id}", self._settings)
            raise (raised if isinstance(raised, Disturbed) else Disturbed(str(raised))) from None
        self.committed_at = time.monotonic()
        seconds = self.committed_at - started
        self._commit_seconds.observe(seconds)
        producer.poll(0)
        if seconds > SLOW_END_S or self._trouble:
            self.open()

    def close(self) -> None:
        """Let go of the producer at the end of the program; nothing is under way then."""
        self._producer = None

    def _produce(self, producer: Producer, output: Output) -> None:
        while True:
            try:
                if output.headers is None:
                    producer.produce(output.topic, output.value, output.key, output.partition)
                else:
                    producer.produce(output.topic, output.value, output.key, output.partition, headers=output.headers)
            except BufferError:
                # The local queue is full: let the client's thread send some of it.
                producer.poll(0.1)
            else:
                return

    def _count_trouble(self, statistics: str) -> None:
        brokers = json.loads(statistics)["brokers"].values()
        total = sum(b["txretries"] + b["req_timeouts"] + b["disconnects"] for b in brokers)
        # What finding the brokers cost at the start is no trouble.
        if self._trouble_at_start is None:
            self._trouble_at_start = total
        self._trouble = total - self._trouble_at_start

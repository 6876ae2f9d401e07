"""``confluent_kafka.Producer`` in memory, idempotent: records, reports of their delivery, statistics and log."""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from confluent_kafka import KafkaError, Message, murmur2

from tests.doubles.kafka.client import Client
from tests.doubles.kafka.log import Headers, Place, Transaction
from tests.doubles.kafka.transactions import RETRY

if TYPE_CHECKING:
    from tests.doubles.kafka.cluster import Cluster

SILENT_S = 30.0
"""librdkafka does not log the same failure of the same broker again within this time; its statistics count it."""
Delivered = Callable[[KafkaError | None, Message | None], None]


class Waiting(NamedTuple):
    """A record that was taken and not sent yet."""

    place: Place
    key: bytes | None
    value: bytes | None
    headers: Headers | None
    told: Delivered | None


class Producer(Client):
    def __init__(self, cluster: Cluster, config: Mapping[str, Any]) -> None:
        super().__init__(cluster, config)
        self.retries = 0
        self.timeouts = 0
        self._stats = config.get("stats_cb")
        self._logger = config.get("logger")
        self._logs: deque[tuple[str, str]] = deque()
        self._complained = -SILENT_S
        self._stats_s = float(config.get("statistics.interval.ms", 0)) / 1000
        self._next_stats = cluster.now() + self._stats_s
        self._queue: deque[Waiting] = deque()
        self._reports: deque[Callable[[], None]] = deque()
        self._keyless = 0
        self._chosen: dict[tuple[bytes, int], int] = {}

    def produce(
        self, topic: str, value: str | bytes | None = None, key: str | bytes | None = None, partition: int = -1,
        on_delivery: Delivered | None = None, timestamp: int = 0,
        headers: Sequence[tuple[str, str | bytes | None]] | Mapping[str, str | bytes | None] | None = None,
        callback: Delivered | None = None,
    ) -> None:  # fmt: skip
        self._call("produce")
        key = key.encode() if isinstance(key, str) else key
        value = value.encode() if isinstance(value, str) else value
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        encoded: Headers = [(name, given.encode() if isinstance(given, str) else given) for name, given in pairs]
        if partition < 0:
            partition = self._partition(topic, key)
        self._queue.append(Waiting((topic, partition), key, value, encoded or None, on_delivery or callback))
        self._send()

    def poll(self, timeout: float = -1) -> int:
        self._call("poll")
        if not self._reports and timeout > 0:
            self._wait(lambda: self._send() and bool(self._reports), timeout)
        return self._serve()

    def flush(self, timeout: float = -1) -> int:
        self._call("flush")
        self._wait(self._drained, timeout)
        self._serve()
        return len(self._queue)

    def purge(self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True) -> None:
        while self._queue:
            self._failed(self._queue.popleft(), KafkaError(KafkaError._PURGE_QUEUE))

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        self._call("list_topics")
        return self.cluster.AdminClient({}).list_topics(topic, timeout)

    def __len__(self) -> int:
        return len(self._queue) + len(self._reports)

    def _send(self) -> bool:
        """Send what waits, as far as the broker takes it now; whether nothing is left."""
        while self._queue and self._may_send:
            waiting = self._queue[0]
            partition = self.cluster.partition(waiting.place)
            owner = self._owner(waiting.place) if partition is not None else None
            if owner == RETRY:
                return False
            self._queue.popleft()
            if partition is None:
                there = waiting.place[0] in self.cluster.topics
                self._refused(waiting, KafkaError._UNKNOWN_PARTITION if there else KafkaError._UNKNOWN_TOPIC)
            elif isinstance(owner, int):
                self._refused(waiting, owner)
            else:
                message = partition.append(waiting.key, waiting.value, waiting.headers, self.cluster.wall(), owner)
                if waiting.told is not None:
                    self._reports.append(partial(waiting.told, None, message))
        return not self._queue

    @property
    def _may_send(self) -> bool:
        return self.cluster.up

    def _drained(self) -> bool:
        """Whether there is nothing to wait for."""
        return self._send()

    def _owner(self, place: Place) -> Transaction | int | None:
        """The transaction that a record for ``place`` belongs to, or the code of the broker's refusal."""
        return None

    def _refused(self, waiting: Waiting, code: int) -> None:
        self._failed(waiting, KafkaError(code))

    def _failed(self, waiting: Waiting, error: KafkaError) -> None:
        if waiting.told is not None:
            topic, partition = waiting.place
            message = Message(topic=topic, partition=partition, key=waiting.key, value=waiting.value, error=error)
            self._reports.append(partial(waiting.told, error, message))

    def disconnected(self) -> None:
        super().disconnected()
        now = self.cluster.now()
        if now - self._complained < SILENT_S:
            return
        self._complained = now
        self._logs.append(("FAIL", "127.0.0.1:9092/1: Disconnected: connection reset (after 1000ms in state UP)"))

    def _timed_out(self) -> None:
        self.timeouts += 1
        self._logs.append(("REQTMOUT", "127.0.0.1:9092/1: Timed out 1 in-flight, 0 retry-queued, 0 out-queue requests"))

    def _partition(self, topic: str, key: bytes | None) -> int:
        found = self.cluster.topics.get(topic)
        if found is None:
            return 0
        count = len(found.partitions)
        if key is None:
            self._keyless += 1
            return self._keyless % count
        chosen = self._chosen.get((key, count))
        if chosen is None:
            chosen = self._chosen[key, count] = murmur2(key, count)
        return chosen

    def _serve(self) -> int:
        """Call back: the client's log, statistics when they are due, then reports of delivery."""
        served = len(self._reports)
        while self._logs:
            facility, text = self._logs.popleft()
            if self._logger is not None:
                self._logger.log(logging.ERROR, "%s [%s] %s", facility, self.name, text)
        if self._stats is not None and self._stats_s and self.cluster.now() >= self._next_stats:
            self._next_stats = self.cluster.now() + self._stats_s
            broker = {"txretries": self.retries, "req_timeouts": self.timeouts, "disconnects": self.disconnects}
            self._stats(json.dumps({"brokers": {"1": broker}}))
        while self._reports:
            self._reports.popleft()()
        return served

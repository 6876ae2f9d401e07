"""One suite of contracts, two worlds: the same test body talks to the double or to a real broker.

A world makes clients and names that nobody else has, and does what no client can: expel a member, send the end of a
transaction a second time.
"""

from __future__ import annotations

import json
import struct
import uuid
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from tests import waiting
from tests.doubles.kafka import Cluster
from tests.doubles.kafka_wire import Coordinator

T = TypeVar("T")
Seen = list[tuple[int, bytes | None]]
"""Offset and value of records."""
_TIMEOUT = 15.0
_METADATA = b"CGMDv2:"
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "Producer": {"partitioner": "murmur2_random", "linger.ms": 0},
    "Consumer": {
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 30_000,
        "heartbeat.interval.ms": 200,
        "fetch.wait.max.ms": 10,
        "fetch.queue.backoff.ms": 5,
    },
    "AdminClient": {},
}


class World(Protocol):
    def make(self, kind: str, config: Mapping[str, Any]) -> Any:
        """A client: ``kind`` is the name of its class."""

    def until(self, look: Callable[[], T], what: str) -> T: ...
    def close(self) -> None: ...

    def expel(self, group: str, client_id: str) -> None:
        """Make the broker forget a member that knows nothing of it."""

    def end_again(self, producer: Any, commit: bool) -> int:
        """Send the end of a transaction as ``producer`` would, behind its back; the code of the answer."""

    def offset_again(self, producer: Any, group: Any, place: tuple[str, int], offset: int) -> int:
        """Send an offset into the open transaction as ``producer`` would, behind its back, for the member that
        ``group`` is the metadata of; the code of the answer."""


class Double:
    """The cluster in memory; its time passes while somebody waits."""

    def __init__(self) -> None:
        self.cluster = Cluster()

    def make(self, kind: str, config: Mapping[str, Any]) -> Any:
        return getattr(self.cluster, kind)(config)

    def until(self, look: Callable[[], T], what: str) -> T:
        for _ in range(1000):
            found = look()
            if found:
                return found
            self.cluster.pause(0.05)
            self.cluster.turn()
        raise AssertionError(f"waited for {what}; last: {found!r}")

    def expel(self, group: str, client_id: str) -> None:
        self.cluster.expel(group, client_id)

    def end_again(self, producer: Any, commit: bool) -> int:
        return self.cluster.transactional(producer.transactional_id).end(producer.epoch, commit)

    def offset_again(self, producer: Any, group: Any, place: tuple[str, int], offset: int) -> int:
        return int(producer.arriving(producer.epoch, group, {place: (offset, "")}))

    def close(self) -> None:
        pass


class Real:
    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._consumers: list[Any] = []
        self._told: dict[int, tuple[str, dict[str, Any]]] = {}

    def make(self, kind: str, config: Mapping[str, Any]) -> Any:
        given = {"bootstrap.servers": self._bootstrap, "log_level": 0, **config}
        if kind == "AdminClient":
            return AdminClient(given)
        if kind == "Consumer":
            consumer = Consumer(given)
            self._consumers.append(consumer)
            return consumer
        told: dict[str, Any] = {}
        statistics = given.get("stats_cb")

        def hear(text: str) -> None:
            told.update(json.loads(text).get("eos", {}))
            if statistics is not None:
                statistics(text)

        producer = Producer({"statistics.interval.ms": 100, **given, "stats_cb": hear})
        self._told[id(producer)] = str(config.get("transactional.id", "")), told
        return producer

    def until(self, look: Callable[[], T], what: str) -> T:
        return waiting.until(look, what)

    def expel(self, group: str, client_id: str) -> None:
        admin = AdminClient({"bootstrap.servers": self._bootstrap})
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            found = admin.list_groups(group, timeout=_TIMEOUT)
        [member] = [member.id for one in found for member in one.members if member.client_id == client_id]
        with Coordinator.of_group(self._bootstrap, group) as coordinator:
            coordinator.leave(group, str(member))

    def end_again(self, producer: Any, commit: bool) -> int:
        transactional_id, number, epoch = self._identity(producer)
        with Coordinator.of_transactions(self._bootstrap, transactional_id) as coordinator:
            return coordinator.end(transactional_id, number, epoch, commit)

    def offset_again(self, producer: Any, group: Any, place: tuple[str, int], offset: int) -> int:
        # As librdkafka packs it: a magic word, the generation, then texts that end with a zero.
        (generation,) = struct.unpack_from("<i", group, len(_METADATA))
        name, member, *_ = (text.decode() for text in group[len(_METADATA) + 4 :].split(b"\0"))
        with Coordinator.of_group(self._bootstrap, name) as coordinator:
            return coordinator.offsets(*self._identity(producer), name, generation, member, place, offset)

    def _identity(self, producer: Any) -> tuple[str, int, int]:
        """Transactional id, and the number and epoch that the broker gave."""
        transactional_id, told = self._told[id(producer)]

        def known() -> bool:
            producer.poll(0)
            return bool(told.get("producer_id", -1) >= 0)

        self.until(known, "the statistics to tell the producer's id")
        return transactional_id, told["producer_id"], told["producer_epoch"]

    def close(self) -> None:
        for consumer in self._consumers:
            consumer.close()


class Kafka:
    """What the tests use: a world with the little that all of them need."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.until = world.until
        self.admin = world.make("AdminClient", {})
        self.topics: list[str] = []

    def name(self, what: str) -> str:
        return f"{what}-{uuid.uuid4().hex[:10]}"

    def topic(self, partitions: int = 1) -> str:
        name = self.name("contract")
        new = NewTopic(
            name, partitions, replication_factor=1, config={"message.timestamp.type": "LogAppendTime"}
        )  # fmt: skip
        for future in self.admin.create_topics([new]).values():
            future.result(_TIMEOUT)
        self.topics.append(name)
        self.until(lambda: self._known(name), f"{name} to be known")
        return name

    def _known(self, name: str) -> bool:
        found = self.admin.list_topics(name, timeout=_TIMEOUT).topics[name]
        return found.error is None and all(part.error is None for part in found.partitions.values())

    def producer(self, transactional_id: str | None = None, **config: Any) -> Any:
        """Ready to begin if it has a transactional id. Names with _ for the points and dashes of librdkafka's."""
        own = {"transactional.id": transactional_id} if transactional_id else {}
        made = self.world.make("Producer", {**_DEFAULTS["Producer"], **own, **_dotted(config)})
        if transactional_id:
            made.init_transactions(_TIMEOUT)
        return made

    def consumer(self, group: str | None = None, **config: Any) -> Any:
        own = {"group.id": group or self.name("group")}
        return self.world.make("Consumer", {**_DEFAULTS["Consumer"], **own, **_dotted(config)})

    def write(self, producer: Any, topic: str, *values: bytes, partition: int = 0) -> None:
        for value in values:
            producer.produce(topic, value, partition=partition)
        assert producer.flush(_TIMEOUT) == 0

    def transact(self, producer: Any, topic: str, *values: bytes, commit: bool = True) -> None:
        producer.begin_transaction()
        self.write(producer, topic, *values)
        if commit:
            producer.commit_transaction(_TIMEOUT)
        else:
            producer.abort_transaction(_TIMEOUT)

    def commit(
        self, producer: Any, group: Any, offsets: Mapping[tuple[str, int], int], metadata: str = ""
    ) -> None:  # fmt: skip
        """Offsets in a transaction of their own. ``group``: metadata of a consumer."""
        producer.begin_transaction()
        self.send(producer, group, offsets, metadata)
        producer.commit_transaction(_TIMEOUT)

    def send(self, producer: Any, group: Any, offsets: Mapping[tuple[str, int], int], metadata: str = "") -> None:
        parts = [TopicPartition(*place, offset, metadata) for place, offset in offsets.items()]
        producer.send_offsets_to_transaction(parts, group, _TIMEOUT)

    def read(self, topic: str, isolation: str = "read_committed", partition: int = 0) -> tuple[Seen, int]:
        """The records of a partition from its start to the end that is told, and where that end is."""
        consumer = self.consumer(isolation_level=isolation)
        consumer.assign([TopicPartition(topic, partition, 0)])
        messages, end = self.to_end(consumer)
        consumer.close()
        return messages, end

    def to_end(self, consumer: Any) -> tuple[Seen, int]:
        """What a consumer of one partition gives up to the next end that it tells."""
        found: Seen = []
        ends: list[int] = []

        def look() -> bool:
            for message in consumer.consume(100, 0.05):
                if message.error() is None:
                    found.append((message.offset(), message.value()))
                else:
                    assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                    ends.append(message.offset())
            return bool(ends)

        self.until(look, "the end of the partition")
        return found, ends[-1]

    def messages(self, consumer: Any, count: int) -> list[Message]:
        """So many records, ends left out."""
        found: list[Message] = []

        def look() -> bool:
            found.extend(message for message in consumer.consume(count - len(found), 0.05) if message.error() is None)
            return len(found) >= count

        self.until(look, f"{count} records")
        return found

    def close(self) -> None:
        self.world.close()
        if self.topics:
            for future in self.admin.delete_topics(self.topics).values():
                future.result(_TIMEOUT)


def _dotted(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {"stats_cb", "error_cb"}
    return {name if name in kept else name.replace("_", "."): value for name, value in config.items()}

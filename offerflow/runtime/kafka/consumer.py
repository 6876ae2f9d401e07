"""A member of a stage's consumer group: reads batches, tells of end positions and of partitions gained and lost.

Positions are set by the claim alone, and nothing that matters is committed from here. Dynamic membership with
cooperative-sticky assignment: static members were seen to leave partitions unowned for good after a death in
mid-rebalance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from offerflow.runtime import outside, steps
from offerflow.runtime.errors import Disturbed, Refused
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.client import base_config, translate
from offerflow.runtime.kafka.headers import mend_headers
from offerflow.runtime.logs import get_logger
from offerflow.runtime.settings import Settings
from offerflow.runtime.steps import Step

RECEIVED_BYTES = 1_000_000_000
"""The client's own 100 MB bound what it inflates: it was seen to give up at a record of 57 MB, and to stay there."""


class Record(Protocol):
    """What is used of a raw record. Every call is cheap; ``key`` and ``value`` are bytes or None."""

    def topic(self) -> str: ...
    def partition(self) -> int: ...
    def offset(self) -> int: ...
    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def headers(self) -> list[tuple[str, bytes | None]] | None: ...
    def timestamp(self) -> tuple[int, int]: ...


@dataclass(slots=True)
class Batch:
    """Records by partition in log order, and the end position of partitions that were read to their end."""

    records: dict[Place, list[Record]] = field(default_factory=dict)
    ends: dict[Place, int] = field(default_factory=dict)


class Membership(Protocol):
    """Told of changes from within ``read``. ``assigned`` answers with the position to read each partition from."""

    def assigned(self, places: list[Place]) -> Mapping[Place, int]: ...
    def revoked(self, places: list[Place]) -> None: ...
    def lost(self, places: list[Place]) -> None: ...


_CONFIG = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "partition.assignment.strategy": "cooperative-sticky",
    "enable.partition.eof": True,
    "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 1500,
    "max.poll.interval.ms": 12000,
    # A broker that neither answers nor closes is given up for another; the client's own minute would outlast everybody.
    "socket.timeout.ms": 6000,
    "fetch.queue.backoff.ms": 5,
    "fetch.wait.max.ms": 10,
    "fetch.message.max.bytes": 512 * 1024,
    "queued.min.messages": 5_000,
    "queued.max.messages.kbytes": 8 * 1024,
    "receive.message.max.bytes": RECEIVED_BYTES,
    "check.crcs": True,
}


_PASSING = frozenset({
    KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._TIMED_OUT,
    KafkaError._MAX_POLL_EXCEEDED, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.NOT_COORDINATOR,
})  # fmt: skip
"""What the client mends by itself, or tells us again as lost partitions."""


class GroupConsumer:
    """One member of ``group``. ``group_metadata`` is that of the last rebalance told to ``membership``, or None
    while there is none that may commit."""

    def __init__(self, settings: Settings, group: str, client_id: str, membership: Membership) -> None:
        self._settings = settings
        self._membership = membership
        self._failure: Exception | None = None
        self._moved: set[Place] = set()
        self._paused = False
        self._held: set[Place] = set()
        self._member: str | None = None
        self.group_metadata: Any | None = None
        self._consumer = outside.Consumer({**_CONFIG, **base_config(settings, client_id), "group.id": group})

    def subscribe(self, topics: Iterable[str]) -> None:
        self._consumer.subscribe(list(topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def read(self, max_records: int, wait_s: float, gather_s: float, not_before: float = 0.0) -> Batch:
        """Wait for a first record up to ``wait_s``, then take what comes within ``gather_s`` and until ``not_before``
        (of the monotonic clock), at most ``max_records``. Raises what a callback of the membership raised, or the
        translated error of the client."""
        batch = Batch()
        try:
            messages = self._consumer.consume(1, wait_s)
            self._moved.clear()
            if messages and max_records > 1:
                gather = max(gather_s, not_before - outside.monotonic())
                more = self._consumer.consume(max_records - 1, gather)
                # Within one call the client drops what a rebalance made stale; between two calls it is up to us.
                messages = [m for m in messages if (m.topic(), m.partition()) not in self._moved] + more
        except KafkaException as error:
            raise translate(error, "reading", self._settings) from None
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        for message in messages:
            self._sort(message, batch)
        return batch

    def _sort(self, message: Message, batch: Batch) -> None:
        error = message.error()
        place = (str(message.topic()), int(message.partition() or 0))
        if error is None:
            mend_headers(message)
            record = cast(Record, message)
            records = batch.records.get(place)
            if records is None:
                batch.records[place] = [record]
            else:
                records.append(record)
        elif error.code() == KafkaError._PARTITION_EOF:
            batch.ends[place] = int(message.offset() or 0)
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise Refused(
                "offset_outside",
                f"{place[0]}/{place[1]} cannot be read from where its claim stands ({error.str()}): the log was"
                " truncated or retention overtook the stage",
            )
        elif error.fatal() or not (error.retriable() or error.code() in _PASSING):
            raise translate(error, f"reading {place[0]}", self._settings)

    def behind(self, positions: Mapping[Place, int]) -> dict[Place, int]:
        """Offsets between each position and the end of its partition as last told by the broker; asks nobody."""
        found = {}
        for place, position in positions.items():
            _, high = self._consumer.get_watermark_offsets(TopicPartition(*place), cached=True)
            found[place] = max(0, high - position) if high >= 0 else 0
        return found

    def seek(self, positions: Mapping[Place, int]) -> None:
        """Read these partitions again from other positions; what was fetched ahead is dropped."""
        if not positions:
            return
        parts = [TopicPartition(topic, partition) for topic, partition in positions]
        try:
            self._consumer.incremental_unassign(parts)
            self._consumer.incremental_assign(
                [TopicPartition(topic, partition, offset) for (topic, partition), offset in positions.items()]
            )
            if self._paused:
                self._consumer.resume(parts)
                self._paused = False
        except KafkaException as error:
            raise translate(error, "moving to another position", self._settings) from None

    def pause(self, places: Iterable[Place]) -> None:
        """Fetch nothing more of these partitions; membership goes on. It ends when ``seek`` is told of all of them."""
        try:
            self._consumer.pause([TopicPartition(*place) for place in places])
            self._paused = True
        except KafkaException as error:
            raise translate(error, "pausing", self._settings) from None

    def commit(self, positions: Mapping[Place, int]) -> None:
        """Show how far we are, for whoever looks at the group's lag. Nothing depends on it: it is not waited for, and
        where a stage that keeps its position elsewhere stands, this does not say."""
        try:
            parts = [TopicPartition(*place, position) for place, position in positions.items()]
            if parts:
                self._consumer.commit(offsets=parts, asynchronous=True)
        except KafkaException as error:
            raise translate(error, "showing the position", self._settings) from None

    def leave(self) -> None:
        """Leave the group so that others take over at once. No callback runs after this."""
        self.group_metadata = None
        try:
            self._consumer.close()
        except KafkaException as error:
            # The group notices by itself; and whatever made us leave must not be forgotten over this.
            get_logger().warning("left without a word to the group", why=str(error))

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        def claim() -> None:
            self._recognise(consumer.memberid())
            positions = self._membership.assigned(self._places(partitions))
            consumer.incremental_assign(
                [TopicPartition(topic, partition, offset) for (topic, partition), offset in positions.items()]
            )
            # Every rebalance bumps the generation, for partitions that stay as well. A client that was thrown out while
            # its callback waited forgets who it was, and the broker takes offsets from nobody without asking.
            known = self._member and consumer.memberid() == self._member
            self.group_metadata = consumer.consumer_group_metadata() if known else None
            self._held |= positions.keys()
            steps.reached(Step.ASSIGNED)

        self._guard(claim)

    def _recognise(self, member: str | None) -> None:
        """Raises Disturbed where the group took us back as somebody new without telling us that we lost anything:
        others may have worked meanwhile on what we hold."""
        if self._held and member != self._member:
            self.group_metadata = None
            raise Disturbed("the group threw this worker out and took it back as a new member; claiming from the start")
        self._member = member

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # The old generation goes on to serve the partitions that stay, until the rebalance is over.
        places = self._places(partitions)
        self._held -= set(places)
        self._guard(lambda: self._membership.revoked(places))
        steps.reached(Step.REVOKED)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self.group_metadata = None
        places = self._places(partitions)
        self._held -= set(places)
        self._guard(lambda: self._membership.lost(places))

    def _places(self, partitions: list[TopicPartition]) -> list[Place]:
        places = [(tp.topic, tp.partition) for tp in partitions]
        self._moved.update(places)
        return places

    def _guard(self, action: Callable[[], None]) -> None:
        # An exception inside a callback would surface as a bare client error: keep it for ``read`` to raise.
        try:
            action()
        except KafkaException as error:
            self._failure = translate(error, "taking part in a rebalance", self._settings)
        except Exception as error:
            self._failure = error

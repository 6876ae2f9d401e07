"""``confluent_kafka.Consumer`` in memory: fetching, positions, ends of partitions, and the callbacks of its group."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    OFFSET_INVALID,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from tests.doubles.kafka.client import Client, failure
from tests.doubles.kafka.groups import GroupMetadata
from tests.doubles.kafka.log import Partition, Place
from tests.doubles.kafka.membership import NEVER, Change, Membership

if TYPE_CHECKING:
    from tests.doubles.kafka.cluster import Cluster

Callback = Callable[["Consumer", list[TopicPartition]], None]


class _Cursor:
    """Where the reading of one partition stands. ``told``: the end that was told already."""

    __slots__ = ("failed", "high", "partition", "paused", "position", "told")

    def __init__(self, partition: Partition | None, position: int) -> None:
        self.partition = partition
        self.position = position
        self.told = -1
        self.high = OFFSET_INVALID
        self.paused = False
        self.failed = False


class Consumer(Client):
    def __init__(self, cluster: Cluster, config: Mapping[str, Any]) -> None:
        if "group.id" not in config:
            raise failure(KafkaError._INVALID_ARG, "group.id must be set")
        super().__init__(cluster, config)
        self._committed_only = config.get("isolation.level", "read_committed") == "read_committed"
        self._tell_ends = bool(config.get("enable.partition.eof", False))
        self._reset = str(config.get("auto.offset.reset", "latest"))
        self._membership = Membership(self, cluster.group(str(config["group.id"])))
        self._callbacks: dict[Change, Callback] = {}
        self._cursors: dict[Place, _Cursor] = {}
        self._assigned_in_callback = False
        self._errors: deque[Message] = deque()
        self._closed = False

    # -- reading ------------------------------------------------------------------------------------------------------

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Message]:
        """Waits the whole ``timeout`` unless ``num_messages`` come, as librdkafka does."""
        self._open("consume")
        membership = self._membership
        membership.polled = NEVER  # while it is in here it polls, however long a callback takes
        try:
            return self._consume(num_messages, timeout)
        finally:
            membership.polled = self.cluster.now()

    def _consume(self, num_messages: int, timeout: float) -> list[Message]:
        cluster = self.cluster
        until = cluster.now() + (timeout if timeout >= 0 else 1e9)
        limit = num_messages if cluster.cut is None else max(1, min(num_messages, cluster.cut(num_messages)))
        found: list[Message] = []
        membership = self._membership
        while True:
            if membership.changes:
                self._serve(found)
            while self._errors and len(found) < limit:
                found.append(self._errors.popleft())
            if cluster.up:
                self._fetch(found, limit)
            if len(found) >= limit:
                return found
            left = until - cluster.now()
            if left <= 0:
                return found
            self._pause(left)

    def poll(self, timeout: float = -1) -> Message | None:
        for message in self.consume(1, timeout):
            return message
        return None

    def _fetch(self, found: list[Message], limit: int) -> None:
        for place in list(self._cursors):
            cursor = self._cursors[place]
            if cursor.paused or cursor.failed:
                continue
            partition = cursor.partition
            if partition is None or self.cluster.partition(place) is not partition:
                self._meet(place, cursor)
                continue
            end = partition.stable if self._committed_only else partition.end
            cursor.high = partition.end
            if not partition.start <= cursor.position <= partition.end:
                self._outside(place, cursor)
                continue
            if cursor.position < end:
                if len(found) >= limit:
                    continue
                records, cursor.position = partition.read(cursor.position, limit - len(found), self._committed_only)
                found += records
            if (
                self._tell_ends and cursor.position >= end and cursor.told != cursor.position and len(found) < limit
            ):  # fmt: skip
                cursor.told = cursor.position
                error = KafkaError(KafkaError._PARTITION_EOF)
                found.append(
                    Message(topic=place[0], partition=place[1], offset=cursor.position, error=error)
                )  # fmt: skip
        # Partitions take turns at being first.
        if found and len(self._cursors) > 1:
            first = next(iter(self._cursors))
            self._cursors[first] = self._cursors.pop(first)

    def _meet(self, place: Place, cursor: _Cursor) -> None:
        """The partition is there for the first time, or its topic was made anew."""
        cursor.partition = self.cluster.partition(place)
        if cursor.partition is None:
            cursor.failed = True
            code = KafkaError.UNKNOWN_TOPIC_OR_PART
            self._errors.append(Message(topic=place[0], partition=place[1], error=KafkaError(code)))

    def _outside(self, place: Place, cursor: _Cursor) -> None:
        """The position lies before the start or behind the end of the log."""
        assert cursor.partition is not None
        if self._reset in ("earliest", "smallest", "beginning"):
            cursor.position = cursor.partition.start
        elif self._reset == "error":
            cursor.failed = True
            error = KafkaError(KafkaError._AUTO_OFFSET_RESET, "Broker: Offset out of range")
            self._errors.append(Message(topic=place[0], partition=place[1], offset=cursor.position, error=error))
        else:
            cursor.position = cursor.partition.end

    def fail(self, error: KafkaError) -> None:
        """To be told by the next ``consume``."""
        self._errors.append(Message(error=error))

    # -- what is read -------------------------------------------------------------------------------------------------

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self._open("assign")
        self._cursors.clear()
        self._take(partitions)

    def incremental_assign(self, partitions: Iterable[TopicPartition]) -> None:
        self._open("incremental_assign")
        self._assigned_in_callback = True
        wanted = list(partitions)
        for tp in wanted:
            if (tp.topic, tp.partition) in self._cursors:
                raise failure(KafkaError._CONFLICT, f"{tp.topic} [{tp.partition}] can't be assigned twice")
        self._take(wanted)

    def incremental_unassign(self, partitions: Iterable[TopicPartition]) -> None:
        self._open("incremental_unassign")
        self._assigned_in_callback = True
        wanted = [(tp.topic, tp.partition) for tp in partitions]
        for place in wanted:
            if place not in self._cursors:
                raise failure(KafkaError._INVALID_ARG, f"{place[0]} [{place[1]}] can't be unassigned: not assigned")
        self._drop(wanted)

    def assignment(self) -> list[TopicPartition]:
        self._open("assignment")
        return [TopicPartition(*place) for place in self._cursors]

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._set_paused(partitions, True)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._set_paused(partitions, False)

    def _set_paused(self, partitions: Iterable[TopicPartition], paused: bool) -> None:
        self._open("pause" if paused else "resume")
        for tp in partitions:
            cursor = self._cursors.get((tp.topic, tp.partition))
            if cursor is not None:
                cursor.paused = paused

    def _take(self, partitions: Iterable[TopicPartition]) -> None:
        for tp in partitions:
            place = (tp.topic, tp.partition)
            partition = self.cluster.partition(place)
            self._cursors[place] = _Cursor(partition, self._position(place, partition, tp.offset))

    def _position(self, place: Place, partition: Partition | None, offset: int) -> int:
        if offset >= 0:
            return offset
        kept = self._membership.group.offsets.get(place)
        if offset not in (OFFSET_BEGINNING, OFFSET_END) and kept is not None:
            return kept.offset
        if partition is None:
            return 0
        if offset == OFFSET_BEGINNING or (offset != OFFSET_END and self._reset == "earliest"):
            return partition.start
        if offset == OFFSET_END or self._reset == "latest":
            return partition.stable if self._committed_only else partition.end
        return -1  # there is none: the first fetch says so

    def _drop(self, places: Iterable[Place]) -> None:
        for place in places:
            self._cursors.pop(place, None)
            stale = [message for message in self._errors if (message.topic(), message.partition()) == place]
            for message in stale:
                self._errors.remove(message)

    # -- the group ----------------------------------------------------------------------------------------------------

    def subscribe(
        self, topics: Iterable[str], on_assign: Callback | None = None, on_revoke: Callback | None = None,
        on_lost: Callback | None = None,
    ) -> None:  # fmt: skip
        self._open("subscribe")
        given = {Change.ASSIGN: on_assign, Change.REVOKE: on_revoke, Change.LOST: on_lost or on_revoke}
        self._callbacks = {**self._callbacks, **{change: told for change, told in given.items() if told is not None}}
        self._membership.subscribe(frozenset(topics))

    def consumer_group_metadata(self) -> GroupMetadata:
        self._open("consumer_group_metadata")
        return self._membership.metadata

    def memberid(self) -> str:
        return self._membership.member

    def close(self) -> None:
        """Leaves the group. Partitions still held are revoked first."""
        self._open("close")
        membership = self._membership
        membership.changes.clear()
        if membership.owned:
            membership.changes.append((Change.REVOKE, sorted(membership.owned), False))
            self._serve([])
        self._closed = True
        membership.leave()
        self._cursors.clear()

    def _serve(self, found: list[Message]) -> None:
        """Call back. What was read of partitions that go is dropped from ``found``, as librdkafka does in one call."""
        membership = self._membership
        while membership.changes:
            change, places, rejoin = membership.changes.popleft()
            membership.serving = True
            if change is Change.ASSIGN:
                membership.owned.update(places)
            else:
                membership.owned.difference_update(places)
                gone = set(places)
                found[:] = [message for message in found if (message.topic(), message.partition()) not in gone]
            told = self._callbacks.get(change)
            self._assigned_in_callback = False
            try:
                if told is not None:
                    told(self, [TopicPartition(*place) for place in places])
            finally:
                if not self.dead and not self._assigned_in_callback:
                    if change is Change.ASSIGN:
                        self._take(TopicPartition(*place) for place in places if place not in self._cursors)
                    else:
                        self._drop(places)
                if not self.dead:
                    membership.served(rejoin)

    def thaw(self) -> None:
        super().thaw()
        self._membership.thaw()

    # -- questions ----------------------------------------------------------------------------------------------------

    def committed(self, partitions: Iterable[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        """A read_committed consumer waits until no open transaction holds an offset of these partitions."""
        self._open("committed")
        wanted = [(tp.topic, tp.partition) for tp in partitions]
        group = self._membership.group

        def stable() -> bool:
            return not (group.pending and self._committed_only and any(group.unstable(place) for place in wanted))

        if not self._wait(stable, timeout):
            raise failure(KafkaError._TIMED_OUT, "Failed to get committed offsets: Local: Timed out")
        found = []
        for place in wanted:
            kept = group.offsets.get(place)
            if kept is None:
                found.append(TopicPartition(*place, OFFSET_INVALID))
            else:
                found.append(TopicPartition(*place, kept.offset, kept.metadata))
        return found

    def commit(
        self, message: Message | None = None, offsets: Iterable[TopicPartition] | None = None, asynchronous: bool = True
    ) -> list[TopicPartition] | None:
        self._open("commit")
        wanted = list(offsets or ())
        if message is not None:
            place = (str(message.topic()), int(message.partition() or 0))
            wanted = [TopicPartition(*place, int(message.offset() or 0) + 1)]
        group, who = self._membership.group, self._membership.metadata
        answers: list[int] = []

        def ask() -> bool:
            answers.append(group.may_commit(who, transactional=False))
            if not answers[-1]:
                group.store({(tp.topic, tp.partition): (tp.offset, tp.metadata or "") for tp in wanted})
            return True

        if asynchronous:
            if self.cluster.up:
                ask()
            return None
        if not self._wait(ask, 60.0):
            raise failure(KafkaError._TRANSPORT, "Commit failed: Local: Broker transport failure", retriable=True)
        if answers[-1]:
            raise KafkaException(KafkaError(answers[-1]))
        return wanted

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = -1, cached: bool = False
    ) -> tuple[int, int]:
        self._open("get_watermark_offsets")
        place = (partition.topic, partition.partition)
        if cached:
            cursor = self._cursors.get(place)
            return (OFFSET_INVALID, cursor.high if cursor is not None else OFFSET_INVALID)
        if not self._wait(lambda: True, timeout):
            raise failure(KafkaError._TIMED_OUT, "Failed to get watermark offsets: Local: Timed out")
        found = self.cluster.partition(place)
        if found is None:
            raise failure(KafkaError._UNKNOWN_PARTITION)
        return found.start, found.stable if self._committed_only else found.end

    def offsets_for_times(self, partitions: Iterable[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        self._open("offsets_for_times")
        if not self._wait(lambda: True, timeout):
            raise failure(KafkaError._TIMED_OUT, "Failed to get offsets: Local: Timed out")
        answers = []
        for tp in partitions:
            found = self.cluster.partition((tp.topic, tp.partition))
            answers.append(TopicPartition(tp.topic, tp.partition, found.offset_at(tp.offset) if found else OFFSET_END))
        return answers

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        self._open("list_topics")
        return self.cluster.AdminClient({}).list_topics(topic, timeout)

    def _open(self, name: str) -> None:
        if self._closed:
            raise RuntimeError("Consumer closed")
        self._call(name)

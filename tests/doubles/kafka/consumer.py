"""``confluent_kafka.Consumer`` in memory: reading, the callbacks of its group, and questions about offsets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_END, OFFSET_INVALID, KafkaError, KafkaException, Message, TopicPartition

from tests.doubles.kafka.client import Client, failure
from tests.doubles.kafka.cursors import Cursors
from tests.doubles.kafka.groups import GroupMetadata
from tests.doubles.kafka.membership import NEVER, Change, Membership

if TYPE_CHECKING:
    from tests.doubles.kafka.cluster import Cluster

Callback = Callable[["Consumer", list[TopicPartition]], None]


class Consumer(Client):
    def __init__(self, cluster: Cluster, config: Mapping[str, Any]) -> None:
        if "group.id" not in config:
            raise failure(KafkaError._INVALID_ARG, "group.id must be set")
        super().__init__(cluster, config)
        self._committed_only = config.get("isolation.level", "read_committed") == "read_committed"
        self._group = cluster.group(str(config["group.id"]))
        self._membership = Membership(self, self._group)
        self._callbacks: dict[Change, Callback] = {}
        self._assigned_in_callback = False
        self._cursors = Cursors(
            cluster, self._group, committed_only=self._committed_only,
            tell_ends=bool(config.get("enable.partition.eof", False)),
            reset=str(config.get("auto.offset.reset", "latest")),
        )  # fmt: skip
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
            self._cursors.fetch(found, limit)
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

    def disconnected(self) -> None:
        super().disconnected()
        self.fail(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))

    def fail(self, error: KafkaError) -> None:
        """To be told by the next ``consume``."""
        self._cursors.fail(error)

    # -- what is read -------------------------------------------------------------------------------------------------

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self._open("assign")
        self._cursors.drop(list(self._cursors))
        self._cursors.take(partitions)

    def incremental_assign(self, partitions: Iterable[TopicPartition]) -> None:
        self._open("incremental_assign")
        self._assigned_in_callback = True
        wanted = list(partitions)
        for tp in wanted:
            if (tp.topic, tp.partition) in self._cursors:
                raise failure(KafkaError._CONFLICT, f"{tp.topic} [{tp.partition}] can't be assigned twice")
        self._cursors.take(wanted)

    def incremental_unassign(self, partitions: Iterable[TopicPartition]) -> None:
        self._open("incremental_unassign")
        self._assigned_in_callback = True
        wanted = [(tp.topic, tp.partition) for tp in partitions]
        for place in wanted:
            if place not in self._cursors:
                raise failure(KafkaError._INVALID_ARG, f"{place[0]} [{place[1]}] can't be unassigned: not assigned")
        self._cursors.drop(wanted)

    def assignment(self) -> list[TopicPartition]:
        self._open("assignment")
        return [TopicPartition(*place) for place in self._cursors]

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        self._open("pause")
        self._cursors.pause(partitions, True)

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        self._open("resume")
        self._cursors.pause(partitions, False)

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
        self._cursors.drop(list(self._cursors))

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
                        self._cursors.take(TopicPartition(*place) for place in places if place not in self._cursors)
                    else:
                        self._cursors.drop(places)
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
        group = self._group

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
        group, who = self._group, self._membership.metadata
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
            return OFFSET_INVALID, self._cursors.high(place)
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

"""What a consumer reads: the partitions it has, where it stands in each, and what to tell of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, OFFSET_INVALID, KafkaError, Message, TopicPartition

from tests.doubles.kafka.log import Partition, Place

if TYPE_CHECKING:
    from tests.doubles.kafka.cluster import Cluster
    from tests.doubles.kafka.groups import Group


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


class Cursors:
    """``reset``: "earliest", "latest" or "error", for a position that the log does not have."""

    def __init__(self, cluster: Cluster, group: Group, *, committed_only: bool, tell_ends: bool, reset: str) -> None:
        self._cluster = cluster
        self._group = group
        self._committed_only = committed_only
        self._tell_ends = tell_ends
        self._reset = reset
        self._cursors: dict[Place, _Cursor] = {}
        self._errors: deque[Message] = deque()
        self._known = cluster.changes

    def __contains__(self, place: Place) -> bool:
        return place in self._cursors

    def __iter__(self) -> Iterator[Place]:
        return iter(self._cursors)

    def take(self, partitions: Iterable[TopicPartition]) -> None:
        for tp in partitions:
            place = (tp.topic, tp.partition)
            partition = self._cluster.partition(place)
            self._cursors[place] = _Cursor(partition, self._position(place, partition, tp.offset))

    def drop(self, places: Iterable[Place]) -> None:
        gone = set(places)
        for place in gone:
            self._cursors.pop(place, None)
        self._errors = deque(error for error in self._errors if (error.topic(), error.partition()) not in gone)

    def pause(self, partitions: Iterable[TopicPartition], paused: bool) -> None:
        for tp in partitions:
            cursor = self._cursors.get((tp.topic, tp.partition))
            if cursor is not None:
                cursor.paused = paused

    def high(self, place: Place) -> int:
        """The high watermark as told by the last fetch."""
        return self._cursors[place].high if place in self._cursors else OFFSET_INVALID

    def fail(self, error: KafkaError) -> None:
        """An error that concerns no partition, to be told next."""
        self._errors.append(Message(error=error))

    def fetch(self, found: list[Message], limit: int) -> None:
        """Add errors, records and ends to ``found``, up to ``limit``."""
        while self._errors and len(found) < limit:
            found.append(self._errors.popleft())
        if not self._cluster.up:
            return
        if self._known != self._cluster.changes:
            self._meet_again()
        for place, cursor in self._cursors.items():
            if not cursor.paused and not cursor.failed:
                self._read(place, cursor, found, limit)
        if found and len(self._cursors) > 1:  # partitions take turns at being first
            first = next(iter(self._cursors))
            self._cursors[first] = self._cursors.pop(first)

    def _read(self, place: Place, cursor: _Cursor, found: list[Message], limit: int) -> None:
        partition = cursor.partition
        if partition is None:
            self._fail(place, cursor, KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
            return
        high = cursor.high = partition.end
        end = partition.stable if self._committed_only else high
        if not partition.start <= cursor.position <= high:
            if self._reset == "error":
                self._fail(place, cursor, KafkaError(KafkaError._AUTO_OFFSET_RESET, "Broker: Offset out of range"))
            else:
                cursor.position = partition.start if self._reset == "earliest" else end
            return
        if cursor.position < end and len(found) < limit:
            records, cursor.position = partition.read(cursor.position, limit - len(found), self._committed_only)
            found += records
        if self._tell_ends and cursor.told != cursor.position and cursor.position >= end and len(found) < limit:
            cursor.told = cursor.position
            error = KafkaError(KafkaError._PARTITION_EOF)
            found.append(Message(topic=place[0], partition=place[1], offset=cursor.position, error=error))

    def _fail(self, place: Place, cursor: _Cursor, error: KafkaError) -> None:
        """Tell of it once; nothing more is read there until the partition is assigned anew."""
        cursor.failed = True
        self._errors.append(Message(topic=place[0], partition=place[1], offset=cursor.position, error=error))

    def _meet_again(self) -> None:
        """Topics were made or deleted: a partition may be another of the same name now. Of one that is gone nothing
        more is heard."""
        self._known = self._cluster.changes
        for place, cursor in self._cursors.items():
            partition = self._cluster.partition(place)
            if partition is not None and partition is not cursor.partition:
                cursor.partition, cursor.failed = partition, False

    def _position(self, place: Place, partition: Partition | None, offset: int) -> int:
        """Where to begin if ``offset`` is none: at the committed one, else as ``reset`` says."""
        if offset >= 0:
            return offset
        kept = self._group.offsets.get(place)
        if offset not in (OFFSET_BEGINNING, OFFSET_END) and kept is not None:
            return kept.offset
        if partition is None:
            return 0
        if offset == OFFSET_BEGINNING or (offset != OFFSET_END and self._reset == "earliest"):
            return partition.start
        if offset == OFFSET_END or self._reset == "latest":
            return partition.stable if self._committed_only else partition.end
        return -1  # there is none: the first fetch says so

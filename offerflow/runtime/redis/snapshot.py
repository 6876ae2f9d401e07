"""Reads all that Redis keeps of a partition beside running workers: each part atomically with the position it is at.

A worker moves ``next`` in the script that writes the states, so every part is exactly the fold of the journal up to the
position it was read with; another part may be further.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

from offerflow.runtime.redis.store import BUCKETS, Meta, StateStore

_META = ("next", "dirty", "fold", "layout", "topic_id", "cluster_id", "group", "partitions", "applied")


@dataclass(frozen=True, slots=True)
class Part:
    """The states of one bucket."""

    number: int
    next: int
    dirty: bytes | None
    states: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Beside:
    """What a partition keeps beside the states."""

    meta: Meta
    timers: dict[str, int]
    opened: set[str]


class SnapshotReader(StateStore):
    """Looks and never writes."""

    def server(self) -> tuple[str | None, int]:
        """Which run of which server this is, if it tells, and the number of the database there."""
        said: Any = self._call(lambda: self._redis.info("server"))
        return said.get("run_id"), int(self._redis.get_connection_kwargs().get("db") or 0)

    def is_replica(self) -> bool:
        said: Any = self._call(lambda: self._redis.info("replication"))
        return said.get("role") in ("slave", "replica")

    def bucket(self, partition: int, number: int) -> Part:
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hmget(self._key(partition), ("next", "dirty"))
        pipeline.hgetall(self._bucket(partition, number))
        answers: Any = self._call(pipeline.execute)
        (position, dirty), states = answers
        return Part(number, int(position or 0), dirty, {_text(entity): state for entity, state in states.items()})

    def beside(self, partition: int) -> Beside:
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hmget(self._key(partition), _META)
        pipeline.zrange(self._timers(partition), 0, -1, withscores=True)
        pipeline.zrange(self._opened(partition), 0, -1)
        answers: Any = self._call(pipeline.execute)
        meta, timers, opened = answers
        text = [None if value is None else _text(value) for value in meta[3:]]
        return Beside(
            Meta(int(meta[0] or 0), meta[1], meta[2], *text),
            {_text(entity): int(at) for entity, at in timers},
            {_text(entity) for entity in opened},
        )


def bucket_of(entity: str) -> int:
    """The number of the bucket that an entity's state lies in."""
    return zlib.crc32(entity.encode()) % BUCKETS


def _text(name: bytes) -> str:
    """Names that are no text are nothing of ours, and are to be told all the same."""
    return name.decode(errors="backslashreplace")

"""States of entities in Redis, per journal partition: load and apply, each one atomic script per partition.

Layout: ``{of:<topic>:<partition>}:meta`` (hash: next, dirty, batch, fold, topic_id, cluster_id, group) and
``{of:<topic>:<partition>}:st:<0..63>`` (hashes: entity -> packed state). Redis may lag the log, never lead it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from offerflow.runtime.errors import RedisDown
from offerflow.runtime.redis import scripts
from offerflow.runtime.settings import Settings

T = TypeVar("T")
BUCKETS = 64
CHUNK = 3500
"""Entities per bucket and call: Lua unpacks fewer than 8,000 arguments, and a state takes two."""

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Meta:
    """What a partition says of itself. ``next`` is the first offset not folded in, 0 for an empty Redis."""

    next: int
    dirty: bytes | None
    fold: bytes | None
    topic_id: str | None
    cluster_id: str | None
    group: str | None


@dataclass(slots=True)
class Loaded:
    """One atomic read: the position, and the packed state of each entity asked for (None: new)."""

    next: int
    dirty: bytes | None
    fold: bytes | None
    states: dict[str, bytes | None]


@dataclass(slots=True)
class Apply:
    """One partition's batch: move ``next`` from ``start`` to ``to`` with these states. ``token`` names the batch, so
    that trying again after an unclear answer is safe."""

    partition: int
    start: int
    to: int
    token: str
    meta: dict[str, str | bytes]
    states: Mapping[str, bytes] = field(default_factory=dict)


class _ScriptsForgotten(Exception):
    pass


class StateStore:
    """The partitions of one journal in one Redis. Calls raise RedisDown when it does not answer or cannot write;
    then nothing is known, and trying again is safe."""

    def __init__(self, settings: Settings) -> None:
        self._where = settings.redis.url.rpartition("@")[2]
        self._topic = settings.topic("journal")
        self._redis = redis.Redis.from_url(
            settings.redis.url,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._scripts = {hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(): text
                         for text in (scripts.LOAD, scripts.APPLY, scripts.DROP)}  # fmt: skip
        self._load, self._apply, self._drop = self._scripts

    def ping(self) -> None:
        self._call(self._redis.ping)

    def meta(self, partition: int) -> Meta:
        """One atomic read of the meta hash."""
        names = ("next", "dirty", "fold", "topic_id", "cluster_id", "group")
        answer: Any = self._call(lambda: self._redis.hmget(self._key(partition), names))
        text = [None if value is None else value.decode() for value in answer[3:]]
        return Meta(int(answer[0] or 0), answer[1], answer[2], *text)

    def positions(self, partitions: Iterable[int]) -> dict[int, int]:
        """``next`` of each partition, in one round trip."""
        wanted = list(partitions)
        pipeline = self._redis.pipeline(transaction=False)
        for partition in wanted:
            pipeline.hget(self._key(partition), "next")
        answers = self._call(pipeline.execute)
        return {partition: int(answer or 0) for partition, answer in zip(wanted, answers, strict=True)}

    def load(self, asked: Mapping[int, Sequence[str]]) -> dict[int, Loaded]:
        """Position and states of the entities of each partition; one round trip over all of them."""
        pipeline = self._redis.pipeline(transaction=False)
        order: dict[int, list[str]] = {}
        for partition, entities in asked.items():
            keys, args, order[partition] = self._grouped(partition, dict.fromkeys(entities))
            pipeline.evalsha(self._load, len(keys), *keys, *args)
        answers = self._run(pipeline)
        loaded = {}
        for (partition, entities), answer in zip(order.items(), answers, strict=True):
            states = dict(zip(entities, answer[3:], strict=True))
            loaded[partition] = Loaded(int(answer[0] or 0), answer[1], answer[2], states)
        return loaded

    def apply(self, batches: Sequence[Apply]) -> dict[int, str]:
        """Apply each partition's batch; answers as in scripts.APPLY. One round trip over all partitions."""
        pipeline = self._redis.pipeline(transaction=False)
        for batch in batches:
            keys, states, _ = self._grouped(batch.partition, batch.states)
            meta = [part for item in batch.meta.items() for part in item]
            args = (batch.start, batch.to, batch.token, len(meta), *meta, *states)
            pipeline.evalsha(self._apply, len(keys), *keys, *args)
        answers = self._run(pipeline)
        return {batch.partition: answer.decode() for batch, answer in zip(batches, answers, strict=True)}

    def drop(self, partition: int, token: bytes) -> bool:
        """Drop a partition whose last apply died half-way, if it is still the one that ``token`` marks."""
        keys = [self._key(partition), *(self._bucket(partition, n) for n in range(BUCKETS))]
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.evalsha(self._drop, len(keys), *keys, token)
        return bool(self._run(pipeline)[0])

    def states(self, partition: int) -> dict[str, bytes]:
        """Every state of a partition, for comparing; not atomic, so for a partition at rest."""
        found: dict[str, bytes] = {}
        for n in range(BUCKETS):
            bucket: Any = self._call(lambda n=n: self._redis.hgetall(self._bucket(partition, n)))  # type: ignore[misc]
            found.update({entity.decode(): state for entity, state in bucket.items()})
        return found

    def close(self) -> None:
        self._redis.close()

    def _key(self, partition: int) -> str:
        return f"{{of:{self._topic}:{partition}}}:meta"

    def _bucket(self, partition: int, n: int) -> str:
        return f"{{of:{self._topic}:{partition}}}:st:{n}"

    def _grouped(
        self, partition: int, states: Mapping[str, bytes | None]
    ) -> tuple[list[str], list[str | int | bytes], list[str]]:
        """KEYS and the per-bucket part of ARGV, and the entities in the order they stand there."""
        buckets: dict[int, list[str]] = {}
        for entity in states:
            buckets.setdefault(zlib.crc32(entity.encode()) % BUCKETS, []).append(entity)
        keys, args, order = [self._key(partition)], [], []  # type: list[str], list[str | int | bytes], list[str]
        for n, entities in buckets.items():
            for at in range(0, len(entities), CHUNK):
                chunk = entities[at : at + CHUNK]
                keys.append(self._bucket(partition, n))
                order += chunk
                parts: list[str | int | bytes] = []
                for entity in chunk:
                    parts.append(entity)
                    if (state := states[entity]) is not None:
                        parts.append(state)
                args += [len(parts), *parts]
        return keys, args, order

    def _run(self, pipeline: Pipeline) -> list[Any]:
        """Execute a pipeline of scripts. A Redis that was restarted has forgotten them: teach it and run again,
        which is safe since a load changes nothing and an apply knows its own token."""
        commands = list(pipeline.command_stack)
        try:
            return self._call(pipeline.execute)
        except _ScriptsForgotten:
            for text in self._scripts.values():
                self._call(lambda text=text: self._redis.script_load(text))  # type: ignore[misc]
            pipeline.reset()
            for command, options in commands:
                pipeline.execute_command(*command, **options)  # type: ignore[no-untyped-call]
            return self._call(pipeline.execute)

    def _call(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except redis.exceptions.NoScriptError:
            raise _ScriptsForgotten from None
        except redis.exceptions.RedisError as error:
            raise RedisDown(
                f"Redis at {self._where} does not do its work ({error}); is it running, is the address right?"
            ) from None

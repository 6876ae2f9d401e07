"""States of entities in Redis, per journal partition: load and apply, each one atomic script per partition.

Layout, all under ``{of:<topic>:<partition>}``: ``:meta`` (hash: next, dirty, batch, applied, fold, and of what the
states are: layout, topic_id, cluster_id, group, partitions), ``:st:<0..63>`` (hashes: entity -> packed state), ``:tm``
(sorted set: entity by the T from which its first timer fires) and ``:open`` (sorted set without scores: entities in an
offer). Redis may lag the log, never lead it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from offerflow.runtime import outside
from offerflow.runtime.addresses import public_address
from offerflow.runtime.errors import ConfigError
from offerflow.runtime.redis import scripts
from offerflow.runtime.redis.faults import fault
from offerflow.runtime.settings import Settings

T = TypeVar("T")
BUCKETS = 64
CHUNK = 3500
"""Entities per bucket and call: Lua unpacks fewer than 8,000 arguments, and a state takes two."""

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Meta:
    """What a partition says of itself. ``next`` is the first offset not folded in, 0 for an empty Redis; ``layout``
    that of the packed states, ``partitions`` the number that the journal had; ``applied``: when ``next`` last moved, in
    ms since 1970 by the clock of whoever moved it, which is after all was published that lies below."""

    next: int
    dirty: bytes | None
    fold: bytes | None
    layout: str | None
    topic_id: str | None
    cluster_id: str | None
    group: str | None
    partitions: str | None = None
    applied: str | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a batch with ticks looks beyond its own entities: at most ``timers`` of those that fire by ``until``,
    and at most ``swept`` entities that are in an offer and come after ``cursor``."""

    until: int
    timers: int
    cursor: str = ""
    swept: int = 0


@dataclass(slots=True)
class Loaded:
    """One atomic read: the position, and the packed state of each entity asked for (None: new). With a Reach also
    ``due``, entities by (fire_at, entity), and ``open``, entities in order; their states are among ``states``."""

    next: int
    dirty: bytes | None
    fold: bytes | None
    layout: str | None
    states: dict[str, bytes | None]
    due: list[tuple[int, str]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Apply:
    """One partition's batch: move ``next`` from ``start`` to ``to`` with these states. ``token`` names the batch, so
    that trying again after an unclear answer is safe. ``timers``: entity to the T from which its first timer fires,
    None where it has none any more; ``opened``: whether an entity is in an offer now. Both only where that changed."""

    partition: int
    start: int
    to: int
    token: str
    meta: dict[str, str | bytes]
    states: Mapping[str, bytes] = field(default_factory=dict)
    timers: Mapping[str, int | None] = field(default_factory=dict)
    opened: Mapping[str, bool] = field(default_factory=dict)


def applied_now() -> str:
    """What ``applied`` is when ``next`` is moved at this moment."""
    return str(int(outside.wall() * 1000))


class _ScriptsForgotten(Exception):
    pass


class StateStore:
    """The partitions of one journal in one Redis. Calls raise RedisDown when it does not answer or cannot write;
    then it may have done what was asked or not, and trying again is safe."""

    def __init__(self, settings: Settings, timeout_s: float = TIMEOUT_S) -> None:
        self._where = public_address(settings.redis.url)
        self._topic = settings.topic("journal")
        self._redis = _client(settings.redis.url, timeout_s)
        self._scripts = {hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(): text
                         for text in (scripts.LOAD, scripts.LOAD_DUE, scripts.APPLY, scripts.DROP)}  # fmt: skip
        self._load, self._load_due, self._apply, self._drop = self._scripts

    def ping(self) -> None:
        """Whether Redis takes writes: asks for one that writes nothing, a change of what is not there."""
        self._call(lambda: self._redis.zadd(self._timers(0), {"": 0}, xx=True))

    def memory(self) -> tuple[int, int]:
        """What Redis uses and its maxmemory, in bytes; 0 for one without."""
        said: Any = self._call(lambda: self._redis.info("memory"))
        return int(said.get("used_memory", 0)), int(said.get("maxmemory", 0))

    def meta(self, partition: int) -> Meta:
        """One atomic read of the meta hash."""
        names = ("next", "dirty", "fold", "layout", "topic_id", "cluster_id", "group", "partitions",
                 "applied")  # fmt: skip
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

    def load(self, asked: Mapping[int, Sequence[str]], reaches: Mapping[int, Reach] | None = None) -> dict[int, Loaded]:
        """Position and states of the entities of each partition, and what its Reach asks for; one round trip over all
        of them."""
        pipeline = self._redis.pipeline(transaction=False)
        order: dict[int, list[str]] = {}
        reaches = reaches or {}
        for partition, entities in asked.items():
            parts = list(_bucketed(dict.fromkeys(entities)))
            order[partition] = [entity for _, chunk in parts for entity in chunk]
            reach = reaches.get(partition)
            if reach is None:
                keys = [self._key(partition), *(self._bucket(partition, n) for n, _ in parts)]
                args = [one for _, chunk in parts for one in (str(len(chunk)), *chunk)]
                pipeline.evalsha(self._load, len(keys), *keys, *args)
            else:
                keys = self._keys(partition)
                start = f"({reach.cursor}" if reach.cursor else "-"
                args = [one for n, chunk in parts for one in (str(n), str(len(chunk)), *chunk)]
                pipeline.evalsha(self._load_due, len(keys), *keys, reach.until, reach.timers, start, reach.swept, *args)
        answers = self._run(pipeline)
        return {
            partition: _loaded(entities, answer, due=partition in reaches)
            for (partition, entities), answer in zip(order.items(), answers, strict=True)
        }

    def apply(self, batches: Sequence[Apply]) -> dict[int, str]:
        """Apply each partition's batch; answers as in scripts.APPLY. One round trip over all partitions."""
        pipeline = self._redis.pipeline(transaction=False)
        now = applied_now()
        for batch in batches:
            writes = list(self._writes(batch))
            keys = [self._key(batch.partition), *(key for key, _, _ in writes)]
            meta = [part for item in batch.meta.items() for part in item] + ["applied", now]
            args = [one for _, command, values in writes for one in (command, len(values), *values)]
            start = (batch.start, batch.to, batch.token, len(meta), *meta)
            pipeline.evalsha(self._apply, len(keys), *keys, *start, *args)
        answers = self._run(pipeline)
        return {batch.partition: answer.decode() for batch, answer in zip(batches, answers, strict=True)}

    def drop(self, partition: int, token: bytes) -> bool:
        """Drop a partition whose last apply died half-way, if it is still the one that ``token`` marks."""
        return self._dropped(partition, "dirty", token)

    def drop_layout(self, partition: int, layout: str | None) -> bool:
        """Drop a partition whose states are packed in this layout, if they still are."""
        return self._dropped(partition, "layout", (layout or "").encode())

    def drop_remains(self, partition: int) -> bool:
        """Drop what is left of a partition that has no position, if it still has none: states without one are of
        nobody knows when, and folding from the beginning over them would count everything twice."""
        return self._dropped(partition, "next", b"")

    def _dropped(self, partition: int, name: str, value: bytes) -> bool:
        keys = self._keys(partition)
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.evalsha(self._drop, len(keys), *keys, name, value)
        return bool(self._run(pipeline)[0])

    def states(self, partition: int) -> dict[str, bytes]:
        """Every state of a partition, for comparing; not atomic, so for a partition at rest."""
        found: dict[str, bytes] = {}
        for n in range(BUCKETS):
            bucket: Any = self._call(lambda n=n: self._redis.hgetall(self._bucket(partition, n)))  # type: ignore[misc]
            found.update({entity.decode(): state for entity, state in bucket.items()})
        return found

    def timers(self, partition: int) -> dict[str, int]:
        """The T from which the first timer of each entity fires that has one, for comparing."""
        found: Any = self._call(lambda: self._redis.zrange(self._timers(partition), 0, -1, withscores=True))
        return {entity.decode(): int(fire_at) for entity, fire_at in found}

    def opened(self, partition: int) -> set[str]:
        """The entities of a partition that are in an offer, for comparing."""
        found: Any = self._call(lambda: self._redis.zrange(self._opened(partition), 0, -1))
        return {entity.decode() for entity in found}

    def first_timers(self, partitions: Iterable[int]) -> dict[int, tuple[int | None, int]]:
        """The T from which the first timer of each partition fires, if there is any, and how many entities have one;
        one round trip."""
        wanted = list(partitions)
        pipeline = self._redis.pipeline(transaction=False)
        for partition in wanted:
            pipeline.zrange(self._timers(partition), 0, 0, withscores=True)
            pipeline.zcard(self._timers(partition))
        answers = self._call(pipeline.execute)
        return {
            partition: (int(first[0][1]) if first else None, int(count))
            for partition, first, count in zip(wanted, answers[::2], answers[1::2], strict=True)
        }

    def close(self) -> None:
        self._redis.close()

    def _key(self, partition: int) -> str:
        return f"{{of:{self._topic}:{partition}}}:meta"

    def _bucket(self, partition: int, n: int) -> str:
        return f"{{of:{self._topic}:{partition}}}:st:{n}"

    def _timers(self, partition: int) -> str:
        return f"{{of:{self._topic}:{partition}}}:tm"

    def _opened(self, partition: int) -> str:
        return f"{{of:{self._topic}:{partition}}}:open"

    def _keys(self, partition: int) -> list[str]:
        """Everything a partition has, in the order that scripts expect."""
        buckets = [self._bucket(partition, n) for n in range(BUCKETS)]
        return [self._key(partition), self._timers(partition), self._opened(partition), *buckets]

    def _writes(self, batch: Apply) -> Iterator[tuple[str, str, list[str | int | bytes]]]:
        """Key, command and arguments of each write."""
        for n, entities in _bucketed(batch.states):
            pairs = [part for entity in entities for part in (entity, batch.states[entity])]
            yield self._bucket(batch.partition, n), "HSET", list(pairs)
        timers, opened = self._timers(batch.partition), self._opened(batch.partition)
        firing = [(at, entity) for entity, at in batch.timers.items() if at is not None]
        for key, items in (timers, firing), (opened, [(0, entity) for entity, now in batch.opened.items() if now]):
            for at in range(0, len(items), CHUNK):
                yield key, "ZADD", [part for item in items[at : at + CHUNK] for part in item]
        silent: list[str | int | bytes] = [entity for entity, at in batch.timers.items() if at is None]
        outside: list[str | int | bytes] = [entity for entity, now in batch.opened.items() if not now]
        for key, gone in (timers, silent), (opened, outside):
            for at in range(0, len(gone), CHUNK):
                yield key, "ZREM", gone[at : at + CHUNK]

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
            raise fault(error, self._where) from None


def _client(url: str, timeout_s: float) -> redis.Redis:
    """Raises ConfigError for options in the URL that there are none of: the client would meet most of them later."""
    try:
        client = redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        client.connection_pool.connection_class(**client.connection_pool.connection_kwargs)
    except (TypeError, ValueError):
        # What they say repeats pieces of the URL.
        raise ConfigError(
            f"the URL of the Redis at {public_address(url)} has options that cannot be: expected those of redis-py"
            " behind its `?`, such as db=0 or health_check_interval=30"
        ) from None
    return client


def _bucketed(entities: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The entities by the number of their bucket, no more than CHUNK at once."""
    buckets: dict[int, list[str]] = {}
    for entity in entities:
        buckets.setdefault(zlib.crc32(entity.encode()) % BUCKETS, []).append(entity)
    for n, found in buckets.items():
        for at in range(0, len(found), CHUNK):
            yield n, found[at : at + CHUNK]


def _loaded(entities: Sequence[str], answer: list[Any], *, due: bool) -> Loaded:
    """What LOAD, or LOAD_DUE, answered about these entities."""
    layout = None if answer[3] is None else answer[3].decode()
    loaded = Loaded(int(answer[0] or 0), answer[1], answer[2], layout, {})
    at = 4
    if due:
        timers = answer[5 : 5 + 3 * answer[4]]
        loaded.due = [(int(float(t)), name.decode()) for name, t in zip(timers[::3], timers[1::3], strict=True)]
        loaded.states |= zip((entity for _, entity in loaded.due), timers[2::3], strict=True)
        at = 5 + len(timers)
        opened = answer[at + 1 : at + 1 + 2 * answer[at]]
        loaded.open = [name.decode() for name in opened[::2]]
        loaded.states |= zip(loaded.open, opened[1::2], strict=True)
        at += 1 + len(opened)
    loaded.states |= zip(entities, answer[at:], strict=True)
    return loaded

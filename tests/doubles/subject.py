"""A store to hold to the contract, and ways to break what is behind it: once for the double, once for a real Redis."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import redis

from offerflow.runtime.redis.store import BUCKETS, StateStore
from offerflow.runtime.settings import RedisSettings, Settings
from tests.doubles.store import RedisDouble, StoreDouble

Store = StateStore | StoreDouble


class Subject(Protocol):
    """``store`` and ``rival`` are two clients of one Redis."""

    store: Store
    rival: Store

    def break_next(self, partition: int, entity: str) -> None:
        """Have the next apply die after all writes before that of ``entity``, the last of its batch."""

    def mend(self, partition: int, entity: str) -> None: ...
    def empty(self, partition: int) -> None: ...
    def forget_meta(self, partition: int) -> None: ...
    def remember(self) -> None: ...
    def go_back(self) -> None:
        """Lose every write since ``remember``, as a fail-over to a replica does that lags."""

    def full(self) -> AbstractContextManager[None]:
        """While it takes no writes for want of memory."""

    def close(self) -> None: ...


class DoubleSubject:
    def __init__(self) -> None:
        self.redis = RedisDouble()
        self._written = 0
        self.store: Store = StoreDouble(self.redis)
        self.rival: Store = StoreDouble(self.redis)

    def break_next(self, partition: int, entity: str) -> None:
        self.redis.die_half_way(partition, after=1)

    def mend(self, partition: int, entity: str) -> None:
        pass

    def empty(self, partition: int) -> None:
        self.redis.empty(partition)

    def forget_meta(self, partition: int) -> None:
        self.redis.forget(partition, "meta")

    def remember(self) -> None:
        self._written = self.redis.written

    def go_back(self) -> None:
        self.redis.fail_over(self.redis.written - self._written)

    @contextmanager
    def full(self) -> Iterator[None]:
        self.redis.refuse("full", calls=1000)
        yield
        self.redis.well()

    def close(self) -> None:
        pass


class RealSubject:
    """A real Redis, under a topic prefix that nobody else has."""

    def __init__(self, url: str) -> None:
        settings = Settings(redis=RedisSettings(url=url), topic_prefix=f"c{uuid.uuid4().hex[:10]}.")
        self._keys = f"{{of:{settings.topic('journal')}:"
        self._raw = redis.Redis.from_url(url)
        self._remembered: dict[bytes, Any] = {}
        self.store: Store = StateStore(settings)
        self.rival: Store = StateStore(settings)

    def break_next(self, partition: int, entity: str) -> None:
        # No hash, so that the write of the script which touches it fails.
        self._raw.rename(self._bucket(partition, entity), f"{self._keys}{partition}}}:aside")
        self._raw.set(self._bucket(partition, entity), "no hash")

    def mend(self, partition: int, entity: str) -> None:
        self._raw.rename(f"{self._keys}{partition}}}:aside", self._bucket(partition, entity))

    def empty(self, partition: int) -> None:
        self._remove(f"{self._keys}{partition}}}*")

    def forget_meta(self, partition: int) -> None:
        self._raw.delete(f"{self._keys}{partition}}}:meta")

    def remember(self) -> None:
        self._remembered = {key: self._raw.dump(key) for key in self._mine(f"{self._keys}*")}

    def go_back(self) -> None:
        self._remove(f"{self._keys}*")
        for key, dumped in self._remembered.items():
            self._raw.restore(key, 0, dumped)

    @contextmanager
    def full(self) -> Iterator[None]:
        before: Any = self._raw.config_get("maxmemory*")
        self._raw.config_set("maxmemory-policy", "noeviction")
        self._raw.config_set("maxmemory", 1)
        try:
            yield
        finally:
            for name in ("maxmemory", "maxmemory-policy"):
                self._raw.config_set(name, before[name])

    def close(self) -> None:
        self._remove(f"{self._keys}*")
        self.store.close()
        self.rival.close()
        self._raw.close()

    def _bucket(self, partition: int, entity: str) -> str:
        return f"{self._keys}{partition}}}:st:{zlib.crc32(entity.encode()) % BUCKETS}"

    def _remove(self, pattern: str) -> None:
        mine = self._mine(pattern)
        if mine:
            self._raw.delete(*mine)

    def _mine(self, pattern: str) -> list[bytes]:
        return list(self._raw.scan_iter(pattern, count=1000))

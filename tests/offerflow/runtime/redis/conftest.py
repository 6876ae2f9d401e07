"""A store of a topic prefix of its own in a real Redis."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable, Iterator

import pytest
import redis

from offerflow.runtime.redis.store import BUCKETS, StateStore
from offerflow.runtime.settings import RedisSettings, Settings
from tests.deployment import Services


@pytest.fixture
def settings(stack: Services) -> Settings:
    return Settings(redis=RedisSettings(url=stack.redis), topic_prefix=f"t{uuid.uuid4().hex[:10]}.")


@pytest.fixture
def raw(settings: Settings) -> Iterator[redis.Redis]:
    """A plain client; what the test wrote under its prefix is removed when it ends."""
    client = redis.Redis.from_url(settings.redis.url)
    yield client
    mine = list(client.scan_iter(f"{{of:{settings.topic('journal')}:*", count=1000))
    if mine:
        client.delete(*mine)
    client.close()


@pytest.fixture
def store(settings: Settings, raw: redis.Redis) -> Iterator[StateStore]:
    made = StateStore(settings)
    yield made
    made.close()


@pytest.fixture
def key(settings: Settings) -> Callable[..., str]:
    """The name of a key of a partition: its meta, or the bucket of an entity."""

    def name(partition: int, entity: str | None = None) -> str:
        tail = "meta" if entity is None else f"st:{zlib.crc32(entity.encode()) % BUCKETS}"
        return f"{{of:{settings.topic('journal')}:{partition}}}:{tail}"

    return name

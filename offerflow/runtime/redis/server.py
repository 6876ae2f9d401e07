"""What the Redis server says of itself: for looking at a deployment, never for work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from offerflow.runtime.errors import RedisDown
from offerflow.runtime.redis.store import StateStore
from offerflow.runtime.settings import Settings

LOOK_S = 4.0
"""For a connection, and for an answer: shorter than a worker's, since somebody waits to be told."""


class ServerReader(StateStore):
    """Looks and never writes. Calls raise RedisDown."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, LOOK_S)

    def info(self) -> dict[str, Any]:
        """INFO of all sections, numbers as numbers."""
        said: Any = self._call(lambda: self._redis.info())
        return dict(said)

    def option(self, name: str) -> str | None:
        """A value of its configuration; None where it may not be asked for, as with most hosted ones."""
        try:
            said: Any = self._call(lambda: self._redis.config_get(name))
        except RedisDown as error:
            if error.why == "unreachable":
                raise
            return None
        return None if name not in said else str(said[name])

    def clock(self) -> float:
        """Its time, in seconds since 1970."""
        said: Any = self._call(lambda: self._redis.time())
        return float(said[0]) + float(said[1]) / 1e6

    def cluster(self) -> dict[str, str]:
        """CLUSTER INFO; only of a server that has cluster mode."""
        said: Any = self._call(lambda: self._redis.cluster("INFO"))
        return {str(name): str(value) for name, value in dict(said).items()}

    def sizes(self, partitions: Iterable[int], buckets: int) -> dict[int, int]:
        """How many states lie in the first ``buckets`` buckets of each partition; users are spread evenly over them."""
        wanted = list(partitions)
        pipeline = self._redis.pipeline(transaction=False)
        for partition in wanted:
            for number in range(buckets):
                pipeline.hlen(self._bucket(partition, number))
        answers: list[Any] = self._call(pipeline.execute)
        return {
            partition: sum(map(int, answers[at * buckets : (at + 1) * buckets])) for at, partition in enumerate(wanted)
        }

"""What all three kinds of client share: the cluster they talk to, the process they belong to, errors, waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException

if TYPE_CHECKING:
    from tests.doubles.kafka.cluster import Cluster


class Dead(BaseException):
    """The process this client belongs to was killed: nothing that it still does has an effect."""


def failure(
    code: int, reason: str | None = None, *, fatal: bool = False, retriable: bool = False, abort: bool = False
) -> KafkaException:
    return KafkaException(KafkaError(code, reason, fatal, retriable, abort))


class Client:
    """``config`` as for confluent_kafka; what the double has no use for is ignored."""

    def __init__(self, cluster: Cluster, config: Mapping[str, Any]) -> None:
        self.cluster = cluster
        self.config = dict(config)
        self.name = str(config.get("client.id", "rdkafka"))
        self.dead = False
        self.frozen = False
        self.disconnects = 0
        cluster.adopt(self)

    @property
    def awake(self) -> bool:
        return not (self.dead or self.frozen)

    def die(self) -> None:
        self.dead = True

    def thaw(self) -> None:
        self.frozen = False

    def disconnected(self) -> None:
        self.disconnects += 1

    def _call(self, name: str) -> None:
        """Every call begins here: others may run, the process may die, and what is due happens."""
        cluster = self.cluster
        if cluster.on_call is not None:
            cluster.on_call(name)
        if self.dead:
            raise Dead(self.name)
        cluster.turn()

    def _wait(self, ready: Callable[[], bool], timeout: float | None) -> bool:
        """Whether ``ready`` came true within ``timeout`` seconds (None or below 0: however long it takes)."""
        cluster = self.cluster
        until = cluster.now() + (timeout if timeout is not None and timeout >= 0 else 1e9)
        while True:
            if cluster.up and ready():
                return True
            left = until - cluster.now()
            if left <= 0:
                return False
            self._pause(left)

    def _pause(self, left: float) -> None:
        cluster = self.cluster
        cluster.pause(min(left, max(cluster.agenda.next - cluster.now(), 0.0)) or 0.0001)
        if self.dead:
            raise Dead(self.name)
        cluster.turn()

"""Connections that a process keeps from one partition to the next: finding coordinators takes longer than asking."""

from __future__ import annotations

import time

from console.verify.bounds import CLIENT
from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import Catalog
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import Settings

_PATIENCE_S = 20.0


class Reached:
    """The admin client and the catalog of a deployment."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.admin = Admin(settings, CLIENT)
        self._follower = CatalogFollower(settings, CLIENT)
        self._follower.start()

    def catalog(self) -> Catalog:
        """The catalog as of now: it has all that any journal record names that was written before this call."""
        place = (self.settings.topic("catalog"), 0)
        end = self.admin.ends([place])[place]
        deadline = time.monotonic() + _PATIENCE_S
        while self._follower.catalog.position < end:
            if time.monotonic() > deadline:
                where = self.settings.kafka.bootstrap_servers
                raise KafkaDown(f"Kafka at {where} does not give topic {place[0]} up to {end}; is it running?")
            self._follower.poll()
        return self._follower.catalog

    def close(self) -> None:
        self._follower.close()


_reached: Reached | None = None


def reached(settings: Settings) -> Reached:
    """What this process has open, for these settings."""
    global _reached
    if _reached is None or _reached.settings != settings:
        release()
        _reached = Reached(settings)
    return _reached


def release() -> None:
    """Close what is open."""
    global _reached
    if _reached is not None:
        _reached.close()
        _reached = None

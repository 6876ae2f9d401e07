"""The catalog as the facade serves it: followed all the time, and read to its very end before a "no" is given.

A producer may ask for a schema right after `apply` has returned; an answer from a view that is a moment old would then
be wrong, and clients remember it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from console.web.facade import Facade
from console.web.subjects import Subjects
from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import Catalog
from offerflow.runtime.errors import KafkaDown, OfferflowError
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import Settings
from schemas.registered import registry_of

LOOK_S = 0.02
UP_TO_DATE_WITHIN_S = 3.0


class PlanView:
    """``turn`` takes what is new and may block; ``facade`` is None until the catalog was read once."""

    def __init__(self, settings: Settings, client_id: str, now: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._client_id = client_id
        self._now = now
        self._follower: CatalogFollower | None = None
        self._admin: Admin | None = None
        self._reading = threading.Lock()
        self._asking = threading.Lock()
        self._known_at = float("-inf")
        self.facade: Facade | None = None
        self.position = 0
        self.serial = 0

    def turn(self) -> None:
        """Read the catalog at first, and what was written since at every later call. Raises KafkaDown."""
        with self._reading:
            try:
                if self._follower is None:
                    self._follower = CatalogFollower(self._settings, self._client_id)
                    self._take(self._follower.start(timeout_s=10.0))
                elif self._follower.poll() or self._follower.catalog.position != self.position:
                    self._take(self._follower.catalog)
            except OfferflowError:
                self._drop()
                raise

    def up_to_date(self) -> None:
        """Return once everything is known that was written before this call. Raises KafkaDown if that cannot be told.

        Many may ask at once: those who waited for the answer to a question asked after theirs share it.
        """
        asked_at = self._now()
        with self._asking:
            if self._known_at >= asked_at:
                return
            started = self._now()
            place = (self._settings.topic("catalog"), 0)
            end = self._asked().ends([place])[place]
            while True:
                self.turn()
                if self.position >= end:
                    break
                if self._now() - started > UP_TO_DATE_WITHIN_S:
                    raise KafkaDown(f"the catalog was not read to its end within {UP_TO_DATE_WITHIN_S:g} s")
                time.sleep(LOOK_S)
            self._known_at = started

    def check(self) -> None:
        """Raises KafkaDown when Kafka does not answer: to a reader that waits for news, absence looks like silence."""
        self._asked().ping()

    def close(self) -> None:
        with self._reading:
            self._drop()

    def _asked(self) -> Admin:
        if self._admin is None:
            self._admin = Admin(self._settings, self._client_id)
        return self._admin

    def _take(self, catalog: Catalog) -> None:
        self.position = catalog.position
        raw = {topic for source in catalog.sources.values() for topic in source.topics}
        registry = registry_of(catalog)
        self.facade = Facade(registry, Subjects(registry, self._settings.topic, raw))
        self.serial = catalog.head.serial

    def _drop(self) -> None:
        if self._follower is not None:
            self._follower.close()
            self._follower = None

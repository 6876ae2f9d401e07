"""Keeps the view of the catalog current, and the program's health with it."""

from __future__ import annotations

import time

from console.web.plan_view import PlanView
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.health import Health

CHECK_S = 5.0


class Following:
    """Ready once the catalog was read, and as long as Kafka answers. What was read before an outage is served on."""

    def __init__(self, view: PlanView, health: Health) -> None:
        self._view = view
        self._health = health
        self._checked = float("-inf")

    def turn(self) -> None:
        self._health.turned()
        try:
            self._view.turn()
            if time.monotonic() - self._checked > CHECK_S:
                self._view.check()
                self._checked = time.monotonic()
        except OfferflowError as error:
            self._health.not_ready(str(error))
            raise
        self._health.ready(serial=self._view.serial)

    def close(self) -> None:
        self._view.close()

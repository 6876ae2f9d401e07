"""What every worker does around its work: logs, health, signals, and trying again when a service is away."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from offerflow.runtime import metrics
from offerflow.runtime.errors import DependencyDown, Disturbed, Fenced, OfferflowError, Refused, TryAgain
from offerflow.runtime.health import Health, HealthServer
from offerflow.runtime.logs import configure_logs, get_logger
from offerflow.runtime.settings import Settings
from offerflow.runtime.watchdog import Watchdog

WATCHDOG_S = 25.0
REFUSED_PAUSE_S = 10.0
LONG_SESSION_S = 30.0
"""A session that worked this long was no failed try: the pauses start small again after it."""


class Program:
    """The frame around a worker. ``turn`` is to be called by its main loop, ``stopping`` asked by it."""

    def __init__(self, settings: Settings, name: str) -> None:
        configure_logs(settings.log, name)
        self.name = name
        self.health = Health()
        self._server = HealthServer(settings.metrics, self.health)
        self._watchdog = Watchdog(WATCHDOG_S)
        self._stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def turn(self) -> None:
        """The main loop is alive."""
        self.health.turned()
        self._watchdog.beat()

    def run(self, session: Callable[[], None]) -> int:
        """Call ``session`` until asked to stop. A service that is away is waited for with growing pauses; a refusal
        is shown as metric and readiness and tried again, since only a person can end it. Returns the exit code."""
        # Batches are made of many small objects that no cycle holds: looking for cycles in them costs more than the
        # work itself. What exists now is never looked at again.
        gc.freeze()
        gc.set_threshold(200_000, 50, 100)
        log = get_logger()
        log.info("started", metrics=self._server.url)
        pauses = _pauses()
        while not self.stopping:
            started = time.monotonic()
            try:
                session()
                continue
            except Refused as error:
                metrics.refusing.labels(error.reason).set(1)
                log.error("refusing to go on", reason=error.reason, why=str(error))
                why, seconds, reason = f"refusing: {error}", REFUSED_PAUSE_S, error.reason
            except Fenced as error:
                log.error("another process has taken my place; leaving it to that", why=str(error))
                self.close()
                return error.exit_code
            except (DependencyDown, Disturbed, TryAgain) as error:
                if time.monotonic() - started > LONG_SESSION_S:
                    pauses = _pauses()
                why, seconds, reason = str(error), next(pauses), None
                log.warning("waiting for a service", why=why, seconds=round(seconds, 2))
            except OfferflowError as error:
                log.error("cannot go on", why=str(error))
                self.close()
                return error.exit_code
            # What the session leaves behind refers to itself, and its Kafka clients go on by themselves, threads and
            # connections and all, until they are found: with a collector that seldom looks, for hours.
            gc.collect()
            self.pause(seconds, why)
            if reason is not None:
                metrics.refusing.labels(reason).set(0)
        self.close()
        log.info("stopped")
        return 0

    def pause(self, seconds: float, why: str) -> None:
        """Wait, alive but not ready, or until asked to stop."""
        self.health.not_ready(why)
        left = seconds
        while left > 0 and not self._stop.wait(min(left, 1.0)):
            left -= 1.0
            self.turn()
        self.turn()

    def close(self) -> None:
        self._watchdog.stop()
        self._server.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()


def _pauses() -> Iterator[float]:
    """Seconds between tries: doubling from 0.2 to 5, for as long as it takes."""
    seconds = 0.2
    while True:
        yield seconds
        seconds = min(2 * seconds, 5.0)

"""Ends the process when its main loop hangs: some client calls were seen to never return after a broker restart.

Crash-only: recovery after a kill is the same path as any start, and the supervisor starts the program again.
"""

from __future__ import annotations

import os
import threading
import time

from offerflow.runtime.logs import get_logger

EXIT_CODE = 70


class Watchdog:
    """``beat`` must be called at least every ``limit_s`` seconds, or the process exits at once with EXIT_CODE."""

    def __init__(self, limit_s: float) -> None:
        self._limit = limit_s
        self._last = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        self._last = time.monotonic()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(self._limit / 10):
            silent = time.monotonic() - self._last
            if silent > self._limit:
                get_logger().error("the main loop hangs; exiting to be started again", seconds=round(silent, 1))
                os._exit(EXIT_CODE)

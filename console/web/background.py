"""Work beside the answering of requests: each task turns on a thread of its own, and its failures are shown, retried,
and nobody else's trouble."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from offerflow.runtime import metrics
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.logs import get_logger

STOP_WITHIN_S = 20.0


class Task(Protocol):
    """``turn`` does what there is to do now and returns. It is called again after an error of ours, such as a service
    that is away; after any other the task is made anew. A task that has a ``close`` is closed at its end."""

    def turn(self) -> object: ...


class Background:
    """Keeps a task turning every ``pause_s``, after failures with pauses that double up to ``longest_s``. ``why`` is
    what it last failed of, None while it works."""

    def __init__(self, name: str, make: Callable[[], Task], pause_s: float, longest_s: float = 10.0) -> None:
        self.name = name
        self.why: str | None = "starting"
        self._make = make
        self._pause_s = pause_s
        self._longest_s = longest_s
        self._stop = threading.Event()
        self._failing = metrics.console_task_failing.labels(name)
        self._failing.set(0)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; ``join`` waits."""
        self._stop.set()

    def join(self) -> None:
        self._thread.join(STOP_WITHIN_S)

    def _run(self) -> None:
        task: Task | None = None
        pause = self._pause_s
        while not self._stop.is_set():
            try:
                task = task or self._make()
                task.turn()
            except Exception as error:
                self._failed(error)
                if not isinstance(error, OfferflowError):
                    _close(task)
                    task = None
                pause = min(2 * pause, self._longest_s)
            else:
                self.why, pause = None, self._pause_s
                self._failing.set(0)
            self._stop.wait(pause)
        _close(task)

    def _failed(self, error: Exception) -> None:
        why = str(error) or type(error).__name__
        if why != self.why:  # a service that stays away is one line, not one every turn
            expected = isinstance(error, OfferflowError)
            get_logger().warning("a task fails", task=self.name, why=why, exc_info=None if expected else error)
        self.why = why
        self._failing.set(1)


def _close(task: Task | None) -> None:
    close = getattr(task, "close", None)
    if close is not None:
        try:
            close()
        except Exception as error:
            get_logger().warning("a task does not close", why=str(error))

"""What a worker has from outside itself, named in one place: the classes of the Kafka client, the clocks, threads.

It is looked up here at each use (``outside.Consumer(…)``, ``outside.monotonic()``), so that tests can put doubles in
its place, own the time, and let many workers take turns in one process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

__all__ = ["AdminClient", "Consumer", "Producer", "bounded", "monotonic", "sleep", "thread", "wall"]

T = TypeVar("T")

monotonic = time.monotonic
"""Seconds that never go back, from an unknown start."""
wall = time.time
"""Seconds since 1970."""
sleep = time.sleep


def thread(name: str, target: Callable[[], None]) -> Thread:
    """A thread that does not keep the program alive; not started yet."""
    return Thread(target=target, name=name, daemon=True)


def bounded(call: Callable[[], T], seconds: float) -> T:
    """What ``call`` returns or raises; TimeoutError if it has not come back after ``seconds``. It is then left behind
    in a thread of its own: for calls of the Kafka client that were seen to ignore their own time-outs."""
    came: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            came.put((call(), None))
        except BaseException as error:
            came.put((None, error))

    thread("bounded", run).start()
    try:
        result, error = came.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error is not None:
        try:
            raise error
        finally:
            # The error holds this frame and with it the call: a frame that holds the error too would keep both alive.
            del error
    return result  # type: ignore[return-value]

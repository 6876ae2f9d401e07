"""What a worker has from outside itself, named in one place: the classes of the Kafka client, the clocks, threads.

It is looked up here at each use (``outside.Consumer(…)``, ``outside.monotonic()``), so that tests can put doubles in
its place, own the time, and let many workers take turns in one process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

__all__ = ["AdminClient", "Consumer", "Producer", "monotonic", "sleep", "thread", "wall"]

monotonic = time.monotonic
"""Seconds that never go back, from an unknown start."""
wall = time.time
"""Seconds since 1970."""
sleep = time.sleep


def thread(name: str, target: Callable[[], None]) -> Thread:
    """A thread that does not keep the program alive; not started yet."""
    return Thread(target=target, name=name, daemon=True)

"""Work that blocks, on threads of its own and bounded, so that it is never in the way of events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from offerflow.runtime.errors import DependencyDown

T = TypeVar("T")
_WAITING = 64
_SECONDS = 10.0


class Aside:
    """Belongs to one event loop. ``name`` is what errors call it."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._threads = ThreadPoolExecutor(threads, name)
        self._waiting = 0

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises. Raises DependencyDown if too much waits already, or if it takes too long."""
        if self._waiting >= _WAITING:
            raise DependencyDown(f"{self._waiting} questions wait for the {self._name} already")
        self._waiting += 1
        try:
            async with asyncio.timeout(_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError:
            raise DependencyDown(f"the {self._name} did not answer within {_SECONDS:g} s") from None
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """What waits is dropped; what runs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

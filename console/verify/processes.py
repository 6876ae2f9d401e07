"""The same work over many partitions in several processes, with progress; in this process where one is enough.

Processes are spawned, since Kafka clients do not survive a fork.
"""

from __future__ import annotations

import gc
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from queue import Empty
from typing import TypeVar

from offerflow.runtime.errors import OfferflowError

Told = Callable[[int], None]
"""How a task says that it has done so much more; where the work is given up it raises."""
A = TypeVar("A")
R = TypeVar("R")
_LOOK_S = 0.2
_AT_ONCE = 1000


class _GivenUp(Exception):
    """Nobody waits for the result any more."""


class Processes:
    """Up to ``count`` processes, started by the first ``over`` that has use for several and ended with the context."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._context = get_context("spawn")
        self._done: Queue[tuple[int, int]] = self._context.Queue()
        self._round = 0
        self._stop = self._context.Event()
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._done.close()
        self._done.join_thread()

    def over(self, work: Callable[[A, Told], R], tasks: Sequence[A], told: Callable[[int], None]) -> Iterator[R]:
        """``work(task, told)`` of each task, in the order in which they are done. ``told`` hears the sum of what they
        have done so far. What one raises is raised here; the rest is given up when the context ends.

        ``work`` must be a function of a module, and everything that goes in and comes out be pickled easily.
        """
        if min(self._count, len(tasks)) <= 1:
            yield from _here(work, tasks, told)
            return
        if self._pool is None:
            given = (self._done, self._stop, os.getpid())
            self._pool = ProcessPoolExecutor(min(self._count, len(tasks)), self._context, _begin, given)
        self._round += 1
        try:
            waiting: set[Future[R]] = {self._pool.submit(_run, work, task, self._round) for task in tasks}
            total = 0
            while waiting:
                finished, waiting = wait(waiting, _LOOK_S, "FIRST_COMPLETED")
                total += _heard(self._done, self._round)
                told(total)
                yield from (future.result() for future in finished)
        except BrokenProcessPool:
            raise OfferflowError(
                "a process died over its partition, perhaps for want of memory: it holds all states of one partition;"
                " try again with fewer --processes"
            ) from None


def _here(work: Callable[[A, Told], R], tasks: Sequence[A], told: Callable[[int], None]) -> Iterator[R]:
    total, next_look = 0, time.monotonic()

    def more(count: int) -> None:
        nonlocal total, next_look
        total += count
        if time.monotonic() >= next_look:
            next_look = time.monotonic() + _LOOK_S
            told(total)

    for task in tasks:
        yield work(task, more)
        told(total)


def _heard(done: Queue[tuple[int, int]], now: int) -> int:
    """What was done since; news of an earlier round may come late, and count no more."""
    total = 0
    for _ in range(_AT_ONCE):
        try:
            told, more = done.get_nowait()
        except Empty:
            break
        total += more if told == now else 0
    return total


class _Mine:
    """In a process of ours: where to say what was done, whether the work was given up, and who asked for it."""

    def __init__(self, done: Queue[tuple[int, int]], stop: Event, parent: int) -> None:
        self._done, self._stop, self._parent = done, stop, parent
        self.round = 0
        self._more, self._next = 0, 0.0

    def tell(self, count: int) -> None:
        self._more += count
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LOOK_S
        if self._stop.is_set() or os.getppid() != self._parent:
            raise _GivenUp
        self.flush()

    def flush(self) -> None:
        more, self._more = self._more, 0
        self._done.put((self.round, more))


_mine: _Mine


def _begin(done: Queue[tuple[int, int]], stop: Event, parent: int) -> None:
    global _mine
    _mine = _Mine(done, stop, parent)
    # Nobody may be reading any more when this process ends.
    done.cancel_join_thread()
    # The parent alone answers the keyboard.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # As in a worker: batches are made of many small objects that no cycle holds.
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


def _run(work: Callable[[A, Told], R], task: A, now: int) -> R:
    _mine.round = now
    result = work(task, _mine.tell)
    _mine.flush()
    return result

"""Sends sorted events to ``raw.import`` and keeps on disk how far it came, so that an interrupted import goes on.

What is kept is a mark: everything up to it is in Kafka. What was on its way when the import was interrupted is sent
again under the same event ids, and counts once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

from console.dead_letters.replay import Pace
from console.importing.judging import Judge
from console.importing.sorting import Sorted, Sorter
from offerflow.runtime.errors import OfferflowError, TryAgain
from offerflow.runtime.kafka.publisher import Bounds, Publisher, QueueFull, Record
from offerflow.runtime.settings import Settings

CHUNK = 1000
_WAITING = 8
"""Chunks that may be on their way at once."""
_SECONDS = 60.0
_BOUNDS = Bounds(records=2 * CHUNK * _WAITING, bytes=512 * 1024 * 1024, delivery_ms=30_000)


class Mark(msgspec.Struct):
    """How far an import came: ``sent`` of ``total`` events are in Kafka, in the order in which they are sorted.
    ``digest`` is that of what is imported, ``received_ms`` when the first attempt began, ``topic_id`` that of
    the topic that has them."""

    digest: str
    received_ms: int
    total: int
    sent: int = 0
    topic_id: str = ""


class Interrupted(TryAgain):
    """Kafka has the first ``sent`` events, and perhaps some of those after them."""

    def __init__(self, sent: int, total: int, why: str) -> None:
        super().__init__(f"interrupted after {sent} of {total} events: {why}; run the same again with --resume")
        self.sent = sent


def read_mark(path: Path) -> Mark | None:
    """What an interrupted import left. Raises OfferflowError if it is something else."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Mark)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise OfferflowError(f"{path} is not what an import keeps of its progress: {error}") from None


def send(
    settings: Settings, judge: Judge, sorter: Sorter, mark: Mark, path: Path, rate: float | None,
    progress: Callable[[int, int], None],
) -> None:  # fmt: skip
    """Returns once Kafka has everything; ``path`` is gone then. Raises Interrupted."""
    sender = _Sender(settings, mark, path, progress)
    chunk_size = min(CHUNK, Pace(rate).chunk)
    pace = Pace(rate)
    try:
        for chunk in _chunks(islice(sorter, mark.sent, None), chunk_size):
            pace.wait(len(chunk))
            sender.submit([Record(judge.topic, one.key.encode(), one.value, judge.headers(one.line)) for one in chunk])
        sender.finish()
    except KeyboardInterrupt:
        sender.settle()
        raise Interrupted(mark.sent, mark.total, "told to stop") from None
    except OfferflowError as error:
        sender.settle()
        raise Interrupted(mark.sent, mark.total, str(error)) from None
    finally:
        sender.close()
    path.unlink(missing_ok=True)


def _chunks(events: Iterator[Sorted], size: int) -> Iterator[list[Sorted]]:
    while chunk := list(islice(events, size)):
        yield chunk


class _Chunk:
    """Some records on their way. ``errors`` are there once ``done`` is set."""

    def __init__(self, records: int) -> None:
        self.records = records
        self.done = threading.Event()
        self.errors: list[OfferflowError] = []

    def answered(self, errors: list[OfferflowError]) -> None:
        self.errors = errors
        self.done.set()


class _Sender:
    def __init__(self, settings: Settings, mark: Mark, path: Path, progress: Callable[[int, int], None]) -> None:
        self._publisher = Publisher(settings, "offerflow-import", _BOUNDS)
        self._mark = mark
        self._path = path
        self._progress = progress
        self._waiting: deque[_Chunk] = deque()
        self._save()

    def submit(self, records: list[Record]) -> None:
        """Raises the first error of what was sent before."""
        while self._waiting and (len(self._waiting) >= _WAITING or self._waiting[0].done.is_set()):
            self._await_first()
        chunk = _Chunk(len(records))
        while True:
            try:
                self._publisher.submit(records, chunk.answered)
            except QueueFull:
                if not self._waiting:
                    raise
                self._await_first()
            else:
                self._waiting.append(chunk)
                return

    def finish(self) -> None:
        while self._waiting:
            self._await_first()

    def settle(self) -> None:
        """Take note of what Kafka has by now; the rest is sent again."""
        self._publisher.flush(5.0)
        while self._waiting and self._waiting[0].done.is_set() and not self._waiting[0].errors:
            self._mark.sent += self._waiting.popleft().records
        self._save()

    def close(self) -> None:
        self._publisher.close(timeout=1.0)

    def _await_first(self) -> None:
        chunk = self._waiting[0]
        if not chunk.done.wait(_SECONDS):
            raise TryAgain(f"Kafka did not acknowledge within {_SECONDS:g} s")
        if chunk.errors:
            raise chunk.errors[0]
        self._waiting.popleft()
        self._mark.sent += chunk.records
        self._save()
        self._progress(self._mark.sent, self._mark.total)

    def _save(self) -> None:
        beside = self._path.with_name(self._path.name + ".new")
        beside.write_bytes(msgspec.json.encode(self._mark))
        beside.replace(self._path)

"""Sorts more events than fit into memory by their times: sorted runs on disk, merged when they are read."""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

import msgspec

MEMORY = 64 * 1024 * 1024
"""Bytes of events that are held at once."""
_OVERHEAD = 200
_RUNS = 64
"""Files that are open at once; more are merged to one first."""


class Sorted(NamedTuple):
    """What is sorted: by time, then in the order in which they came."""

    time: int
    number: int
    key: str
    value: bytes
    line: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Sorted).decode


class Sorter:
    """Takes events with ``add``; reading it gives them in order, as often as asked. Its files go when it is closed."""

    def __init__(self, memory: int = MEMORY, runs: int = _RUNS) -> None:
        self._memory = memory
        self._most_runs = runs
        self._held: list[Sorted] = []
        self._bytes = 0
        self._runs: list[Path] = []
        self._files = 0
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self.count = 0

    def add(self, time: int, key: str, value: bytes, line: int) -> None:
        """``line`` is for whoever reads it back."""
        self._held.append(Sorted(time, self.count, key, value, line))
        self.count += 1
        self._bytes += len(value) + _OVERHEAD
        if self._bytes >= self._memory:
            self._spill()

    def __iter__(self) -> Iterator[Sorted]:
        self._held.sort()
        if not self._runs:
            yield from self._held
            return
        with ExitStack() as files:
            yield from heapq.merge(*(_read(files.enter_context(run.open("rb"))) for run in self._runs), self._held)

    def __enter__(self) -> Sorter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._directory is not None:
            self._directory.cleanup()

    def _spill(self) -> None:
        self._held.sort()
        self._runs.append(self._write(self._held))
        self._held, self._bytes = [], 0
        if len(self._runs) >= self._most_runs:
            with ExitStack() as files:
                whole = self._write(heapq.merge(*(_read(files.enter_context(run.open("rb"))) for run in self._runs)))
            for run in self._runs:
                run.unlink()
            self._runs = [whole]

    def _write(self, events: Iterable[Sorted]) -> Path:
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="offerflow-import-")
        path = Path(self._directory.name) / str(self._files)
        self._files += 1
        with path.open("wb") as file:
            for event in events:
                data = _encode(event)
                file.write(len(data).to_bytes(4, "big"))
                file.write(data)
        return path


def _read(file: IO[bytes]) -> Iterator[Sorted]:
    while size := file.read(4):
        yield _decode(file.read(int.from_bytes(size, "big")))

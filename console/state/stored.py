"""Folding a partition over its states in Redis, away from the workers but with their code and their scripts.

Each batch is applied with the position behind it, so whenever this ends, Redis holds a fold that anybody can carry on.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator, Mapping

from offerflow.runtime.errors import TryAgain
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.scan import read_spans
from offerflow.runtime.redis.store import Apply, Loaded, Reach, StateStore
from offerflow.runtime.settings import Settings
from schemas.folding.book import Book
from schemas.folding.partition import Partition, Work

BATCH = 10_000
"""Records folded at once: a script for all states they change keeps Redis busy for some ten milliseconds."""


class StoredFold:
    """One partition from where Redis stands. Outputs of records below ``suppress`` are thrown away. Raises TryAgain
    where somebody else moves the partition."""

    def __init__(self, store: StateStore, number: int, identity: Mapping[str, str], book: Book, suppress: int) -> None:
        self._store = store
        self._identity = identity
        self._token, self._batches = uuid.uuid4().hex, 0
        meta = store.meta(number)
        self.number = number
        self.next = meta.next
        self._partition = Partition(number, meta.next, suppress, meta.fold, identity, book)

    def fold(self, records: list[Record], to: int) -> Iterator[Work]:
        """Fold ``records``, all of them at or above ``next``, and stand at ``to``."""
        left = records
        while left:
            taken = self._partition.cut(left)
            reach = self._partition.reach(taken)
            end = to if len(taken) == len(left) else left[len(taken)].offset()
            work = self._partition.fold(taken, self._loaded(taken, reach), reach, end, math.inf)
            left = [record for record in left if record.offset() >= work.to]
            self._apply(work)
            yield work
        if self.next < to:
            work = Work(self.next, to)
            self._apply(work)
            yield work

    def _loaded(self, taken: list[Record], reach: Reach | None) -> Loaded:
        reaches = {} if reach is None else {self.number: reach}
        loaded = self._store.load({self.number: self._partition.entities(taken)}, reaches)[self.number]
        if loaded.next != self.next or loaded.dirty is not None:
            raise self._moved()
        return loaded

    def _apply(self, work: Work) -> None:
        self._batches += 1
        meta: dict[str, str | bytes] = dict(self._identity)
        if work.fold is not None:
            meta["fold"] = work.fold
        token = f"{self._token}:{self._batches}"
        batch = Apply(self.number, work.start, work.to, token, meta, work.states, work.timers, work.opened)
        if self._store.apply([batch])[self.number] not in ("ok", "done"):
            raise self._moved()
        self.next = self._partition.next = work.to

    def _moved(self) -> TryAgain:
        return TryAgain(
            f"partition {self.number} was moved in Redis by somebody else while it was folded: does a worker run? What"
            " was folded stands and is right; look again with `offerflow state show`"
        )


def fold_on(settings: Settings, fold: StoredFold, to: int, client_id: str, batch: int = BATCH) -> Iterator[Work]:
    """Read the journal from where ``fold`` stands up to ``to`` and fold it. Raises Refused where it lacks a part."""
    taken: list[Record] = []
    span = {(settings.topic("journal"), fold.number): (fold.next, to)}
    for record in read_spans(settings, span, client_id, whole=True):
        if len(taken) == batch:
            yield from fold.fold(taken, record.offset())
            taken = []
        taken.append(record)
    yield from fold.fold(taken, to)

"""The fold of a journal partition away from the workers: it reads, and neither commits nor applies anything.

It folds as a worker does (schemas.folding.partition), over states kept in memory, so whatever it comes to is what the
topics and Redis must hold.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from offerflow.catalog.view import Catalog
from offerflow.rules.ruleset import Ruleset
from offerflow.runtime.errors import Refused
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.kafka.scan import read_spans
from offerflow.runtime.settings import Settings
from schemas.folding.book import CatalogBook
from schemas.folding.kept import Kept
from schemas.folding.partition import Partition, Work
from schemas.plan import EventSchema

BATCH = 40_000
"""Records folded at once: the more, the fewer states are unpacked twice."""


class OfflineFold:
    """One partition, from what ``kept`` holds (nothing: from the beginning of the journal)."""

    def __init__(self, number: int, catalog: Catalog, kept: Kept | None = None) -> None:
        self.number = number
        self.kept = Kept() if kept is None else kept
        self._partition = Partition(number, self.kept.next, 0, self.kept.fold, {}, KnownBook(catalog, number))

    def fold(self, records: Sequence[Record], to: int) -> Iterator[Work]:
        """Fold ``records``, all of them at or above ``kept.next``, and stand at ``to``. Each Work is kept before it is
        given."""
        left = list(records)
        # Ticks and activations have no key: nothing else ends a batch or looks further than its own entity, so most
        # records are looked at once.
        keyless = [record for record in left if record.key() is None]
        while left:
            taken, end = self._cut(left, keyless, to)
            reach = self._partition.reach([record for record in keyless if record.offset() < end])
            work = self._partition.fold(taken, self.kept.load_all(reach), reach, end, math.inf)
            if work.to == to:
                left = []
            else:
                left = left[bisect_left(left, work.to, key=_offset) :]
                keyless = keyless[bisect_left(keyless, work.to, key=_offset) :]
            yield self._took(work)
        if self.kept.next < to:
            yield self._took(Work(self.kept.next, to))

    def _cut(self, left: list[Record], keyless: list[Record], to: int) -> tuple[list[Record], int]:
        """The records up to where a worker would end its batch, and the position behind them."""
        looked_at = keyless if keyless and keyless[0] is left[0] else [left[0], *keyless]
        whole = self._partition.cut(looked_at)
        if len(whole) == len(looked_at):
            return left, to
        end = looked_at[len(whole)].offset()
        return left[: bisect_left(left, end, key=_offset)], end

    def _took(self, work: Work) -> Work:
        self.kept.apply(work)
        self._partition.next = work.to
        return work


def fold_journal(
    settings: Settings, fold: OfflineFold, end: int, client_id: str, stops: Iterable[int] = (), batch: int = BATCH
) -> Iterator[Work]:
    """Read the partition from where ``fold`` stands up to ``end`` and fold it. Between two Works the fold stands once
    at each of ``stops`` that lies between. Raises Refused if the journal has been truncated behind that start."""
    place = (settings.topic("journal"), fold.number)
    start = Admin(settings, client_id).starts([place])[place]
    if fold.kept.next < start < end:
        raise Refused(
            "journal_short",
            f"{place[0]}/{place[1]} starts at {start}, so it cannot be folded from {fold.kept.next}: retention or"
            " somebody removed its beginning, and what it came to cannot be computed any more",
        )
    bounds = sorted({end, *(stop for stop in stops if fold.kept.next < stop < end)})
    for records, to in _batches(settings, place, fold.kept.next, bounds, client_id, batch):
        yield from fold.fold(records, to)


def _batches(
    settings: Settings, place: Place, start: int, bounds: Sequence[int], client_id: str, size: int
) -> Iterator[tuple[list[Record], int]]:
    """Records up to each of ``bounds``, at most ``size`` at once, with the position behind them."""
    bound, at, taken = bounds[0], 0, list[Record]()
    if bound <= start:
        return
    for record in read_spans(settings, {place: (start, bounds[-1])}, client_id, whole=True):
        offset = record.offset()
        while offset >= bound:
            yield taken, bound
            taken, at = [], at + 1
            bound = bounds[at]
        if len(taken) == size:
            yield taken, offset
            taken = []
        taken.append(record)
    for bound in bounds[at:]:
        yield taken, bound
        taken = []


class KnownBook(CatalogBook):
    """Says what is missing: a journal names only what its catalog has, unless the catalog was read too early."""

    def __init__(self, catalog: Catalog, number: int) -> None:
        super().__init__(catalog)
        self._number = number

    def ruleset(self, name: str) -> Ruleset:
        try:
            return super().ruleset(name)
        except KeyError as error:
            raise self._lacks(f"the ruleset {name} (it lacks {error})") from None

    def schema(self, schema_id: int) -> EventSchema:
        try:
            return super().schema(schema_id)
        except KeyError:
            raise self._lacks(f"the event schema {schema_id}") from None

    def _lacks(self, what: str) -> Refused:
        return Refused(
            "catalog",
            f"partition {self._number} of the journal names {what}, which the catalog does not have: was the catalog"
            " topic lost or created anew? Restore it; without it this journal cannot be folded",
        )


def _offset(record: Record) -> int:
    return record.offset()

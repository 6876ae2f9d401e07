"""Folding states anew from the journal, many partitions at once, each in a process of its own.

Outputs are thrown away and no offset is committed: a partition is folded up to where its outputs were published and no
further, by the code and the scripts of the workers. So there is no moment at which what Redis holds is wrong: it lags
the log, and whoever claims it goes on from there.
"""

from __future__ import annotations

import gc
import queue
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from console.state.standing import CLIENT, LAYOUT, Stage, Standing
from console.state.stored import Stored
from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import Catalog
from offerflow.runtime import errors, guards
from offerflow.runtime.errors import OfferflowError, Refused, TryAgain
from offerflow.runtime.redis.mending import MendingStore
from offerflow.runtime.settings import Settings
from schemas.folding.offline import OfflineFold, fold_journal

LOOK_S = 0.2
_told: Any = None
"""The queue on which a process tells how far it is."""


@dataclass(frozen=True, slots=True)
class Task:
    """One partition: fold it from ``start``, dropping what Redis has if ``anew``, to ``to``."""

    standing: Standing
    start: int
    to: int
    anew: bool

    @property
    def offsets(self) -> int:
        return self.to - self.start


Progress = Callable[[int, int], None]
"""Told how many offsets are folded, and of how many."""


def plan_rebuild(stage: Stage, *, on: bool = False) -> list[Task]:
    """What there is to fold. ``on``: from where Redis stands instead of from the beginning.

    Raises the Refused of a committed offset that cannot be trusted, or of a journal that no longer reaches back."""
    tasks = []
    for one in stage.standings:
        if one.offset_refusal is not None:
            raise Refused(
                one.offset_refusal.reason,
                f"{one.offset_refusal}. Up to where to fold {one.where} is not known before that is settled"
                " (`offerflow state adopt`)",
            )
        assert one.committed is not None  # noqa: S101 - else its offset were refused
        assert one.meta is not None  # noqa: S101 - the rules stage has it
        if on and one.state_refusal is not None:
            raise Refused(one.state_refusal.reason, f"{one.state_refusal}. So nothing can be folded on from there")
        anew = not on or guards.half_written(one.meta) or guards.of_another_layout(one.meta, LAYOUT)
        start = 0 if anew else one.meta.next
        if start < one.start:
            raise Refused(
                "journal_short",
                f"{one.where} starts at {one.start}, so its states cannot be folded from {start}: restore a backup of"
                " Redis that reaches the journal (docs/backups.md), then `offerflow state rebuild --on`",
            )
        if anew or start < one.committed.offset:
            tasks.append(Task(one, start, one.committed.offset, anew))
    return tasks


def rebuild(settings: Settings, stage: Stage, tasks: Sequence[Task], processes: int, progress: Progress) -> None:
    """Carry out what was planned. A task that fails ends the others after the batch they are at; what was folded
    stands. Raises TryAgain where the group has members."""
    if stage.members:
        raise TryAgain(
            f"group {stage.group} has members ({', '.join(stage.members)}): they fold what Redis lacks by themselves."
            " To fold anew, stop the rules workers first and wait until they have left (6 s after a kill)"
        )
    total = sum(task.offsets for task in tasks)
    progress(0, total)
    if not tasks:
        return
    context = get_context("spawn")  # the clients of Kafka do not survive a fork
    told = context.Queue()
    folded = 0
    with ProcessPoolExecutor(
        min(processes, len(tasks)), mp_context=context, initializer=_begin, initargs=(told,)
    ) as pool:
        # The longest first, so that none is left alone at the end.
        order = sorted(tasks, key=lambda task: -task.offsets)
        left: set[Future[tuple[str, str, str] | None]] = {
            pool.submit(_fold, settings, t.standing.place[1], t.standing.identity, t.to, t.anew) for t in order
        }
        try:
            while left:
                done, left = wait(left, LOOK_S, FIRST_COMPLETED)
                folded += _drained(told)
                progress(min(folded, total), total)
                for one in done:
                    failed = one.result()
                    if failed is not None:
                        raise _error(*failed)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    progress(total, total)


def _begin(told: Any) -> None:
    global _told
    _told = told
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)


def _fold(
    settings: Settings, number: int, identity: Mapping[str, str], to: int, anew: bool
) -> tuple[str, str, str] | None:
    """In a process of its own. Errors come back as (class, reason, words), since not all of them can be pickled."""
    store = MendingStore(settings)
    try:
        fold_partition(settings, store, number, identity, to, anew=anew, progress=_told.put)
    except OfferflowError as error:
        return type(error).__name__, getattr(error, "reason", ""), str(error)
    finally:
        store.close()
    return None


def fold_partition(
    settings: Settings, store: MendingStore, number: int, identity: Mapping[str, str], to: int, *, anew: bool,
    progress: Callable[[int], None],
) -> None:  # fmt: skip
    """Fold one partition up to ``to``; ``progress`` is told the offsets of each batch."""
    if anew and not store.drop_seen(number, store.meta(number)):
        raise TryAgain(f"partition {number} was moved in Redis by somebody else: does a worker run?")
    fold = OfflineFold(number, _catalog(settings), Stored(store, number, identity), to)
    for work in fold_journal(settings, fold, to, CLIENT):
        progress(work.to - work.start)


def _catalog(settings: Settings) -> Catalog:
    follower = CatalogFollower(settings, CLIENT)
    try:
        return follower.start()
    finally:
        follower.close()


def _drained(told: Any) -> int:
    found = 0
    while True:
        try:
            found += told.get_nowait()
        except queue.Empty:
            return found


def _error(kind: str, reason: str, words: str) -> OfferflowError:
    found = getattr(errors, kind, OfferflowError)
    return Refused(reason, words) if found is Refused else found(words)

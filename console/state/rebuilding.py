"""Folding states anew from the journal, many partitions at once, each in a process of its own.

Outputs are thrown away and no offset is committed: a partition is folded up to where its outputs were published and no
further, by the code and the scripts of the workers. So there is no moment at which what Redis holds is wrong: it lags
the log, and whoever claims it goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from console.state.standing import CLIENT, LAYOUT, RULES, Stage, Standing
from console.state.stored import StoredFold, fold_on
from console.verify.processes import Processes
from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import Catalog
from offerflow.runtime import guards
from offerflow.runtime.claims import judge_owner
from offerflow.runtime.errors import Refused, TryAgain
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.redis.mending import MendingStore
from offerflow.runtime.settings import Settings
from schemas.folding.offline import KnownBook


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

    Raises the Refused of a committed offset that cannot be trusted, of states that are another deployment's, or of a
    journal that no longer reaches back."""
    tasks = []
    for one in stage.standings:
        if one.offset_refusal is not None:
            raise Refused(
                one.offset_refusal.reason,
                f"{one.offset_refusal.what}. Up to where to fold {one.where} is not known before that is settled"
                " (`offerflow state adopt`)",
            )
        assert one.committed is not None  # noqa: S101 - else its offset were refused
        assert one.meta is not None  # noqa: S101 - the rules stage has it
        stranger = judge_owner(one.place, one.meta, one.identity)
        if stranger is not None:
            raise stranger
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
    """Carry out what was planned. Where a task fails the others are given up; what was folded stands. Raises TryAgain
    where the group has members."""
    if stage.members:
        raise TryAgain(_working(stage.group, stage.members))
    total = sum(task.offsets for task in tasks)
    # The longest first, so that none is left alone at the end.
    order = [(settings, task) for task in sorted(tasks, key=lambda task: -task.offsets)]
    with Processes(processes) as pool:
        for _ in pool.over(_fold, order, lambda done: progress(done, total)):
            pass


def _working(group: str, members: Sequence[str]) -> str:
    return (
        f"group {group} has members ({', '.join(members)}): they fold what Redis lacks by themselves. To fold anew,"
        " stop the rules workers first and wait until they have left (6 s after a kill)"
    )


def _fold(given: tuple[Settings, Task], told: Callable[[int], None]) -> None:
    """One partition, in a process of its own."""
    settings, task = given
    store = MendingStore(settings)
    try:
        fold_partition(settings, store, task, told)
    finally:
        store.close()


def fold_partition(settings: Settings, store: MendingStore, task: Task, told: Callable[[int], None]) -> None:
    """Fold one partition; ``told`` hears the offsets of each batch."""
    number, seen = task.standing.place[1], task.standing.meta
    assert seen is not None  # noqa: S101 - the rules stage has it
    admin = Admin(settings, CLIENT)
    start = admin.starts([task.standing.place])[task.standing.place]
    if start > task.start:  # before anything is dropped that could not be folded again
        raise Refused(
            "journal_short", f"{task.standing.where} starts at {start} by now, so it cannot be folded from {task.start}"
        )
    members = admin.members(settings.group(RULES))
    if members:
        raise TryAgain(_working(settings.group(RULES), members))
    if task.anew and not store.drop_seen(number, seen):
        raise TryAgain(f"partition {number} was moved in Redis by somebody else: does a worker run?")
    book = KnownBook(_catalog(settings), number)
    fold = StoredFold(store, number, task.standing.identity, book, task.to)
    for work in fold_on(settings, fold, task.to, CLIENT):
        told(work.to - work.start)


def _catalog(settings: Settings) -> Catalog:
    follower = CatalogFollower(settings, CLIENT)
    try:
        return follower.start()
    finally:
        follower.close()

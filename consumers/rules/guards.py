"""What a rules worker asks itself before it goes on: the guards of its turn, one predicate each.

Each says why it is needed. The stage looks them up here at each use, so that tests can show of every one a schedule of
faults that goes wrong without it; nothing else may switch them off. Those of a claim are in consumers.rules.claim, and
in offerflow.runtime.claims for what both stages ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.redis.store import Loaded
from schemas.folding.partition import Partition

APPLIED = frozenset({"ok", "done"})
"""Answers to an apply after which Redis stands at the end of the batch: written now, or by an earlier try of it."""


def unread(records: Iterable[Record], partition: Partition) -> list[Record]:
    """Those not folded yet. The client may still hand out what it fetched before a claim moved the partition."""
    return [record for record in records if record.offset() >= partition.next]


def stands(answer: Loaded, partition: Partition) -> bool:
    """Whether Redis is where I left it. It went back by a fail-over, or forward by another owner: either way the states
    just read are not those that my next record follows."""
    return answer.next == partition.next


def whole(answer: Loaded) -> bool:
    """Whether no script died half-way: states under a mark may be of two positions at once."""
    return answer.dirty is None


def advances(to: int, partition: Partition) -> bool:
    """Whether a commit moves the group's offset on. One at or below it would let the next owner publish again what lies
    between."""
    return to > partition.committed


def may_tick(partition: Partition, at: int, disturbed: bool) -> bool:
    """Whether the partition, folded up to ``at`` by the transaction at hand, may be sent a tick: not while one of ours
    is on its way, nor while records are folded again, which would send it once more."""
    return partition.asked_for is None and at >= partition.committed and not disturbed


def applied(answer: str) -> bool:
    """Whether Redis took the batch. It refuses one that does not begin where it stands, and any while a mark says that
    a script died half-way."""
    return answer in APPLIED


def in_doubt(partitions: Mapping[Place, Partition]) -> set[Place]:
    """What to claim again after a transaction whose end is unknown: all of it, since it may or may not have happened,
    and neither may be assumed."""
    return set(partitions)


def went_back(found: int, partition: Partition) -> bool:
    """Whether Redis silently stands elsewhere than I left it, asked where there is no traffic that would tell."""
    return found != partition.next

"""What verifying finds: figures of each partition, and the first differences, in a form that travels and prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from offerflow.runtime.kafka.consumer import Record

STATES, OUTPUTS = "states", "outputs"
KINDS: Mapping[str, tuple[str, ...]] = {
    STATES: ("missing", "wrong", "unexpected"),
    OUTPUTS: ("missing", "duplicated", "wrong", "unexpected"),
}
"""``missing``: the fold has it, Redis or the topics do not. ``unexpected``: the other way round."""
SHOWN = 5
"""Differences of each kind that a partition hands out; the rest is counted."""


class Cause(msgspec.Struct, frozen=True):
    """A journal record: the one that decided an output, or the last that concerned a state. ``timestamp``: when it was
    appended, in milliseconds."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Bytes(msgspec.Struct, frozen=True):
    """A record of an output topic as it is or should be."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """``subject``: the short name of an output topic, or ``state``, ``timer``, ``open``, ``fold`` or ``meta`` of a
    partition. ``id``: of the output, or the entity. ``places``: where the output topics have it. ``position``: up to
    which the journal was folded where a state differs."""

    check: str
    kind: str
    partition: int
    subject: str
    id: str
    cause: Cause | None = None
    places: tuple[tuple[str, int, int], ...] = ()
    position: int | None = None
    expected: Bytes | None = None
    found: Bytes | None = None
    words: str = ""


class Findings:
    """Counts differences by check and kind, and keeps the first of each."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.first: list[Difference] = []

    def add(self, difference: Difference) -> None:
        name = difference.check, difference.kind
        self.counts[name] += 1
        if self.counts[name] <= SHOWN:
            self.first.append(difference)

    def counted(self, check: str, kind: str) -> bool:
        """Count one that need not be described any more, if that is so."""
        if self.counts[check, kind] < SHOWN:
            return False
        self.counts[check, kind] += 1
        return True


class PartitionReport(msgspec.Struct, kw_only=True):
    """What verifying one journal partition came to. ``since``: from which offset on it was folded, beyond 0 on from a
    copy; ``position``: up to which; ``records``: how many offsets that were. ``states``: entities that Redis has,
    ``behind`` how far Redis was behind the end. ``outputs``: how many the topics must have, dead letters among them;
    ``expired``: those that retention took; ``running``: those of transactions that were on their way, which may be
    there; ``earlier``: those found that were decided before ``since``."""

    partition: int
    since: int = 0
    position: int = 0
    records: int = 0
    states: int = 0
    behind: int = 0
    outputs: int = 0
    expired: int = 0
    running: int = 0
    earlier: int = 0
    counts: list[tuple[str, str, int]] = []
    differences: list[Difference] = []


def cause_of(record: Record) -> Cause:
    return Cause(record.partition(), record.offset(), record.timestamp()[1], record.key(), record.value())


def total(reports: Iterable[PartitionReport]) -> Counter[tuple[str, str]]:
    """Differences by check and kind."""
    found: Counter[tuple[str, str]] = Counter()
    for report in reports:
        for check, kind, count in report.counts:
            found[check, kind] += count
    return found

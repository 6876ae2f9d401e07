"""What the counts of all partitions together promise, and where a partition's counts are resumed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.validation import seen as module
from consumers.validation.judging import Judged
from consumers.validation.seen import RECOUNT, PartitionSeen, resume
from schemas.seen import Seen, Snapshot, merge

PLANNED = frozenset({"a", "b"})


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abcdefghijklmnop")), max_size=120))
def test_bounds_of_all_partitions_together(events: list[tuple[int, str]]) -> None:
    """However the names are spread over partitions with too few slots: planned names are exact, listed ones within
    their bounds, and no name that is missing came more often than the floor."""
    partitions = [PartitionSeen(Snapshot("id", 0)) for _ in range(3)]
    for partition in partitions:
        partition._slots._room = 3
    true: Counter[str] = Counter()
    for at, (number, name) in enumerate(events):
        true[name] += 1
        partitions[number].add(Judged(tally={(name, "", "valid"): [1, at, at]}), PLANNED, at + 1)
    report = merge(partition.snapshot("w") for partition in partitions)
    listed = {entry.name: entry for entry in report.entries}
    for name, count in true.items():
        if name in PLANNED:
            assert (listed[name].count, listed[name].error) == (count, 0)
        elif name in listed:
            assert listed[name].count - listed[name].error <= count <= listed[name].count + report.floor
        else:
            assert count <= report.floor
    assert sum(entry.count for entry in report.entries) == len(events)
    if not report.evicted:
        assert report.floor == 0


def test_sums_of_partitions() -> None:
    """The same name in two partitions is one entry, first and last over both; the order is that of the names."""
    one = Snapshot("id", 9, [Seen("b", "shop", "valid", 2, 50, 60)], [Seen("a", "", "unknown_event", 3, 10, 20, 1)])
    other = Snapshot("id", 9, [Seen("b", "shop", "valid", 1, 40, 55)], uncounted=7)
    report = merge([one, other])
    assert report.entries == [Seen("a", "", "unknown_event", 3, 10, 20, 1), Seen("b", "shop", "valid", 3, 40, 60)]
    assert report.uncounted == 7


def test_planned_names_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond any plan there is an end to what a record can hold: what comes after it has to share the slots."""
    monkeypatch.setattr(module, "KEPT", 1)
    partition = PartitionSeen(Snapshot("id", 0))
    partition.add(Judged(tally={("a", "", "valid"): [1, 0, 0], ("b", "", "valid"): [1, 0, 0]}), PLANNED, 1)
    snapshot = partition.snapshot("w")
    assert ([one.name for one in snapshot.kept], [one.name for one in snapshot.slots]) == (["a"], ["b"])


def test_where_counts_are_resumed() -> None:
    """At their own position, never beyond the committed offset nor before the log; else at the start of a short log,
    and where too much is there to be counted again, at the committed offset. What is left out is said."""
    kept = [Seen("a", "", "valid", 5, 0, 0)]

    def resumed(found: Snapshot | None, start: int, committed: int) -> tuple[int, int, int]:
        snapshot = resume(found, "id", start, committed)
        assert snapshot.topic_id == "id"
        return snapshot.next, snapshot.uncounted, len(snapshot.kept)

    assert resumed(Snapshot("id", 70, kept), 0, 100) == (70, 0, 1)
    assert resumed(Snapshot("id", 100, kept), 0, 100) == (100, 0, 1)
    assert resumed(Snapshot("id", 170, kept), 0, 100) == (100, 0, 1)
    assert resumed(Snapshot("id", 70, kept), 90, 100) == (90, 20, 1)
    assert resumed(None, 0, 100) == (0, 0, 0)
    assert resumed(None, 40, 100) == (40, 40, 0)
    assert resumed(None, 0, RECOUNT + 1) == (RECOUNT + 1, RECOUNT + 1, 0)
    assert resumed(Snapshot("another", 70, kept), 0, 20) == (0, 0, 1)

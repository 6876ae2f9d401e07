"""The bounds of Space-Saving, as its paper states them."""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from consumers.validation.space_saving import SpaceSaving
from schemas.seen import Seen

ROOM = 4
adds = st.lists(st.tuples(st.sampled_from("abcdefghij"), st.integers(1, 5)), max_size=60)


def _key(name: str) -> tuple[str, str, str]:
    return name, "", "unknown_event"


def _filled(stream: list[tuple[str, int]], taken: str = "") -> tuple[SpaceSaving, Counter[str]]:
    counters, true = SpaceSaving(ROOM), Counter[str]()
    for at, (name, count) in enumerate(stream):
        counters.add(_key(name), count, at, at)
        true[name] += count
        if name == taken:
            counters.take(_key(name))
            del true[name]
    return counters, true


@given(adds)
def test_bounds(stream: list[tuple[str, int]]) -> None:
    """Never too low, too high by the stated error at most, and no frequent name is missing."""
    counters, true = _filled(stream)
    total, listed = sum(true.values()), {entry.name: entry for entry in counters.entries}
    assert len(listed) <= ROOM
    assert sum(entry.count for entry in listed.values()) == total
    for name, entry in listed.items():
        assert entry.count - entry.error <= true[name] <= entry.count
        assert entry.error <= total / ROOM
    for name, count in true.items():
        assert name in listed or count <= counters.floor <= total / ROOM
    if len(true) <= ROOM:
        assert {name: entry.count for name, entry in listed.items()} == true


@given(adds, adds, st.sampled_from("abc"))
def test_a_name_taken_out_leaves_the_bounds_right(first: list[tuple[str, int]], second: list[tuple[str, int]],
                                                  taken: str) -> None:  # fmt: skip
    """Slots that become free are no excuse to forget what their next owner was counted for before."""
    counters, true = _filled([*first, (taken, 1)], taken)
    for at, (name, count) in enumerate(second):
        if name != taken:
            counters.add(_key(name), count, at, at)
            true[name] += count
    for entry in counters.entries:
        assert entry.count - entry.error <= true[entry.name] <= entry.count
    for name, count in true.items():
        assert name in {entry.name for entry in counters.entries} or count <= counters.floor


@given(adds, adds)
def test_it_goes_on_from_what_was_stored(first: list[tuple[str, int]], second: list[tuple[str, int]]) -> None:
    """Written and read again in the middle, the bounds are those of the whole stream."""
    counters, true = _filled(first)
    stored = msgspec.json.decode(msgspec.json.encode(counters.entries), type=list[Seen])
    again = SpaceSaving(ROOM, stored, counters.evicted, counters.floor)
    for at, (name, count) in enumerate(second):
        again.add(_key(name), count, at, at)
        true[name] += count
    assert sum(entry.count for entry in again.entries) == sum(true.values())
    for entry in again.entries:
        assert entry.count - entry.error <= true[entry.name] <= entry.count


def test_first_and_last() -> None:
    """Append times are kept as the earliest and the latest, in whatever order they come."""
    counters = SpaceSaving(ROOM)
    for first, last in ((5, 7), (3, 4), (6, 9)):
        counters.add(_key("a"), 2, first, last)
    assert counters.entries == [Seen("a", "", "unknown_event", 6, 3, 9)]

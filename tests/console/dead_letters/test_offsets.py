from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from console.dead_letters.offsets import OffsetSet

COORDINATES = st.tuples(st.integers(0, 2), st.integers(0, 5000) | st.integers(0, 2**62))


@given(st.lists(st.tuples(st.booleans(), COORDINATES)))
def test_it_is_a_set(steps: list[tuple[bool, tuple[int, int]]]) -> None:
    """Whatever is added and removed, it says what Python's own set says."""
    ours, theirs = OffsetSet(), set[tuple[int, int]]()
    for add, at in steps:
        if add:
            assert ours.add(at) is (at not in theirs)
            theirs.add(at)
        else:
            assert ours.discard(at) is (at in theirs)
            theirs.discard(at)
        assert (at in ours) is (at in theirs)
    assert len(ours) == len(theirs)
    assert all(at in ours for at in theirs)
    blocks = list(ours.blocks())
    assert blocks == sorted(set(blocks))
    assert all(any(at[0] == of and first <= at[1] < end for of, first, end in blocks) for at in theirs)


def test_many_take_little_memory() -> None:
    """A bit each, and some for the blocks: under 64 KiB for a hundred thousand in a row."""
    tracemalloc.start()
    try:
        ours = OffsetSet()
        for offset in range(100_000):
            ours.add((0, offset))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(ours) == 100_000
    assert held < 64 * 1024

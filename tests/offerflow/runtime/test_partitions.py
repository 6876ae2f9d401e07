"""The partition of a key, against values that others computed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offerflow.runtime.partitions import murmur2, partition_of
from tests.oracle import identity


@pytest.mark.parametrize(
    ("key", "expected"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536), (b"abc", 479470107)],
)
def test_murmur2_gives_kafkas_own_test_values(key: bytes, expected: int) -> None:
    """The values stand in Apache Kafka's UtilsTest.testMurmur2."""
    assert murmur2(key) == expected & 0xFFFFFFFF


@given(st.binary(max_size=40), st.integers(1, 100))
def test_partitions_are_those_of_the_oracle(key: bytes, partitions: int) -> None:
    """Two programs that were written apart put a key into the same partition."""
    assert partition_of(key, partitions) == identity.partition_of(key, partitions)

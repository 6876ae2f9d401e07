"""Hashes and partitions against values computed elsewhere."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.oracle.identity import choose, digest, identifier, in_holdout, murmur2, partition_of


def test_fields_do_not_run_into_each_other() -> None:
    """The length before each field keeps ("ab", "c") and ("a", "bc") apart."""
    assert digest("ab", "c") != digest("a", "bc")


def test_identifier_is_the_head_of_a_plain_sha256() -> None:
    """One field by hand: sha256 of 00000001 61, first sixteen bytes."""
    assert identifier("a") == "72ff6b02949dad95006c343e3db31500"


@pytest.mark.parametrize(
    ("key", "expected"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536), (b"abc", 479470107)],
)
def test_murmur2_equals_kafkas_own_test_values(key: bytes, expected: int) -> None:
    """The values stand in Apache Kafka's UtilsTest.testMurmur2."""
    assert murmur2(key) == expected & 0xFFFFFFFF


def test_a_key_has_one_partition() -> None:
    """The sign bit is cleared, so no partition is negative."""
    assert {partition_of(str(n).encode(), 8) for n in range(1000)} == set(range(8))


def test_variants_follow_their_weights_and_stick() -> None:
    """Three to one over many users, and the same user the same variant each time."""
    weights = [("a", 3), ("b", 1)]
    chosen = Counter(choose("offer", f"u:{n}", weights) for n in range(4000))
    assert 2850 < chosen["a"] < 3150
    assert all(choose("offer", f"u:{n}", weights) == choose("offer", f"u:{n}", weights) for n in range(100))


def test_the_holdout_is_a_share_of_the_users() -> None:
    """Nobody at nothing, everybody at all, about a tenth at 10 %, and who is in stays in when the share grows."""
    users = [f"u:{number}" for number in range(2000)]
    tenth = {one for one in users if in_holdout("o", one, 1000)}
    assert not any(in_holdout("o", one, 0) for one in users)
    assert all(in_holdout("o", one, 10_000) for one in users)
    assert 150 < len(tenth) < 250
    assert tenth < {one for one in users if in_holdout("o", one, 2000)}

"""Ingest keys: long enough, whole or not, and known by their hash."""

from __future__ import annotations

import pytest

from offerflow.runtime.keys import SERVER, WRITE, check_key, key_hash, new_key


@pytest.mark.parametrize("prefix", [SERVER, WRITE])
def test_a_new_key_is_whole_and_unlike_any_other(prefix: str) -> None:
    """Keys of one length, with their prefix, that check and never repeat."""
    keys = [new_key(prefix) for _ in range(500)]
    assert len(set(keys)) == 500
    assert {len(key) for key in keys} == {3 + 43 + 6}
    assert all(key.startswith(prefix) and check_key(key) for key in keys)


def test_damage_is_noticed() -> None:
    """Any single wrong character, a cut end or another prefix breaks the check."""
    key = new_key()
    for at in range(len(key)):
        other = "A" if key[at] != "A" else "B"
        assert not check_key(key[:at] + other + key[at + 1 :])
    for wrong in (key[:-1], key + "x", key[3:], "xk_" + key[3:], "", "sk_", "sk_ü" + key[4:]):
        assert not check_key(wrong)


def test_the_hash_is_sha_256_in_hex() -> None:
    """What the catalog stores is what any tool computes."""
    assert key_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

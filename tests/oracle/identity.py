"""Hashes and partitions, written from their public descriptions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def digest(*fields: str) -> bytes:
    """SHA-256 over each field's UTF-8 bytes, each after its length as four bytes, big end first."""
    sha = hashlib.sha256()
    for one in fields:
        data = one.encode("utf-8")
        sha.update(len(data).to_bytes(4, "big") + data)
    return sha.digest()


def identifier(*fields: str) -> str:
    """The project's deterministic id: the first sixteen bytes of the digest, in hex."""
    return digest(*fields)[:16].hex()


def choose(offer: str, entity: str, weights: Sequence[tuple[str, int]]) -> str:
    """The sticky variant: a point below the sum of the weights, uniform over the hash of offer and entity."""
    number = int.from_bytes(digest("variant", offer, entity)[:8], "big")
    point = number * sum(weight for _, weight in weights) // 2**64
    passed = 0
    for name, weight in weights:
        passed += weight
        if point < passed:
            return name
    raise AssertionError(f"no variant of {offer} holds point {point}")


def in_holdout(offer: str, entity: str, share: int) -> bool:
    """Whether the hash puts the entity into the holdout; ``share`` is in 1/10,000."""
    return int.from_bytes(digest("holdout", offer, entity)[:8], "big") * 10_000 >> 64 < share


def murmur2(data: bytes) -> int:
    """MurmurHash2 (32 bits, seed 0x9747b28c) as Kafka's Java client computes it."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    whole = len(data) - len(data) % 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if len(data) > whole:
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """Where Java's default partitioner puts a key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions

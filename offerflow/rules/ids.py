"""Deterministic ids: functions of what was decided, never of log coordinates, so that they survive a mirror.

Each id is the first 16 bytes, in hex, of SHA-256 over its UTF-8 fields, each after its length as 4 bytes big-endian.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def digest(*fields: str) -> bytes:
    """SHA-256 over the length-prefixed fields (32 bytes)."""
    return hashlib.sha256(_prefixed(fields)).digest()


def make_id(*fields: str) -> str:
    """32 hex digits."""
    return digest(*fields)[:16].hex()


class IdsUnder:
    """``make_id`` for many ids that differ in their last field only."""

    def __init__(self, *fields: str) -> None:
        self._hash = hashlib.sha256(_prefixed(fields))

    def __call__(self, field: str) -> str:
        whole = self._hash.copy()
        whole.update(_prefixed((field,)))
        return whole.hexdigest()[:32]


def _prefixed(fields: Iterable[str]) -> bytes:
    parts = []
    for field in fields:
        data = field.encode("utf-8", "surrogatepass")
        parts += [len(data).to_bytes(4, "big"), data]
    return b"".join(parts)


def instance_id(offer: str, entity: str, cause: str) -> str:
    """``cause`` is the id of the event or API request whose fold entered the user."""
    return make_id(offer, entity, cause)


def output_id(record: str, instance: str, reward: str = "", side: str = "", n: int = 0) -> str:
    """``record`` is the output's name such as ``RewardSatisfied``; ``n`` tells repeats apart."""
    return make_id(record, instance, reward, side, str(n))


def fraction(*fields: str) -> int:
    """64 evenly spread bits of the fields, for choices that must stick."""
    return int.from_bytes(digest(*fields)[:8], "big")

"""Deterministic ids: functions of what was decided, never of log coordinates, so that they survive a mirror.

Each id is the first 16 bytes, in hex, of SHA-256 over its UTF-8 fields, each after its length as 4 bytes big-endian.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

MAX_TEXT = 64
"""UTF-8 bytes of a text that is kept as it came."""


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


def content_hash(content: object) -> str:
    """16 hex digits naming a JSON value: SHA-256 over its canonical text (sorted keys, no spaces)."""
    return digest(json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False))[:8].hex()


def short_text(value: Any) -> Any:
    """A value that is kept to be compared for equality alone: a text of more than MAX_TEXT bytes as its SHA-256."""
    if value.__class__ is str and len(value) * 4 > MAX_TEXT:
        data = value.encode("utf-8", "surrogatepass")
        return hashlib.sha256(data).digest() if len(data) > MAX_TEXT else value
    return value


def short_id(event_id: str) -> bytes | str:
    """An event id as the state keeps it: a UUID in its usual form as 16 bytes, any other id as it is."""
    if len(event_id) == 36 and event_id[8] == event_id[13] == event_id[18] == event_id[23] == "-":
        try:
            short = bytes.fromhex(event_id.replace("-", ""))
        except ValueError:
            return event_id
        # Blanks between bytes pass, capitals would come back as small letters.
        if len(short) == 16 and event_id == event_id.lower():
            return short
    return event_id


def long_id(event_id: bytes | str) -> str:
    """The event id that ``short_id`` shortened."""
    if isinstance(event_id, str):
        return event_id
    text = event_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

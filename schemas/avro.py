"""Avro's binary encoding of the few primitives that every event is made of. Source: Avro 1.12 specification, Binary
Encoding. Whole records of other types go through fastavro."""

from __future__ import annotations

import struct

DOUBLE = struct.Struct("<d").pack
FLOAT = struct.Struct("<f").pack


# Varints are put together from 14 bits at a time, since each event carries four long ones.
_LAST = tuple(bytes((n,)) if n < 128 else bytes((n & 0x7F | 0x80, n >> 7)) for n in range(1 << 14))
_MORE = tuple(bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(1 << 14))


def long(value: int) -> bytes:
    """Zigzag varint of a 64-bit integer; also an int, a length, an enum's or a union's index."""
    left = (value << 1) ^ (value >> 63)
    if left < 0x4000:
        return _LAST[left]
    if left < 0x10000000:
        return _MORE[left & 0x3FFF] + _LAST[left >> 14]
    if left < 0x40000000000:
        return _MORE[left & 0x3FFF] + _MORE[left >> 14 & 0x3FFF] + _LAST[left >> 28]
    if left < 0x100000000000000:
        return _MORE[left & 0x3FFF] + _MORE[left >> 14 & 0x3FFF] + _MORE[left >> 28 & 0x3FFF] + _LAST[left >> 42]
    return (
        _MORE[left & 0x3FFF] + _MORE[left >> 14 & 0x3FFF] + _MORE[left >> 28 & 0x3FFF] + _MORE[left >> 42 & 0x3FFF]
        + _LAST[left >> 56]
    )  # fmt: skip


def string(value: str) -> bytes:
    """Length and UTF-8."""
    data = value.encode()
    size = len(data)
    return (_LAST[size << 1] if size < 0x2000 else long(size)) + data


def short_long(data: bytes) -> int:
    """The integer in a zigzag varint of at most six bytes, unrolled: every event carries one."""
    n = int.from_bytes(data, "little")
    n = (
        n & 0x7F
        | n >> 1 & 0x3F80
        | n >> 2 & 0x1FC000
        | n >> 3 & 0xFE00000
        | n >> 4 & 0x7F0000000
        | n >> 5 & 0x3F800000000
    )
    return (n >> 1) ^ -(n & 1)


def content(encoded: bytes) -> bytes:
    """The UTF-8 of an encoded string of less than 8192 bytes."""
    return encoded[2:] if encoded[0] & 0x80 else encoded[1:]

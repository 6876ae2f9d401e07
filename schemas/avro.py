"""Avro's binary encoding of the few primitives that every event is made of. Source: Avro 1.12 specification, Binary
Encoding. Whole records of other types go through fastavro."""

from __future__ import annotations

import struct

DOUBLE = struct.Struct("<d").pack
FLOAT = struct.Struct("<f").pack


def _zigzag(value: int) -> bytes:
    left = (value << 1) ^ (value >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


_SMALL = tuple(_zigzag(value) for value in range(8192))


def long(value: int) -> bytes:
    """Zigzag varint of a 64-bit integer; also an int, a length, an enum's or a union's index."""
    if 0 <= value < 8192:
        return _SMALL[value]
    if 0x3FFFFFFFF < value < 0x20000000000:
        # Six bytes: every time in milliseconds from 1970-07 to 2039. Unrolled, since each event carries two.
        v = value << 1
        return bytes(
            (
                v & 0x7F | 0x80,
                v >> 7 & 0x7F | 0x80,
                v >> 14 & 0x7F | 0x80,
                v >> 21 & 0x7F | 0x80,
                v >> 28 & 0x7F | 0x80,
                v >> 35,
            )
        )
    return _zigzag(value)


def string(value: str) -> bytes:
    """Length and UTF-8."""
    data = value.encode()
    size = len(data)
    return (_SMALL[size] if size < 8192 else _zigzag(size)) + data

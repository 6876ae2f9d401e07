"""Ingest keys: ``sk_`` for servers, ``wk_`` for apps and browsers that may only write.

A key is its prefix, 256 random bits in base 62 (43 digits) and a CRC-32 of both in base 62 (6 digits), so that a
mistyped or cut key is told apart from a revoked one without a look-up. Only its SHA-256 is ever stored.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from typing import Final

SERVER: Final = "sk_"
WRITE: Final = "wk_"

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_DIGITS = 43
_CHECK_DIGITS = 6


def new_key(prefix: str = SERVER) -> str:
    body = prefix + _base62(secrets.randbits(256), _RANDOM_DIGITS)
    return body + _check(body)


def check_key(key: str) -> bool:
    """Whether this is a whole key as ``new_key`` makes them; says nothing of whether it is known."""
    body, check = key[:-_CHECK_DIGITS], key[-_CHECK_DIGITS:]
    return body[:3] in (SERVER, WRITE) and len(body) == 3 + _RANDOM_DIGITS and check == _check(body)


def key_hash(key: str) -> str:
    """SHA-256 in hex: how the catalog knows a key. Compared by look-up, which tells a listener nothing of the key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _check(body: str) -> str:
    return _base62(zlib.crc32(body.encode("utf-8", "surrogateescape")), _CHECK_DIGITS)


def _base62(number: int, digits: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 62)
        text = _DIGITS[digit] + text
    return text.rjust(digits, "0")

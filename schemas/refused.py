"""The header ``of-refused``: the edge took an event that its key may not send, and says so to validation.

The value is JSON: ``{"reason": "origin_forbidden", "detail": "…", "final": false}``. What is ``final`` stays refused
when its dead letter is replayed; to replay anything else is to permit it.
"""

from __future__ import annotations

import msgspec

from schemas.envelope import Headers

REFUSED = "of-refused"
_LONGEST = 1000
"""Characters of the detail."""


class RefusedEvent(msgspec.Struct, frozen=True):
    """Why an event goes no further. ``reason`` is that of the dead letter."""

    reason: str
    detail: str
    final: bool = False


_decode = msgspec.json.Decoder(RefusedEvent).decode
_encode = msgspec.json.Encoder().encode
_UNREADABLE = RefusedEvent(
    "origin_forbidden", f"refused where it came in; the header {REFUSED} does not say why", final=True
)


def refused_header(detail: str, *, final: bool) -> bytes:
    """The header's value for an event whose key may not send it."""
    return _encode(RefusedEvent("origin_forbidden", detail[:_LONGEST], final))


def refused_of(headers: Headers, *, replayed: bool = False) -> RefusedEvent | None:
    """What the headers of a raw record say, None where they refuse nothing (any more, if it was ``replayed``).
    Whoever sets the header refuses, even if nobody can read why: a sender can only harm its own events by it."""
    value = next((value or b"" for name, value in headers if name == REFUSED), None)
    if value is None:
        return None
    try:
        found = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _UNREADABLE
    if replayed and not found.final:
        return None
    return RefusedEvent("origin_forbidden", found.detail[:_LONGEST] or _UNREADABLE.detail, found.final)

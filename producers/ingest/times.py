"""Times as clients write them, to milliseconds since 1970 UTC.

Wider than what the envelope takes (docs/formats.md): SDKs write times without an offset, with a space for the `T`, with
nine digits of a second, or a date alone. What cannot be read as a time is None, and the adapter passes on what was
given, so that the dead letter shows it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET

from schemas.values import TIMES

_is_of_form = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
).fullmatch
"""RFC 3339 and its relatives; what it allows and the calendar does not is left to datetime."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 24 * 3600 * 1000
_LONGEST = 64
_MOST = 1 << 63
_FIRST, _LAST = TIMES[0], TIMES[-1]


def milliseconds(value: Any) -> int | None:
    """Of text, or of a number of milliseconds. A time without an offset is UTC; fractions of a millisecond are cut off.
    None for everything else, and for what is outside the years 1 to 9999."""
    if isinstance(value, str):
        return _of_text(value)
    return _of_number(value, 1)


def seconds(value: Any) -> int | None:
    """Of text, or of a number of seconds, for protocols that count so."""
    if isinstance(value, str):
        return _of_text(value)
    return _of_number(value, 1000)


def stamp(value: Any) -> Any:
    """When a request was sent, as its body says it for all of its events: text or a number of the length of a time.
    UNSET for everything else, since it is copied into each event."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else UNSET
    if isinstance(value, bool) or not isinstance(value, int | float):
        return UNSET
    return value if -_MOST <= value < _MOST else UNSET


def _of_text(text: str) -> int | None:
    if not _is_of_form(text):
        return None
    try:
        moment = datetime.fromisoformat(text if text[-1:] != "z" else text.upper())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        since = moment - _EPOCH
    except (ValueError, OverflowError):
        return None
    found = since.days * _DAY_MS + since.seconds * 1000 + since.microseconds // 1000
    return found if _FIRST <= found <= _LAST else None


def _of_number(value: Any, unit: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = int(value * unit)
    except (ValueError, OverflowError):  # what JSON cannot say, and 1e308 seconds
        return None
    return found if _FIRST <= found <= _LAST else None

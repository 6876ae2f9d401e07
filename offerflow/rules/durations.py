"""Durations as people write them, ``30d`` or ``1d12h``, and as the engine counts them, in milliseconds."""

from __future__ import annotations

import re

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
LONGEST = 36_525 * DAY
"""A hundred years: beyond that times would leave the calendar."""

UNITS = {"w": WEEK, "d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND}
PATTERN = "".join(f"([0-9]+{unit})?" for unit in UNITS)
_WRITTEN = re.compile(PATTERN)


def milliseconds(text: str) -> int:
    """``12h`` is 43,200,000. Raises ValueError that says what is expected."""
    match = _WRITTEN.fullmatch(text) if text else None
    if match is None:
        raise ValueError("expected a duration such as 45s, 90m, 12h, 30d, 2w or 1d12h")
    total = sum(int(part[:-1]) * UNITS[part[-1]] for part in match.groups() if part and len(part) < 16)
    if total > LONGEST or any(part and len(part) >= 16 for part in match.groups()):
        raise ValueError("a duration is at most 36525d (a hundred years)")
    return total


def written(duration: int) -> str:
    """The shortest way to write ``duration``: days and smaller units, ``36h`` as ``1d12h``; ``0s`` for none."""
    parts, left = [], duration
    for unit, size in UNITS.items():
        if unit != "w" and left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts) or f"{left / SECOND:g}s"

"""Durations, dates and money as people write them."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
MINOR_UNITS = {"EUR": 2, "USD": 2, "GBP": 2, "JPY": 0, "KWD": 3}


def duration(text: Any) -> int:
    """Milliseconds of ``90m``, ``1d12h``."""
    if not re.fullmatch(r"(\d+[smhdw])+", str(text)):
        raise ValueError(f"{text!r} is no duration")
    return 1000 * sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhdw])", text))


def moment(given: Any, zone: str, end: bool = False) -> int:
    """Milliseconds since 1970 of a date or time; without an offset it is in ``zone``. ``end``: a date is its last
    millisecond."""
    if isinstance(given, str):
        whole_day = re.fullmatch(r"\d{4}-\d\d-\d\d", given)
        given = date.fromisoformat(given) if whole_day else datetime.fromisoformat(given)
    if not isinstance(given, datetime):
        day = given + timedelta(days=1) if end else given
        start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
        return round(start.timestamp() * 1000) - end
    return round((given if given.tzinfo else given.replace(tzinfo=ZoneInfo(zone))).timestamp() * 1000)


def day_of(time: int, zone: str) -> int:
    """The calendar day, as a number that goes up by one a day."""
    return datetime.fromtimestamp(time / 1000, ZoneInfo(zone)).date().toordinal()


def money(text: str) -> tuple[Decimal, str]:
    """``10 EUR`` as amount and currency."""
    number, currency = text.split()
    return Decimal(number), currency


def number(given: Any) -> Decimal:
    """A bound as it was written: a double is the shortest decimal that reads back as it."""
    return Decimal(repr(given)) if isinstance(given, float) else Decimal(given)

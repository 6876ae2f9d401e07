"""The times of files: RFC 3339, the same without an offset, dates, numbers, and what Parquet has."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Literal

from schemas.values import TIMES, parse_time

Unit = Literal["s", "ms", "us"]
PER_SECOND: dict[Unit, int] = {"s": 1, "ms": 1000, "us": 1_000_000}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?")


class Times:
    """``unit`` is that of numbers, ``zone`` that of times which name none."""

    def __init__(self, unit: Unit = "ms", zone: tzinfo = UTC) -> None:
        self._per_second = PER_SECOND[unit]
        self._zone = zone

    def milliseconds(self, value: Any) -> int | None:
        """Milliseconds since 1970, of the years 1 to 9999; None if ``value`` is no time."""
        moment = self._read(value)
        return moment if moment is not None and moment in TIMES else None

    def _read(self, value: Any) -> int | None:
        if isinstance(value, bool):
            return None
        if isinstance(value, int):
            return value * 1000 // self._per_second
        if isinstance(value, float):
            return round(value * 1000 / self._per_second) if abs(value) < 1e17 else None
        if isinstance(value, datetime):
            return self._moment(value)
        if isinstance(value, date):
            return self._moment(datetime(value.year, value.month, value.day))
        return self._text(value.strip()) if isinstance(value, str) else None

    def _text(self, text: str) -> int | None:
        exact = parse_time(text)
        if exact is not None:
            return exact
        if _NUMBER.fullmatch(text):
            return self._read(float(text) if "." in text else int(text))
        try:
            # As databases print them: "2026-03-05 10:00:00.25+01", "2026-03-05".
            return self._moment(datetime.fromisoformat(text))
        except ValueError:
            return None

    def _moment(self, value: datetime) -> int | None:
        try:
            aware = value if value.tzinfo is not None else value.replace(tzinfo=self._zone)
            return (aware - _EPOCH) // timedelta(milliseconds=1)
        except (OverflowError, ValueError):
            return None

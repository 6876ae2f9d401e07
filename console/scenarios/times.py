"""Moments as scenarios write them: ``day 3 10:00`` or ``2026-03-05T10:00:00Z``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from offerflow.rules import zones
from offerflow.rules.nearest import did_you_mean

_DAY = re.compile(r"day (\d{1,5})(?:[ ,]+(\d{1,2}):(\d\d)(?::(\d\d))?)?", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENT = "a moment such as day 3 10:00 or 2026-03-05T10:00:00Z"


@dataclass(frozen=True, slots=True)
class Calendar:
    """``start`` is the midnight that day 1 begins with; clock times are in ``zone``."""

    start: datetime
    zone: ZoneInfo

    @classmethod
    def of(cls, start: str, zone: str) -> Calendar:
        """Raises ValueError for a zone that is none and a start that is no date."""
        try:
            there = zones.zone(zone)
        except zones.UnknownZone:
            near = did_you_mean(zone, zones.names()) or "; expected one such as Europe/Berlin"
            raise ValueError(f"there is no time zone {zone!r}{near}") from None
        try:
            first = datetime.fromisoformat(start).replace(tzinfo=there)
        except ValueError:
            first = None
        if first is None or first.time() != first.min.time():
            raise ValueError(f"expected the date of day 1 such as 2026-03-01, got {start!r}")
        return cls(first, there)

    def moment(self, text: str) -> int:
        """Milliseconds since 1970 UTC. Raises ValueError that says what was expected."""
        found = _DAY.fullmatch(text.strip())
        try:
            if found is None:
                there = datetime.fromisoformat(text)
                return _milliseconds(there if there.tzinfo else there.replace(tzinfo=self.zone))
            day, hour, minute, second = (int(part or 0) for part in found.groups())
            if day < 1:
                raise ValueError("days count from 1")
            moment = self.start + timedelta(days=day - 1)
            return _milliseconds(moment.replace(hour=hour, minute=minute, second=second))
        except (ValueError, OverflowError):
            raise ValueError(f"expected {MOMENT}, got {text!r}") from None

    def text(self, moment: int) -> str:
        """The same moment as people of the scenario would write it."""
        there = (_EPOCH + timedelta(milliseconds=moment)).astimezone(self.zone)
        day = (there.date() - self.start.date()).days + 1
        clock = there.strftime("%H:%M:%S" if there.second else "%H:%M")
        return f"day {day} {clock}" if day > 0 else there.strftime(f"%Y-%m-%d {clock}")


def _milliseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)

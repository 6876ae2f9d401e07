"""Which dead letters a command is about."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from offerflow.rules.durations import UNITS
from schemas.dead_letter import StoredLetter
from schemas.dead_letter_state import Coordinates

_RANGE = re.compile(r"(?P<partition>\d{1,9})/(?P<first>\d{1,18})?(?P<to>\.\.(?P<last>\d{1,18})?)?")
_ID = re.compile(r"[0-9a-f]{32}")
_AGO = re.compile("".join(rf"(?:(\d{{1,9}}(?:\.\d{{1,9}})?){unit})?" for unit in UNITS))
FOREVER = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Range:
    """Offsets of one partition of the dead-letter topic, both ends included."""

    partition: int
    first: int = 0
    last: int = FOREVER

    def __contains__(self, at: Coordinates) -> bool:
        return at[0] == self.partition and self.first <= at[1] <= self.last


@dataclass(frozen=True, slots=True)
class Selection:
    """All that is given must hold; of several values of one kind any. Empty selects everything.

    ``fields`` also match what lies below them: ``address`` selects ``address.city``. ``topics`` are full names of where
    the originals were read; ``since_ms`` and ``until_ms`` bound when they became dead letters. ``handled``: False for
    those nobody replayed or purged yet, True for the others, None for all.
    """

    reasons: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    components: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    ranges: tuple[Range, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    handled: bool | None = False
    limit: int | None = None

    def covers(self, at: Coordinates) -> bool:
        """Whether the coordinates are within the ranges, if there are any."""
        return not self.ranges or any(at in one for one in self.ranges)

    def matches(self, letter: StoredLetter) -> bool:
        """Everything but ``handled``, ``limit`` and the time, which do not show in the letter."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.events or letter.event in self.events)
            and (not self.sources or letter.source in self.sources)
            and (not self.components or letter.component in self.components)
            and (not self.topics or letter.topic in self.topics)
            and (not self.ids or letter.id in self.ids)
            and (not self.fields or any(_below(letter.field, field) for field in self.fields))
            and self.covers(letter.at)
        )


def _below(path: str | None, field: str) -> bool:
    return path is not None and (path == field or path.startswith((f"{field}.", f"{field}[")))


def parse_range(text: str) -> Range:
    """``3/120``, ``3/120..180``, ``3/120..``, ``3/..180`` or ``3/`` (all of the partition). Raises ValueError."""
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f"{text!r} is neither coordinates such as 3/120 (partition/offset), 3/120..180 or 3/, nor the id of a dead"
            " letter (32 hex digits)"
        )
    partition, first = int(found["partition"]), int(found["first"] or 0)
    to = found["last"] if found["to"] else found["first"]
    last = int(to) if to else FOREVER
    if last < first:
        raise ValueError(f"{text!r} ends before it begins; expected {partition}/{last}..{first}")
    return Range(partition, first, last)


def is_id(text: str) -> bool:
    """Whether it looks like the id of a dead letter."""
    return _ID.fullmatch(text) is not None


def parse_moment(text: str, now_ms: int) -> int:
    """Milliseconds since 1970 of an RFC 3339 time, a date, or a duration before ``now_ms``. Raises ValueError."""
    ago = _AGO.fullmatch(text.strip())
    if ago is not None and any(ago.groups()):
        spans = zip(ago.groups("0"), UNITS.values(), strict=True)
        return max(0, now_ms - int(sum(float(number) * size for number, size in spans)))
    try:
        moment = datetime.fromisoformat(text.strip())
        if "T" not in text and " " not in text.strip():
            moment = datetime.fromisoformat(f"{text.strip()}T00:00:00+00:00")
        if moment.tzinfo is None:
            raise ValueError(f"{text!r} has no offset; write {text.strip()}Z for UTC")
        return max(0, int(moment.timestamp() * 1000))
    except (ValueError, OverflowError) as error:
        if "no offset" in str(error):
            raise
        raise ValueError(
            f"{text!r} is no time; write a duration such as 2h or 3d (before now), a date such as 2026-03-05, or a time"
            " such as 2026-03-05T10:00:00Z"
        ) from None

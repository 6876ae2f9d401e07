"""Durations, shares and dates: what they come to, in milliseconds and in their zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from offerflow.rules import durations
from offerflow.rules.definitions.values import Date, Moment, Percent, Share
from offerflow.rules.zones import UnknownZone, names, zone

DATES: TypeAdapter[Moment] = TypeAdapter(Date)
SHARES: TypeAdapter[Share] = TypeAdapter(Percent)


def at(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("90m", 5400), ("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600), ("1d12h", 129_600),
     ("1w1d1h1m1s", 694_861), ("0s", 0), ("007d", 604_800), ("36525d", 3_155_760_000)],
)  # fmt: skip
def test_durations(text: str, seconds: int) -> None:
    """Units from weeks to seconds, alone or joined in that order; a day is 24 hours."""
    assert durations.milliseconds(text) == 1000 * seconds


@pytest.mark.parametrize(
    "text", ["", "30", "d", "30 d", "30D", "1h1d", "1d1d", "1.5h", "-1d", "P30D", "30d\n", "٣d", "1y"]
)
def test_durations_that_are_none(text: str) -> None:
    """Anything else is told what a duration looks like."""
    with pytest.raises(ValueError, match="expected a duration such as 45s, 90m"):
        durations.milliseconds(text)


@pytest.mark.parametrize("text", ["36526d", "9" * 15 + "s", "9" * 5000 + "w"])
def test_durations_that_are_too_long(text: str) -> None:
    """A hundred years is the most, however many digits there are."""
    with pytest.raises(ValueError, match="at most 36525d"):
        durations.milliseconds(text)


@given(seconds=st.integers(0, 10**9))
def test_what_is_written_reads_back(seconds: int) -> None:
    """The shortest way to write a duration is one of its own."""
    assert durations.milliseconds(durations.written(1000 * seconds)) == 1000 * seconds


@pytest.mark.parametrize(("text", "parts"), [("0%", 0), ("10%", 1000), ("2.5%", 250), ("0.01%", 1), ("100%", 10_000)])
def test_shares(text: str, parts: int) -> None:
    """Shares are counted in ten-thousandths."""
    assert SHARES.validate_python(text).parts == parts


@pytest.mark.parametrize("text", ["", "10", "%", "101%", "100.01%", "-1%", "0.001%", "10 %", 10, 0.1])
def test_shares_that_are_none(text: Any) -> None:
    """Nothing beyond the whole, nothing finer than a ten-thousandth, no number alone."""
    with pytest.raises(ValidationError, match="expected a share such as 10%"):
        SHARES.validate_python(text)


@pytest.mark.parametrize(
    ("text", "name", "start", "end"),
    [
        ("2026-03-01", "UTC", at(2026, 3, 1), at(2026, 3, 2) - 1),
        ("2026-03-01", "Europe/Berlin", at(2026, 2, 28, 23), at(2026, 3, 1, 23) - 1),
        ("2026-03-29", "Europe/Berlin", at(2026, 3, 28, 23), at(2026, 3, 29, 22) - 1),
        ("2026-10-25", "Europe/Berlin", at(2026, 10, 24, 22), at(2026, 10, 25, 23) - 1),
        ("2026-03-01T09:00:00+01:00", "America/New_York", at(2026, 3, 1, 8), at(2026, 3, 1, 8)),
        ("2026-03-01T09:00:00Z", "Europe/Berlin", at(2026, 3, 1, 9), at(2026, 3, 1, 9)),
        ("2026-03-01T09:00", "Europe/Berlin", at(2026, 3, 1, 8), at(2026, 3, 1, 8)),
        ("2026-03-01T09:00:00.250", "UTC", at(2026, 3, 1, 9) + 250, at(2026, 3, 1, 9) + 250),
    ],
)  # fmt: skip
def test_dates_in_their_zones(text: str, name: str, start: int, end: int) -> None:
    """A date is a whole day of its zone, of 23 or 25 hours when clocks are changed; a time with an offset is itself."""
    made = DATES.validate_python(text)
    assert (made.start(zone(name)), made.end(zone(name))) == (start, end)


@pytest.mark.parametrize(
    "text", ["2026-02-30", "2026-3-1", "2026-03-01 09:00:00", "2026-03-01T25:00:00", "0001-01-01", "9999-12-31", "", 5]
)
def test_dates_that_are_none(text: Any) -> None:
    """Days that there are not, other ways to write them, and years that leave no room around them."""
    with pytest.raises(ValidationError, match="such as 2026-03-01 or"):
        DATES.validate_python(text)


def test_zones_come_from_the_package() -> None:
    """Every name that is listed can be loaded, and no other."""
    assert {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"} <= names()
    assert all(zone(name).key == name for name in names())
    with pytest.raises(UnknownZone):
        zone("../zones")

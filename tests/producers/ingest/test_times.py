"""Times as clients write them: what is read, and that nothing else is guessed at or raises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from producers.ingest.times import milliseconds, seconds, stamp
from schemas.values import TIMES, parse_time

NOON = 1_772_704_800_000


@pytest.mark.parametrize(
    ("text", "after_noon"),
    [
        ("2026-03-05T10:00:00Z", 0),
        ("2026-03-05t10:00:00z", 0),
        ("2026-03-05 10:00:00.5", 500),
        ("2026-03-05T10:00:00.390+00:00", 390),
        ("2026-03-05T12:00:00.123456789+02:00", 123),
        ("2026-03-05T05:30:00.1-0430", 100),
        ("2026-03-05T12:00:00,25+02", 250),
        ("2026-03-05T10:00", 0),
        ("2026-03-05", -10 * 3600 * 1000),
    ],
)
def test_what_sdks_write(text: str, after_noon: int) -> None:
    """Offsets of any form or none (UTC), fractions up to nanoseconds, seconds or the time of day left out."""
    assert milliseconds(text) == NOON + after_noon


@pytest.mark.parametrize("number", [NOON, float(NOON), NOON + 0.9])
def test_numbers_are_milliseconds_or_seconds(number: float) -> None:
    """Whole or not; what is below a millisecond is cut off."""
    assert milliseconds(number) == NOON
    assert seconds(NOON / 1000 + 0.25) == NOON + 250
    assert seconds("2026-03-05T10:00:00Z") == NOON


@pytest.mark.parametrize(
    "value",
    ["", "now", "1772704800000", "2026-3-5", "2026-13-01T00:00:00Z", "2026-03-05T25:00:00Z", "20260305", "2026-W10-4",
     "2026-03-05T10:00:00Z ", "0001-01-01T00:00+14:00", "٢٠٢٦-٠٣-٠٥", True, None, [], {}, 10**400, 1e308, -1e300,
     float("nan"), float("inf"), b"2026-03-05"],
)  # fmt: skip
def test_what_is_no_time(value: Any) -> None:
    """Everything else is None and raises nothing: words, digits, other calendars, numbers beyond the year 9999."""
    assert milliseconds(value) is None
    assert seconds(value) is None


@given(st.datetimes(timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))))
def test_as_validation_reads_them(moment: datetime) -> None:
    """What the envelope would take too is the same moment to both."""
    text = moment.isoformat()
    assert milliseconds(text) == parse_time(text)


@given(st.text() | st.integers() | st.floats() | st.datetimes().map(str))
def test_any_value(value: Any) -> None:
    """A time of the years 1 to 9999, or None."""
    for read in (milliseconds, seconds):
        found = read(value)
        assert found is None or found in TIMES


@given(st.datetimes())
def test_without_an_offset_it_is_utc(moment: datetime) -> None:
    """As if Z stood behind it."""
    expected = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert milliseconds(str(moment)) == expected


def test_a_stamp_is_no_longer_than_a_time() -> None:
    """It is copied to every event of a request, so nothing else is taken for one."""
    for told in ("2026-03-05T10:00:00Z", "yesterday", 1_772_704_800_000, 0.5):
        assert stamp(told) == told
    for other in ("x" * 65, True, None, UNSET, {"a": 1}, [], 1 << 70):
        assert stamp(other) is UNSET

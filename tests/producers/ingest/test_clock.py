"""Times corrected by when the client says it sent the request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from producers.ingest.clock import HELD_MS, STORED_MS, corrected, happened
from producers.ingest.times import milliseconds, seconds
from schemas.values import TIMES

NOW = 1_772_704_800_000
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

moments = st.integers(TIMES[0], TIMES[-1])


@pytest.mark.parametrize("late", [0, 300, 2 * 1000, 155 * 1000, HELD_MS])
def test_a_retry_moves_nothing(late: int) -> None:
    """A request that comes late, with the sent_at of its first attempt, tells the time by a clock that is right."""
    assert corrected(NOW - late - 1000, NOW - late, NOW) == NOW - late - 1000


@pytest.mark.parametrize("wrong", [-20 * 365 * DAY, -DAY, -HOUR, -6 * MINUTE, 6 * MINUTE, HOUR, DAY, 20 * 365 * DAY])
def test_a_wrong_clock_is_set_right(wrong: int) -> None:
    """An event of ten seconds before it was sent is ten seconds old, whatever the clock of the client shows."""
    sent_at = NOW + wrong
    assert corrected(sent_at - 10_000, sent_at, NOW) == NOW - 10_000


@pytest.mark.parametrize("wrong", [-HELD_MS, -MINUTE, MINUTE, HELD_MS])
def test_a_little_wrong_is_left_alone(wrong: int) -> None:
    """Clocks are minutes wrong everywhere; validation takes what is up to five minutes ahead."""
    assert corrected(NOW + wrong, NOW + wrong, NOW) == NOW + wrong


def test_nothing_happens_after_it_was_received() -> None:
    """An event that is later than its own request is moved to the arrival, not beyond."""
    assert corrected(NOW + DAY + HOUR, NOW + DAY, NOW) == NOW


def test_a_batch_that_lay_on_a_disk() -> None:
    """A library that stores batches with their sent_at may send one days later, and its clock is trusted that long."""
    sent_at = NOW - 3 * DAY
    assert corrected(sent_at - 1000, sent_at, NOW, held=STORED_MS) == sent_at - 1000
    assert corrected(sent_at - 1000, sent_at, NOW) == NOW - 1000
    ahead = NOW + 3 * DAY
    assert corrected(ahead - 1000, ahead, NOW, held=STORED_MS) == NOW - 1000


@given(time=moments, sent_at=moments | st.none(), received_at=st.integers(NOW, NOW + DAY))
def test_the_outcome_is_a_time(time: int, sent_at: int | None, received_at: int) -> None:
    """Of the years 1 to 9999; what was not moved is what was said, and what was moved is not in the future."""
    moved = corrected(time, sent_at, received_at)
    assert moved in TIMES
    assert moved == time or moved <= received_at


@given(age=st.integers(0, DAY), wrong=st.integers(-DAY, DAY), way=st.integers(0, HELD_MS))
def test_how_wrong_it_can_be(age: int, wrong: int, way: int) -> None:
    """Whatever the clock, an event ends up within what a retry explains, plus what is left alone, of when it was."""
    happened_at, sent = NOW - age, NOW
    moved = corrected(happened_at + wrong, sent + wrong, sent + way)
    assert abs(moved - happened_at) <= HELD_MS + way


def test_what_goes_into_the_envelope() -> None:
    """The time in milliseconds, with what was given beside it where that reads otherwise; what is no time stays."""
    assert happened("2026-03-05T10:00:00Z", None, NOW) == (NOW, "2026-03-05T10:00:00Z")
    assert happened(NOW, NOW, NOW) == (NOW, UNSET)
    assert happened(NOW + DAY, NOW + DAY, NOW) == (NOW, NOW + DAY)
    assert happened(NOW // 1000, None, NOW, read=seconds) == (NOW, NOW // 1000)
    assert happened("yesterday", NOW, NOW) == ("yesterday", UNSET)
    for nothing in (None, "", UNSET):
        assert happened(nothing, NOW, NOW) == (UNSET, UNSET)


@pytest.mark.parametrize("sent_at", [milliseconds("0001-01-01T00:00:00Z"), 0, NOW - 2 * HOUR])
def test_sent_before_it_happened(sent_at: int) -> None:
    """What a client writes that has no time of sending moves nothing."""
    assert corrected(NOW - HOUR, sent_at, NOW) == NOW - HOUR

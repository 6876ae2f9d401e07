from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.dead_letters.selection import FOREVER, Range, Selection, parse_moment, parse_range
from tests.console.dead_letters.letters import letter

NOW = 1_772_704_800_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3/120", Range(3, 120, 120)), ("3/120..180", Range(3, 120, 180)), ("3/120..", Range(3, 120, FOREVER)),
     ("3/..180", Range(3, 0, 180)), ("3/", Range(3, 0, FOREVER)), (" 0/0 ", Range(0, 0, 0))],
)  # fmt: skip
def test_ranges(text: str, expected: Range) -> None:
    """Coordinates, a part of a partition, and all of it."""
    assert parse_range(text) == expected


@pytest.mark.parametrize("text", ["", "3", "/5", "a/5", "3/5-7", "3/9..4", "3/-1", "3/5...7", "٣/1x", "ab" * 15])
def test_what_is_no_range(text: str) -> None:
    """Each is refused with the text in the message."""
    with pytest.raises(ValueError, match=r"expected|neither"):
        parse_range(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2h", NOW - 7_200_000), ("1.5d", NOW - 129_600_000), ("1d12h", NOW - 129_600_000), ("0s", NOW), ("90000w", 0),
     ("2026-03-05", 1_772_668_800_000), ("2026-03-05T10:00:00Z", NOW), ("2026-03-05T11:00:00+01:00", NOW)],
)  # fmt: skip
def test_moments(text: str, expected: int) -> None:
    """Durations count back from now, a date means midnight UTC, other times are as written."""
    assert parse_moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "2", "2 hours", "yesterday", "2026-13-01", "2026-03-05T10:00:00"])
def test_what_is_no_moment(text: str) -> None:
    """A time without an offset is no time either: it would mean another one on every machine."""
    with pytest.raises(ValueError, match="write"):
        parse_moment(text, NOW)


@given(st.text())
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    """Nothing that is typed ends in another error."""
    for parse in (lambda: parse_moment(text, NOW), lambda: parse_range(text)):
        with suppress(ValueError):
            parse()


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        (Selection(), True),
        (Selection(reasons=frozenset({"schema_violation", "clock_skew"}), events=frozenset({"Bought"})), True),
        (Selection(reasons=frozenset({"schema_violation"}), events=frozenset({"Sold"})), False),
        (Selection(sources=frozenset({"app"})), False),
        (Selection(components=frozenset({"rules"})), False),
        (Selection(topics=frozenset({"offerflow.raw.backend"})), True),
        (Selection(ids=frozenset({"ab" * 16})), True),
        (Selection(ranges=(Range(2), Range(3, 100, 120))), True),
        (Selection(ranges=(Range(3, 121),)), False),
    ],
)
def test_what_matches(selection: Selection, chosen: bool) -> None:
    """Everything that is given must hold; of several values of one kind one."""
    assert selection.matches(letter()) is chosen


@pytest.mark.parametrize(
    ("path", "chosen"),
    [("address", True), ("address.city", True), ("address[0]", True), ("addresses", False), (None, False)],
)  # fmt: skip
def test_a_field_stands_for_what_is_below_it(path: str | None, chosen: bool) -> None:
    """But not for names that begin alike."""
    assert Selection(fields=frozenset({"address"})).matches(letter(field=path)) is chosen

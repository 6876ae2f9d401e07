"""How the terms of a key are written on the command line."""

from __future__ import annotations

import time

import click
import pytest

from console.cli.keys_options import End, Origin, Pace, burst_of, names, origins


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://shop.example", "https://shop.example"),
        ("HTTPS://Shop.example/", "https://shop.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://*.shop.example", "https://*.shop.example"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("null", "null"),
    ],
)
def test_origins_are_kept_as_browsers_send_them(text: str, origin: str) -> None:
    """In small letters and without a slash at the end."""
    assert Origin().convert(text, None, None) == origin


@pytest.mark.parametrize(
    "text", ["shop.example", "https://", "https://shop.example/path", "https://a.*.example", "https://a b", "*", ""]
)
def test_what_no_browser_sends_is_no_origin(text: str) -> None:
    """It would never match, so it is refused with examples."""
    with pytest.raises(click.BadParameter, match=r"https://shop\.example"):
        Origin().convert(text, None, None)


def test_lists_come_by_commas_or_by_several_options() -> None:
    """Without repetitions and blanks, in their order."""
    assert names(["A, B", "C,A", ""]) == ("A", "B", "C")
    assert origins(["https://a.b,https://A.b/", "any"][:1]) == ("https://a.b",)
    assert origins(["any"]) == ("any",)


def test_ends() -> None:
    """In a while, at a time, or never; what is past or no time is refused."""
    hour = 3_600_000
    assert abs(End().convert("2h", None, None) - time.time() * 1000 - 2 * hour) < hour
    assert End().convert("2099-01-31", None, None) == 4_073_500_800_000
    assert End().convert("never", None, None) == 0
    for text in ("2020-01-01", "soon", "0s"):
        with pytest.raises(click.BadParameter):
            End().convert(text, None, None)


def test_rates_and_bursts() -> None:
    """A burst is ten seconds at the rate unless it is given, and needs a rate."""
    assert [Pace().convert(text, None, None) for text in ("100/s", "60/m", "none")] == [100, 1, 0]
    assert (burst_of(100, None), burst_of(0.01, None), burst_of(5, 7), burst_of(0, None)) == (1000, 1, 7, 0)
    with pytest.raises(click.UsageError):
        burst_of(0, 5)

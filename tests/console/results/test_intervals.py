"""The intervals, held against the figures of the papers that brought them, and against chance itself."""

from __future__ import annotations

import math
from random import Random

import pytest

from console.results.intervals import Interval, Paid, cost_per_user, difference, proportion


@pytest.mark.parametrize(
    ("successes", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(successes: int, of: int, low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3."""
    assert proportion(successes, of, 0.95) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062), ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775), ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0), ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)  # fmt: skip
def test_newcombe_as_published(first: tuple[int, int], second: tuple[int, int], low: float, high: float) -> None:
    """Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10."""
    assert difference(first, second, 0.95) == pytest.approx((low, high), abs=5e-5)


def test_nothing_is_known_of_nothing() -> None:
    """Of nobody there is no proportion, no difference and no cost; of one user no cost either."""
    assert proportion(0, 0, 0.95) is None
    assert difference((1, 2), (0, 0), 0.95) is None
    assert cost_per_user(Paid(0, 0.0, 0.0), 100.0, 5, 0.95) is None
    assert cost_per_user(Paid(1, 10.0, 100.0), 100.0, 5, 0.95) is None


def test_what_everybody_got_is_certain_without_spend() -> None:
    """Three users at 0.1: no spread is invented out of rounding; what they got differs: Student's t, by hand."""
    assert cost_per_user(Paid(3, 0.1 * 3, 3 * 0.1**2), 0.0, 9, 0.95) == pytest.approx((0.1, 0.1), abs=1e-15)
    # 8, 10, 12: mean 10, standard deviation 2, t(0.975, 2) = 4.3027
    half = 4.30265 * 2 / math.sqrt(3)
    found = cost_per_user(Paid(3, 30.0, 64.0 + 100 + 144), 0.0, 9, 0.95)
    assert found == pytest.approx((10 - half, 10 + half), abs=1e-4)


def test_spend_is_divided_by_wilsons_ends() -> None:
    """81 of 263 for 1,000 and 5 each: 5 + 1000/263/0.3662 to 5 + 1000/263/0.2553."""
    found = cost_per_user(Paid(81, 405.0, 81 * 25.0), 1000.0, 263, 0.95)
    assert found == pytest.approx((5 + 1000 / 263 / 0.3662, 5 + 1000 / 263 / 0.2553), abs=5e-3)


def test_costs_are_inside_as_often_as_promised() -> None:
    """Of 2,000 made-up tests with spend and uneven rewards about 95 % have the true cost in their interval."""
    draw, inside, rounds, users, chance, spend = Random(5), 0, 2000, 200, 0.15, 300.0
    truth = spend / users / chance + 7.5
    for _ in range(rounds):
        got = [draw.choice((5.0, 10.0)) for _ in range(users) if draw.random() < chance]
        found = cost_per_user(Paid(len(got), sum(got), sum(x * x for x in got)), spend, users, 0.95)
        assert isinstance(found, Interval)
        inside += found.low <= truth <= found.high
    assert 0.935 < inside / rounds < 0.97

"""Confidence intervals, each by a published method that stays honest where counts are small.

Proportions: Wilson (1927), JASA 22, 209-212. Differences of two: Newcombe (1998), Statistics in Medicine 17, 873-890,
method 10. Costs per user: the mean reward (Student's t) plus the spend over a proportion (Wilson), put together as
Zou and Donner (2008), Statistics in Medicine 27, 1693-1702, do for the sum of two independent figures (MOVER).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy import stats


class Interval(NamedTuple):
    low: float
    high: float


def proportion(successes: int, of: int, confidence: float) -> Interval | None:
    """Wilson's interval of ``successes / of``; None of nothing."""
    if of == 0:
        return None
    found = stats.binomtest(successes, of).proportion_ci(confidence, method="wilson")
    return Interval(float(found.low), float(found.high))


def difference(first: tuple[int, int], second: tuple[int, int], confidence: float) -> Interval | None:
    """Newcombe's interval of the first proportion (successes, of) minus the second; None if either is of nothing."""
    one, two = proportion(*first, confidence), proportion(*second, confidence)
    if one is None or two is None:
        return None
    p, q = first[0] / first[1], second[0] / second[1]
    return _sum(p, one, -q, Interval(-two.high, -two.low))


class Paid(NamedTuple):
    """What was paid to the users who completed: their number, the sum of what each got, and the sum of its squares."""

    users: int
    total: float
    squares: float


def cost_per_user(paid: Paid, spend: float, entered: int, confidence: float) -> Interval | None:
    """Interval of ``(paid.total + spend) / paid.users`` where ``entered`` users could have completed.

    ``spend`` is known, how many of the users it was spent on complete is chance. None for fewer than two users.
    """
    if paid.users < 2:
        return None
    mean = paid.total / paid.users
    chance = proportion(paid.users, entered, confidence)
    if chance is None or not spend:
        return _mean(paid, mean, confidence)
    each = spend / entered
    ends = sorted((each / chance.low, each / chance.high))
    return _sum(mean, _mean(paid, mean, confidence), spend / paid.users, Interval(*ends))


def _mean(paid: Paid, mean: float, confidence: float) -> Interval:
    variance = max(0.0, (paid.squares - paid.users * mean * mean) / (paid.users - 1))
    if math.isclose(paid.squares, paid.users * mean * mean, rel_tol=1e-12):  # all got the same: rounding is no variance
        variance = 0.0
    quantile = float(stats.t.ppf((1 + confidence) / 2, paid.users - 1))
    half = quantile * math.sqrt(variance / paid.users)
    return Interval(mean - half, mean + half)


def _sum(first: float, one: Interval, second: float, two: Interval) -> Interval:
    """MOVER: of the sum of two independent figures from the interval of each. Newcombe's method 10 is a case of it."""
    low = math.hypot(first - one.low, second - two.low)
    high = math.hypot(one.high - first, two.high - second)
    return Interval(first + second - low, first + second + high)

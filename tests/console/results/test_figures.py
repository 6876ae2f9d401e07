"""The figures of arms against a sheet of paper."""

from __future__ import annotations

from decimal import Decimal

import pytest

from console.results.figures import Arm, Figures, figures
from console.results.shown import table


def arm(name: str, entered: int, completed: int, **more: bool) -> Arm:
    return Arm(name, entries=entered, entered=entered, completed={f"{name}{n}" for n in range(completed)}, **more)


def told(*arms: Arm) -> dict[str, Figures]:
    return {found.arm.id: found for found in figures({one.id: one for one in arms}, 0.95)}


def test_cost_of_an_acquired_customer() -> None:
    """40 rewards of 10 EUR, 4 reversed, 240 EUR spent, 50 users completed: (400 - 40 + 240) / 50 = 12.00."""
    buy = arm("buy", 400, 50)
    for n in range(40):
        buy.reward(f"buy{n}", Decimal(10), "EUR", was_reversed=n < 4)
    buy.in_currency("EUR").spend = Decimal(240)
    (cost,) = told(buy)["buy"].costs
    assert (cost.money.satisfied, cost.money.reversed, cost.money.cost) == (40, 4, Decimal(600))
    assert cost.per_completion == Decimal(12)
    assert cost.interval is not None
    # Mean reward 7.20, standard deviation 4.536, t(0.975, 49) = 2.0096: 5.911 to 8.489. Of 400 users 50 is
    # 0.0960 to 0.1611 (Wilson): 0.60 a user make 3.7238 to 6.2473. Together: 12 - hypot(1.289, 1.0762) and so on.
    assert [float(end) for end in cost.interval] == pytest.approx([10.3207, 13.9344], abs=2e-3)


@pytest.mark.parametrize(("entered", "completed", "few"), [(29, 9, True), (90, 4, True), (30, 5, False)])
def test_a_cost_of_few_has_no_interval(entered: int, completed: int, few: bool) -> None:
    """Under 30 users or 5 completed the words n too small stand where numbers would feign knowledge."""
    one = arm("a", entered, completed)
    for n in range(completed):
        one.reward(f"a{n}", Decimal(1 + n), "EUR", was_reversed=False)
    found = told(one)["a"]
    (cost,) = found.costs
    assert (cost.few, cost.interval is None, "(n too small)" in str(table([found])[1])) == (few, few, few)


def test_no_cost_is_below_nothing() -> None:
    """One of five got 100: Student's t says from -35.5 on, which nobody pays; of equal costs no width is shown."""
    one = arm("a", 50, 5)
    one.reward("a0", Decimal(100), "EUR", was_reversed=False)
    (cost,) = told(one)["a"].costs
    assert cost.interval is not None
    assert (cost.interval[0], cost.interval[1] > 70) == (0, True)
    even = arm("a", 50, 5)
    for n in range(5):
        even.reward(f"a{n}", Decimal(10), "EUR", was_reversed=False)
    assert next(row[1] for row in table([told(even)["a"]])[1] if row[0] == "CAC") == "10.00 EUR"


def test_currencies_are_never_added() -> None:
    """Rewards in EUR and spend in USD are two costs, each per completed user; a badge costs nothing."""
    one = arm("one", 100, 10)
    one.reward("one0", Decimal("4.99"), "EUR", was_reversed=False)
    one.reward("one1", None, None, was_reversed=True)
    one.in_currency("USD").spend = Decimal(50)
    found = told(one)["one"]
    assert [(cost.currency, cost.per_completion) for cost in found.costs] == [
        ("EUR", Decimal("0.499")), ("USD", Decimal(5)),
    ]  # fmt: skip
    assert one.badges == (1, 1)


def test_increment_against_the_holdout() -> None:
    """Newcombe's published example as a test: 56 of 70 against 48 of 80 is 0.2, 0.0524 to 0.3339; 14 users more."""
    found = told(arm("a", 70, 56), arm("holdout", 80, 48, holdout=True))
    increment = found["a"].increment
    assert increment is not None
    assert increment.difference == pytest.approx(0.2)
    assert increment.interval == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert increment.users == pytest.approx(14)
    assert increment.users_interval == pytest.approx((70 * 0.0524, 70 * 0.3339), abs=5e-3)
    assert found["a"].says == "more complete than without the offer"
    assert found["holdout"].increment is None
    assert list(found)[-1] == "holdout"


def test_a_late_completion_counts() -> None:
    """Who was rewarded after the instance had expired has completed, once, however many rewards came."""
    late = arm("late", 40, 0)
    for _ in range(2):
        late.reward("u-1", Decimal(1), "EUR", was_reversed=False)
    assert told(late)["late"].completed == 1


@pytest.mark.parametrize(
    ("arms", "says"),
    [
        ([arm("a", 0, 0)], "nobody has entered"),
        ([arm("a", 29, 9)], "too few to judge: 29 entered, 9 completed"),
        ([arm("a", 900, 4)], "too few to judge: 900 entered, 4 completed"),
        ([arm("a", 900, 90)], "no holdout, so nobody knows who would have completed anyway"),
        ([arm("a", 900, 90), arm("h", 0, 0, holdout=True)],
         "no holdout, so nobody knows who would have completed anyway"),
        ([arm("a", 900, 90), arm("h", 10, 1, holdout=True)],
         "too few in the holdout to compare: 10 entered, 1 completed"),
        ([arm("a", 900, 90, own_completion=True), arm("h", 100, 10, holdout=True)],
         "completes by a condition of its own, which the holdout is not measured by"),
        ([arm("a", 900, 90), arm("h", 100, 10, holdout=True)], "no difference from the holdout is shown yet"),
        ([arm("a", 900, 90), arm("h", 900, 180, holdout=True)], "fewer complete than without the offer"),
    ],
)  # fmt: skip
def test_honest_words(arms: list[Arm], says: str) -> None:
    """What cannot be known is not claimed."""
    assert told(*arms)["a"].says == says


def test_nothing_is_divided_by_nobody() -> None:
    """Spend on an arm that nobody completed has no cost per user, and a rate of nobody is none."""
    empty = arm("empty", 0, 0)
    empty.in_currency("EUR").spend = Decimal(100)
    found = told(empty)["empty"]
    assert (found.rate, found.rate_interval) == (None, None)
    assert [(cost.per_completion, cost.interval) for cost in found.costs] == [(None, None)]

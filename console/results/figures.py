"""The figures of an offer's arms, from what each of their users did and got: pure, money in decimals to the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from console.results.intervals import Interval, Paid, cost_per_user, difference, proportion

FEW_USERS, FEW_COMPLETED = 30, 5
"""With fewer users, or fewer of them completed, no verdict is given, and a cost has no interval: a mean of so few
uneven rewards could be anything, and even ones would feign certainty."""
CENT_OF_CENT = Decimal("0.0001")


@dataclass
class Money:
    """Rewards and spend in one currency. ``per_user``: what each user got, less what was reversed."""

    satisfied: int = 0
    reversed: int = 0
    value: Decimal = Decimal(0)
    value_reversed: Decimal = Decimal(0)
    spend: Decimal = Decimal(0)
    per_user: dict[str, Decimal] = field(default_factory=dict)

    def add(self, user: str, value: Decimal, was_reversed: bool) -> None:
        """One reward that was announced."""
        self.satisfied += 1
        self.value += value
        if was_reversed:
            self.reversed += 1
            self.value_reversed += value
        self.per_user[user] = self.per_user.get(user, Decimal(0)) + (Decimal(0) if was_reversed else value)

    @property
    def cost(self) -> Decimal:
        return self.value - self.value_reversed + self.spend


@dataclass
class Arm:
    """A variant, or the holdout. ``entered`` and ``completed`` count users, ``entries`` instances: a user may be in an
    offer again. ``badges`` are rewards without a value, (satisfied, reversed). ``own_completion`` says that the arm
    completes by another condition than the holdout."""

    id: str
    holdout: bool = False
    own_completion: bool = False
    entries: int = 0
    entered: int = 0
    completed: set[str] = field(default_factory=set)
    money: dict[str, Money] = field(default_factory=dict)
    badges: tuple[int, int] = (0, 0)

    def reward(self, user: str, value: Decimal | None, currency: str | None, was_reversed: bool) -> None:
        self.completed.add(user)  # also where the completion came after the instance had expired
        if value is None or currency is None:
            self.badges = self.badges[0] + 1, self.badges[1] + was_reversed
        else:
            self.in_currency(currency).add(user, value, was_reversed)

    def in_currency(self, currency: str) -> Money:
        return self.money.setdefault(currency, Money())


@dataclass(frozen=True)
class Cost:
    """``per_completion`` is the CAC; None, like its interval, while it cannot be told. ``few``: the interval is None
    because the arm has too few users for one."""

    currency: str
    money: Money
    per_completion: Decimal | None
    interval: tuple[Decimal, Decimal] | None
    few: bool = False


@dataclass(frozen=True)
class Increment:
    """By how much more of the arm's users completed than of the holdout's, and how many users that makes."""

    difference: float
    interval: Interval
    users: float
    users_interval: Interval


@dataclass(frozen=True)
class Figures:
    """What is told of one arm."""

    arm: Arm
    completed: int
    rate: float | None
    rate_interval: Interval | None
    costs: Sequence[Cost]
    increment: Increment | None
    says: str


def figures(arms: Mapping[str, Arm], confidence: float) -> list[Figures]:
    """The figures of each arm, the holdout's last."""
    holdout = next((arm for arm in arms.values() if arm.holdout), None)
    order = sorted(arms.values(), key=lambda arm: arm.holdout)
    return [_figures(arm, holdout, confidence) for arm in order]


def _figures(arm: Arm, holdout: Arm | None, confidence: float) -> Figures:
    completed = len(arm.completed)
    increment = _increment(arm, holdout, confidence)
    return Figures(
        arm,
        completed,
        completed / arm.entered if arm.entered else None,
        proportion(completed, arm.entered, confidence),
        [_cost(arm, currency, confidence) for currency in sorted(arm.money)],
        increment,
        _says(arm, holdout, increment),
    )


def _increment(arm: Arm, holdout: Arm | None, confidence: float) -> Increment | None:
    if arm.holdout or holdout is None or arm.own_completion:
        return None
    mine, theirs = (len(arm.completed), arm.entered), (len(holdout.completed), holdout.entered)
    interval = difference(mine, theirs, confidence)
    if interval is None:
        return None
    more = mine[0] / mine[1] - theirs[0] / theirs[1]
    users = Interval(interval.low * arm.entered, interval.high * arm.entered)
    return Increment(more, interval, more * arm.entered, users)


def _cost(arm: Arm, currency: str, confidence: float) -> Cost:
    money, users = arm.money[currency], len(arm.completed)
    if not users:
        return Cost(currency, money, None, None)
    per_completion = _rounded(money.cost / users)
    if _few(arm):
        return Cost(currency, money, per_completion, None, few=True)
    got = [float(value) for value in money.per_user.values()]
    paid = Paid(users, sum(got), sum(value * value for value in got))
    interval = cost_per_user(paid, float(money.spend), arm.entered, confidence)
    if interval is None:
        return Cost(currency, money, per_completion, None)
    low = max(0.0, interval.low)  # neither rewards nor spend can be negative
    return Cost(currency, money, per_completion, (_rounded(Decimal(low)), _rounded(Decimal(interval.high))))


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(CENT_OF_CENT, ROUND_HALF_EVEN)


def _says(arm: Arm, holdout: Arm | None, increment: Increment | None) -> str:
    """A sentence for whoever reads only that."""
    if not arm.entered:
        return "nobody has entered"
    if _few(arm):
        return f"too few to judge: {arm.entered} entered, {len(arm.completed)} completed"
    if arm.holdout:
        return "what happens without the offer"
    if holdout is None or not holdout.entered:
        return "no holdout, so nobody knows who would have completed anyway"
    if increment is None:
        return "completes by a condition of its own, which the holdout is not measured by"
    if _few(holdout):
        return f"too few in the holdout to compare: {holdout.entered} entered, {len(holdout.completed)} completed"
    if increment.interval.low > 0:
        return "more complete than without the offer"
    if increment.interval.high < 0:
        return "fewer complete than without the offer"
    return "no difference from the holdout is shown yet"


def _few(arm: Arm) -> bool:
    return arm.entered < FEW_USERS or len(arm.completed) < FEW_COMPLETED

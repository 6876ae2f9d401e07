"""The figures as a table for people, an arm a column, and as JSON for programs: money in strings, shares as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from console.results.figures import Cost, Figures
from console.results.intervals import Interval
from offerflow.amounts import amount
from offerflow.runtime.store.spend import Spent

_FIGURES = ("entered", "completed", "rate", "rewards", "spend", "CAC", "increment", "")


def table(found: Sequence[Figures]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: a figure a row, an arm a column. What there is in several currencies takes a line each."""
    cells = [_cells(one) for one in found]
    rows = [[name, *(cell[n] for cell in cells)] for n, name in enumerate(_FIGURES)]
    return ["", *(one.arm.id for one in found)], [row for row in rows if any(row[1:])]


def conclusions(found: Sequence[Figures]) -> list[str]:
    """A sentence for each arm."""
    return [f"{one.arm.id}: {one.says}" for one in found]


def _cells(one: Figures) -> Sequence[str]:
    satisfied, reversed_ = one.arm.badges
    badges = [f"{satisfied}{_less(reversed_)} without value"] if satisfied else []
    rewards = [_rewards(cost) for cost in one.costs if cost.money.satisfied]
    return (
        str(one.arm.entered),
        str(one.completed),
        _percent(one.rate, one.rate_interval),
        "\n".join([*rewards, *badges]),
        "\n".join(_money(cost.money.spend, cost.currency) for cost in one.costs if cost.money.spend),
        "\n".join(_cac(cost) for cost in one.costs),
        *_increment(one),
    )


def as_json(one: Figures) -> dict[str, Any]:
    """What `--output json` has of an arm; null is what cannot be told."""
    increment = one.increment and {
        "difference": one.increment.difference,
        "interval": list(one.increment.interval),
        "users": one.increment.users,
        "users_interval": list(one.increment.users_interval),
    }
    return {
        "arm": one.arm.id,
        "holdout": one.arm.holdout,
        "entries": one.arm.entries,
        "entered": one.arm.entered,
        "completed": one.completed,
        "rate": one.rate,
        "rate_interval": one.rate_interval and list(one.rate_interval),
        "rewards_without_value": {"satisfied": one.arm.badges[0], "reversed": one.arm.badges[1]},
        "money": [_cost_json(cost) for cost in one.costs],
        "increment": increment,
        "says": one.says,
    }


def spend_json(spent: Iterable[Spent]) -> list[dict[str, str]]:
    return [{"arm": arm, "amount": amount(value), "currency": currency} for arm, currency, value in spent]


def spend_rows(before: Iterable[Spent], now: Iterable[Spent]) -> list[tuple[str, str, str]]:
    """Arm, spend, and what it was before where that was something else."""
    was = {(arm, currency): value for arm, currency, value in before}
    rows = []
    for arm, currency, value in now:
        old = was.pop((arm, currency), value)
        rows.append((arm, _money(value, currency), f"was {amount(old)}" if old != value else ""))
    rows += [(arm, "", f"was {_money(value, currency)}") for (arm, currency), value in was.items()]
    return rows


def _cost_json(cost: Cost) -> dict[str, Any]:
    money = cost.money
    return {
        "currency": cost.currency,
        "satisfied": money.satisfied,
        "reversed": money.reversed,
        "value": amount(money.value),
        "value_reversed": amount(money.value_reversed),
        "spend": amount(money.spend),
        "cost": amount(money.cost),
        "cac": amount(cost.per_completion) if cost.per_completion is not None else None,
        "cac_interval": [amount(end) for end in cost.interval] if cost.interval else None,
    }


def _rewards(cost: Cost) -> str:
    money = cost.money
    worth = _money(money.value - money.value_reversed, cost.currency)
    return f"{money.satisfied}{_less(money.reversed)}: {worth}"


def _less(count: int) -> str:
    return f" (-{count})" if count else ""


def _cac(cost: Cost) -> str:
    if cost.per_completion is None:
        return f"? {cost.currency}"
    return _money(_cents(cost.per_completion), cost.currency) + _around(cost)


def _around(cost: Cost) -> str:
    if cost.few:
        return " (n too small)"
    if cost.interval is None or cost.interval[0] == cost.interval[1]:  # all cost the same: nothing is left to chance
        return ""
    return " [{}, {}]".format(*(amount(_cents(end)) for end in cost.interval))


def _increment(one: Figures) -> tuple[str, str]:
    if one.increment is None:
        return "", ""
    low, high = one.increment.users_interval
    users = f"{one.increment.users:+.0f} users [{low:+.0f}, {high:+.0f}]"
    return _percent(one.increment.difference, one.increment.interval, "+"), users


def _percent(share: float | None, interval: Interval | None, sign: str = "") -> str:
    if share is None:
        return ""
    around = f" [{interval.low * 100:{sign}.1f}, {interval.high * 100:{sign}.1f}]" if interval else ""
    return f"{share * 100:{sign}.1f}%{around}"


def _money(value: Decimal, currency: str) -> str:
    return f"{amount(value)} {currency}"


def _cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"))

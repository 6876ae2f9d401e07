"""What hits amount to: the number that a leaf's measure makes of them, and its comparison with the bounds.

Sums and averages are exact: a double counts as the shortest decimal that reads back as it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from offerflow.rules.conditions import Bounds, Leaf
from offerflow.rules.state import Hit

Number = int | Decimal

EXACT = Context(prec=1500)
"""Digits enough for any sum of doubles."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def day_of(time: int, zone: ZoneInfo) -> int:
    """The number of the calendar day in ``zone`` that ``time`` falls into."""
    try:
        return (_EPOCH + timedelta(milliseconds=time)).astimezone(zone).toordinal()
    except OverflowError:  # beyond the calendar, which ends with the years 1 and 9999
        return (datetime.min if time < 0 else datetime.max).toordinal()


def decimal_of(value: Any) -> Decimal:
    """A number as the decimal it is written as."""
    return Decimal(repr(value)) if value.__class__ is float else Decimal(value)


def apart(value: Any) -> Any:
    """A value that equals another where both are the same to rules: ``true`` is not 1."""
    return (True, value) if value.__class__ is bool else value


def compared(bounds: Bounds) -> Callable[[Number], bool]:
    """Whether a number is within all ``bounds``."""
    least, more, most, less, equal = (
        bounds.at_least, bounds.more_than, bounds.at_most, bounds.less_than, bounds.exactly,
    )  # fmt: skip
    if more is most is less is equal is None and least is not None:
        return lambda number: number >= least

    def within(number: Number) -> bool:
        return (
            (least is None or number >= least)
            and (more is None or number > more)
            and (most is None or number <= most)
            and (less is None or number < less)
            and (equal is None or number == equal)
        )

    return within


def measured(leaf: Leaf, hits: Sequence[Hit], at: int) -> Number | None:
    """The number that ``leaf`` compares, of the hits in its window at the moment ``at``; None where there is none to
    compare. A gap counts its hits."""
    kind = leaf.measure.kind
    if kind in ("count", "gap"):
        return len(hits)
    if kind == "distinct":
        return len({apart(hit.value) for hit in hits})
    if kind == "days":
        return len({hit.value for hit in hits})
    if kind == "streak":
        return _streak(leaf, hits, at)
    if kind == "sum":
        return _sum(hits)
    if not hits:
        return None
    if kind == "min":
        return decimal_of(min(hit.value for hit in hits))
    if kind == "max":
        return decimal_of(max(hit.value for hit in hits))
    return EXACT.divide(_sum(hits), Decimal(len(hits)))


def holds_of(leaf: Leaf) -> Callable[[Sequence[Hit], int], bool]:
    """Whether the measure of ``leaf`` compares as asked, of the hits in its window at a moment."""
    kind = leaf.measure.kind
    if kind == "gap":
        return lambda hits, at: bool(hits)
    within = compared(leaf.measure.bounds)
    if kind == "count":
        return lambda hits, at: within(len(hits))
    if kind == "average":
        bounds = leaf.measure.bounds
        return lambda hits, at: bool(hits) and compared(_times(bounds, len(hits)))(_sum(hits))

    def holds(hits: Sequence[Hit], at: int) -> bool:
        number = measured(leaf, hits, at)
        return number is not None and within(number)

    return holds


def _sum(hits: Sequence[Hit]) -> Decimal:
    total = Decimal(0)
    for hit in hits:
        total = EXACT.add(total, decimal_of(hit.value))
    return total


def _times(bounds: Bounds, count: int) -> Bounds:
    """Bounds of a sum of ``count`` numbers where ``bounds`` are those of their average: no division, so no rounding."""

    def many(bound: Number | None) -> Decimal | None:
        return None if bound is None else EXACT.multiply(Decimal(bound), Decimal(count))

    return Bounds(
        many(bounds.at_least), many(bounds.more_than), many(bounds.at_most), many(bounds.less_than),
        many(bounds.exactly),
    )  # fmt: skip


def _streak(leaf: Leaf, hits: Sequence[Hit], at: int) -> int:
    zone = leaf.measure.zone
    if not hits or zone is None:
        return 0
    days = {hit.value for hit in hits}
    last: int = hits[-1].value
    if last < day_of(at, zone) - 1:
        return 0
    first = last
    while first - 1 in days:
        first -= 1
    return last - first + 1

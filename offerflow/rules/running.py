"""A leaf asked at many moments in one pass: what it measures runs along with the window, hit after hit.

What measures mean is said in offerflow.rules.measures; here a late event of an entity with thousands of hits does not
cost thousands of sums.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from operator import eq, ge, gt, le, lt
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from offerflow.rules.conditions import Leaf
from offerflow.rules.measures import EXACT, Number, apart, compared, day_of, decimal_of
from offerflow.rules.state import Hit
from offerflow.rules.views import TIME, Sight

Answers = Callable[[Sight, Sequence[int]], list[bool]]
"""What a condition says at each of some moments, which are in order."""


class Window(Protocol):
    """What a measure keeps of the hits in the window: they come in order, and the oldest goes first."""

    def add(self, hit: Hit) -> None: ...
    def drop(self, hit: Hit) -> None: ...
    def holds(self, at: int, count: int) -> bool: ...


def running(leaf: Leaf) -> Answers:
    """Whether the measure of ``leaf`` compares as asked."""
    kind, within = leaf.measure.kind, compared(leaf.measure.bounds)
    if kind == "count":
        return lambda view, moments: [within(end - start) for start, end in _spans(view, leaf, moments)[1]]
    if kind == "gap":
        return lambda view, moments: [end > start for start, end in _spans(view, leaf, moments)[1]]

    def answers(view: Sight, moments: Sequence[int]) -> list[bool]:
        hits, spans = _spans(view, leaf, moments)
        window, found = _window(leaf, within), []
        first = last = spans[0][0]
        for at, (start, end) in zip(moments, spans, strict=True):
            for hit in hits[last:end]:
                window.add(hit)
            for hit in hits[first:start]:
                window.drop(hit)
            first, last = start, max(last, end)
            found.append(window.holds(at, end - start))
        return found

    return answers


def _spans(view: Sight, leaf: Leaf, moments: Sequence[int]) -> tuple[Sequence[Hit], list[tuple[int, int]]]:
    """The hits of the leaf, and of every moment where its window begins and ends among them: neither ever goes back."""
    window = leaf.window
    hits = view.hits(leaf.key, window.since_entry)
    times = list(map(TIME, hits))
    spans = []
    for at in moments:
        end = bisect_right(times, at if window.end is None else min(at, window.end))
        first = window.start
        if window.within is not None:
            rolling = (at if window.since_entry else max(at, view.horizon)) - window.within
            first = rolling if first is None or rolling > first else first
        spans.append((0 if first is None else bisect_left(times, first, hi=end), end))
    return hits, spans


def _window(leaf: Leaf, within: Callable[[Number], bool]) -> Window:
    kind, bounds, zone = leaf.measure.kind, leaf.measure.bounds, leaf.measure.zone
    if kind == "sum":
        return _Sum(within)
    if kind == "average":
        asked = zip(
            (ge, gt, le, lt, eq),
            (bounds.at_least, bounds.more_than, bounds.at_most, bounds.less_than, bounds.exactly), strict=True,
        )  # fmt: skip
        return _Average((compare, Decimal(bound)) for compare, bound in asked if bound is not None)
    if kind in ("min", "max"):
        return _Extreme(within, lt if kind == "min" else gt)
    if kind == "streak" and zone is not None:
        return _Streak(within, zone)
    return _Different(within)


class _Sum:
    def __init__(self, within: Callable[[Number], bool]) -> None:
        self._within = within
        self._total = Decimal(0)

    def add(self, hit: Hit) -> None:
        self._total = EXACT.add(self._total, decimal_of(hit.value))

    def drop(self, hit: Hit) -> None:
        self._total = EXACT.subtract(self._total, decimal_of(hit.value))

    def holds(self, at: int, count: int) -> bool:
        return self._within(self._total)


class _Average(_Sum):
    """Compares the sum with the bounds times the count: no division, so no rounding."""

    def __init__(self, bounds: Iterable[tuple[Callable[[Decimal, Decimal], bool], Decimal]]) -> None:
        super().__init__(bool)
        self._bounds = list(bounds)

    def holds(self, at: int, count: int) -> bool:
        total = self._total
        return count > 0 and all(compare(total, EXACT.multiply(bound, count)) for compare, bound in self._bounds)


class _Extreme:
    """Of the hits those that no later one is better than: the first is the best."""

    def __init__(self, within: Callable[[Number], bool], better: Callable[[Any, Any], bool]) -> None:
        self._within = within
        self._better = better
        self._best: deque[Hit] = deque()

    def add(self, hit: Hit) -> None:
        while self._best and self._better(hit.value, self._best[-1].value):
            self._best.pop()
        self._best.append(hit)

    def drop(self, hit: Hit) -> None:
        if self._best[0] is hit:
            self._best.popleft()

    def holds(self, at: int, count: int) -> bool:
        return count > 0 and self._within(decimal_of(self._best[0].value))


class _Different:
    """How many different values, or days."""

    def __init__(self, within: Callable[[Number], bool]) -> None:
        self._within = within
        self._counts: dict[Any, int] = {}

    def add(self, hit: Hit) -> None:
        value = apart(hit.value)
        self._counts[value] = self._counts.get(value, 0) + 1

    def drop(self, hit: Hit) -> None:
        value = apart(hit.value)
        left = self._counts[value] = self._counts[value] - 1
        if not left:
            del self._counts[value]

    def holds(self, at: int, count: int) -> bool:
        return self._within(len(self._counts))


class _Streak(_Different):
    """The run of days that ends at the last hit's, from ``_first`` to ``_last``."""

    def __init__(self, within: Callable[[Number], bool], zone: ZoneInfo) -> None:
        super().__init__(within)
        self._zone = zone
        self._first = self._last = self._time = 0

    def add(self, hit: Hit) -> None:
        super().add(hit)
        day: int = hit.value
        self._time = hit.time
        # Where clocks are set back at midnight, a later hit may fall into the day before.
        if len(self._counts) == 1 or day > self._last + 1:
            self._first = day
        elif day < self._last:
            self._first = day
            while self._first - 1 in self._counts:
                self._first -= 1
        self._last = day

    def drop(self, hit: Hit) -> None:
        super().drop(hit)
        if hit.value not in self._counts and self._first <= hit.value <= self._last:
            self._first = hit.value + 1

    def holds(self, at: int, count: int) -> bool:
        if not count or (at != self._time and self._last < day_of(at, self._zone) - 1):
            return self._within(0)
        return self._within(self._last - self._first + 1)

"""Measures: what a leaf compares, whether that can ever hold, and how it is said."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast
from zoneinfo import ZoneInfo

from offerflow.rules.compiling.plan import Subject
from offerflow.rules.compiling.problems import Refused
from offerflow.rules.conditions import Bounds, Getter, Measure, MeasureKind, Window
from offerflow.rules.definitions.conditions import COMPARISONS, Node
from offerflow.rules.durations import DAY, HOUR, written
from offerflow.rules.events import Event, Kind, PropertyType
from offerflow.rules.expressions import event_property
from offerflow.rules.expressions.amounts import decimal
from offerflow.rules.expressions.ranges import Range
from offerflow.rules.ids import short_text

WORDS = {
    "at_least": "at least", "more_than": "more than", "at_most": "at most", "less_than": "less than",
    "exactly": "exactly",
}  # fmt: skip
_SIGNS = {"at_least": ">=", "more_than": ">", "at_most": "<=", "less_than": "<", "exactly": "=="}
_NAMES = {"distinct": "the number of different values", "days": "the number of days"}
_COUNTING = ("count", "distinct", "days", "streak")
_SCALARS = (Kind.STRING, Kind.ENUM, Kind.NUMBER, Kind.BOOLEAN, Kind.TIME, Kind.ANY)


def measure_of(
    node: Node, subject: Subject, window: Window, zone: ZoneInfo, max_hits: int
) -> tuple[Measure, Getter | None, str]:
    """The measure of an event leaf, what it measures, and the name of that property. Raises Refused."""
    kind = cast(MeasureKind, node.measure or "count")
    written_as = getattr(node, kind)
    given = _given(kind, written_as)
    value, of, planned = None, "", None
    if kind in ("sum", "min", "max", "average", "distinct"):
        of = written_as.of
        try:
            prop, planned = subject.property(of, "of")
        except Refused as error:
            raise Refused(error.message, kind, *error.path) from None
        _check_kind(kind, of, planned)
        value = scalar(event_property(prop)) if kind == "distinct" else number(event_property(prop))
    _check_possible(kind, given, planned)
    if kind in _COUNTING:
        _check_fits(kind, given, max_hits, window, zone)
    bounds = Bounds(**{name: _bound(kind, one) for name, one in given.items()})
    return Measure(kind, bounds, zone if kind in ("days", "streak") else None), value, of


def said(measure: Measure, of: str, event: str) -> str:
    """``at least 3 Purchase Completed``; ``event`` is the event with its expression."""
    as_text = written if measure.kind == "gap" else str
    compared = " and ".join(f"{words} {as_text(bound)}" for name, words in WORDS.items()
                            if (bound := getattr(measure.bounds, name)) is not None)  # fmt: skip
    match measure.kind:
        case "count":
            return f"{compared} {event}"
        case "distinct":
            return f"{compared} different {of} of {event}"
        case "days":
            return f"{event} on {compared} days"
        case "streak":
            return f"{event} on {compared} days in a row"
        case "gap":
            return f"{event} {compared} after the one before"
    return f"{measure.kind} of {of} of {event} {compared}"


def satisfied(bounds: Bounds, value: Decimal | int) -> bool:
    """Whether ``value`` compares as all the bounds ask."""
    return (
        (bounds.at_least is None or value >= bounds.at_least)
        and (bounds.more_than is None or value > bounds.more_than)
        and (bounds.at_most is None or value <= bounds.at_most)
        and (bounds.less_than is None or value < bounds.less_than)
        and (bounds.exactly is None or value == bounds.exactly)
    )


def number(get: Callable[[Any], Any]) -> Getter:
    """A number that is one, else None: booleans and what is not finite are none."""

    def read(event: Event) -> Any:
        value = get(event)
        if type(value) is int or (type(value) is float and math.isfinite(value)):
            return value
        return None

    return read


def scalar(get: Callable[[Any], Any]) -> Getter:
    """A value that can equal another, as it is kept, else None."""

    def read(event: Event) -> Any:
        value = get(event)
        return short_text(value) if type(value) in (str, int, float, bool) else None

    return read


def check_scalar(of: str, planned: PropertyType, role: str) -> None:
    """Raises Refused where values of ``of`` cannot be told apart."""
    if planned.kind not in _SCALARS:
        raise Refused(f"{of} is {planned.kind.said}; expected a property that can be compared", role)


def _given(kind: str, written_as: Any) -> dict[str, Any]:
    found = {name: one for name in COMPARISONS if (one := getattr(written_as, name, None)) is not None}
    if kind == "gap":
        return {name: one.milliseconds for name, one in found.items()}
    return found or {"at_least": 1}


def _bound(kind: str, value: Any) -> Decimal | int:
    return value if kind in _COUNTING or kind == "gap" else decimal(value)


def _check_kind(kind: str, of: str, planned: PropertyType) -> None:
    if kind == "distinct":
        check_scalar(of, planned, kind)
    elif planned.kind not in (Kind.NUMBER, Kind.ANY):
        raise Refused(f"{of} is {planned.kind.said}; expected a property that is a number", kind, "of")


def _check_possible(kind: str, given: Mapping[str, Any], planned: PropertyType | None) -> None:
    """Whether any number compares as asked, and any that the plan allows."""
    left = Range()
    for name, value in given.items():
        left.take(_SIGNS[name], value, kind in _COUNTING)
    if left.empty:
        asked = " and ".join(f"{name} {_shown(kind, value)}" for name, value in given.items())
        raise Refused(f"is never true: {asked} exclude each other", kind)
    low, high, above = _reach(kind, planned)
    left = Range(low, high, above)
    for name, value in given.items():
        left.take(_SIGNS[name], value, kind in _COUNTING)
        if left.empty:
            what = "by the event plan" if kind in ("sum", "min", "max", "average") or planned else "whatever comes"
            said_low = (
                f"{'more than' if above else 'at least'} {_shown(kind, low)}"
                if low is not None and (above or high is None or low)
                else ""
            )
            said_high = f"at most {high}" if high is not None else ""
            reach = " and ".join(part for part in (said_low, said_high) if part)
            raise Refused(f"is never true: {_NAMES.get(kind, f'the {kind}')} is {reach} {what}", kind, name)


def _reach(kind: str, planned: PropertyType | None) -> tuple[float | None, float | None, bool]:
    """The least and the greatest that a measure can be; whether the least is out."""
    if kind == "gap":
        return 0, None, True
    if kind in _COUNTING:
        symbols = 2 if planned is not None and planned.kind is Kind.BOOLEAN else len(planned.symbols) if planned else 0
        return 0, symbols or None, False
    assert planned is not None  # noqa: S101 - the measures of a property
    low, high = planned.minimum, planned.maximum
    if kind == "sum":  # of nothing it is 0
        return (0 if low is not None and low >= 0 else None), (0 if high is not None and high <= 0 else None), False
    return low, high, False


def _shown(kind: str, value: Any) -> str:
    return written(value) if kind == "gap" else f"{value:g}" if isinstance(value, float) else str(value)


def _check_fits(kind: str, given: Mapping[str, Any], max_hits: int, window: Window, zone: ZoneInfo) -> None:
    for name, value in given.items():
        if value > max_hits:
            more = "" if max_hits == 10_000 else "; expected less, or a larger max_hits (at most 10000)"
            raise Refused(f"{value} is beyond the {max_hits} hits that the leaf keeps (max_hits){more}", kind, name)
    least = max((value + (name == "more_than") for name, value in given.items()
                 if name in ("at_least", "more_than", "exactly")), default=0)  # fmt: skip
    room = _days(window, zone)
    if kind in ("days", "streak") and room is not None and least > room:
        raise Refused(f"{least} days do not fit into the window, which touches at most {room}", kind)


def _days(window: Window, zone: ZoneInfo) -> int | None:
    """How many calendar days a window can touch. Where clocks are changed a day may have an hour or two less."""
    if window.within is not None:
        spare = 0 if zone.key == "UTC" else 2 * HOUR
        return (window.within + spare - 1) // DAY + 2
    if window.start is not None and window.end is not None:
        return (
            (window.end - window.start) // DAY + (1 if (window.end - window.start) % DAY else 0) + (zone.key != "UTC")
        )
    return None

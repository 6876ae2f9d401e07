"""Arithmetic as CEL has it: integers of 64 bits, doubles, and nothing in place of what has no result.

Durations and times are integers of milliseconds by then, so the same operations serve them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

_LOW, _HIGH = -(2**63), 2**63 - 1
_NUMBERS = (int, float)


def _plus(a: Any, b: Any) -> Any:
    return a + b


def _minus(a: Any, b: Any) -> Any:
    return a - b


def _times(a: Any, b: Any) -> Any:
    return a * b


def _divided(a: Any, b: Any) -> Any:
    if type(a) is float or type(b) is float:
        return a / b
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _remainder(a: Any, b: Any) -> Any:
    if type(a) is float or type(b) is float:
        return None
    return a - b * _divided(a, b)


def _operation(apply: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def operation(a: Any, b: Any) -> Any:
        if type(a) not in _NUMBERS or type(b) not in _NUMBERS:
            return None
        try:
            return _representable(apply(a, b))
        except (ZeroDivisionError, OverflowError):
            return None

    return operation


def _representable(value: Any) -> Any:
    if type(value) is int:
        return value if _LOW <= value <= _HIGH else None
    return value if value is not None and math.isfinite(value) else None


def negative(value: Any) -> Any:
    """``-value``, or None where there is none."""
    return _representable(-value) if type(value) in _NUMBERS else None


OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": _operation(_plus), "-": _operation(_minus), "*": _operation(_times), "/": _operation(_divided),
    "%": _operation(_remainder),
}  # fmt: skip
"""By sign; each is None of what is no number and where there is no result."""

"""Functions of expressions. What is asked of something missing, or of another type, is missing: None."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from offerflow.rules.expressions.patterns import compiled

_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _size(value: Any, _: Any) -> int | None:
    return len(value) if isinstance(value, str | list | dict) else None


def _lower_ascii(value: Any, _: Any) -> str | None:
    return value.translate(_LOWER) if type(value) is str else None


def _of_strings(apply: Callable[[str, str], bool]) -> Callable[[Any, Any], bool | None]:
    return lambda value, other: apply(value, other) if type(value) is str and type(other) is str else None


FUNCTIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "size": _size,
    "lowerAscii": _lower_ascii,
    "startsWith": _of_strings(str.startswith),
    "endsWith": _of_strings(str.endswith),
    "contains": _of_strings(lambda value, other: other in value),
}


def matching(pattern: str) -> Callable[[Any], bool | None]:
    """Whether a string has a match of ``pattern`` anywhere. RE2 takes time in proportion to the string; given bytes it
    does not also count the characters before each group."""
    search = compiled(pattern).search
    return lambda value: search(value.encode("utf-8", "surrogatepass")) is not None if type(value) is str else None

"""Expressions, evaluated while they are read: no tree, no types, nothing prepared.

A comparison with what is missing or of another type is false, and that includes ``!=``; what has no result is missing.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, DivisionByZero, InvalidOperation
from functools import cache
from typing import Any

MISSING = object()
_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    r"""|(?P<double>\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)|(?P<int>\d+)"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<sign>\|\||&&|==|!=|<=|>=|[<>!()\[\],.+*/%-]))""",
    re.DOTALL,
)
_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": Decimal("0.001")}


@dataclass(frozen=True, order=True)
class Stamp:
    """A point in time, in milliseconds since 1970 UTC."""

    at: Decimal


@dataclass(frozen=True, order=True)
class Span:
    """A length of time, in milliseconds."""

    long: Decimal


def holds(text: str, properties: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> bool:
    """Whether ``text`` is true of an event with these properties. Points in time come as ``Stamp``."""
    return _Reading(text, {**properties, "meta": dict(meta or {})}, exact=False).whole() is True


def amount(text: str, properties: Mapping[str, Any]) -> Decimal | None:
    """What ``text`` comes to in decimals, a double being the shortest decimal that reads back as it; None without
    result."""
    value = _Reading(text, properties, exact=True).whole()
    return value if isinstance(value, Decimal) else None


@cache
def names(text: str) -> frozenset[str]:
    """What is looked up: identifiers that are neither functions nor behind a dot."""
    tokens = _tokens(text)
    found = set()
    for at, (kind, word) in enumerate(tokens):
        behind_dot = at > 0 and tokens[at - 1][1] == "."
        called = at + 1 < len(tokens) and tokens[at + 1][1] == "("
        if kind == "name" and not behind_dot and not called and word not in ("true", "false", "null", "in", "meta"):
            found.add(word)
    return frozenset(found)


@cache
def _tokens(text: str) -> tuple[tuple[str, str], ...]:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"cannot read {text[at:]!r}")
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        at = match.end()
    return tuple(found)


class _Reading:
    """``exact``: numbers are decimals, as in the value of a reward."""

    def __init__(self, text: str, properties: Mapping[str, Any], exact: bool) -> None:
        self._text, self._properties, self._exact = text, properties, exact
        self._left = list(_tokens(text))[::-1]

    def whole(self) -> Any:
        value = self._any()
        if self._left:
            raise ValueError(f"{self._text!r} has {self._left[-1][1]!r} too many")
        return value

    def _next(self) -> str:
        return self._left[-1][1] if self._left and self._left[-1][0] in ("sign", "name") else ""

    def _take(self, *words: str) -> str:
        """The next token if it is one of ``words``, else nothing."""
        return self._left.pop()[1] if self._next() in words else ""

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise ValueError(f"{self._text!r} lacks {word!r}")

    def _any(self) -> Any:
        return self._logic("||", any, lambda: self._logic("&&", all, self._compared))

    def _logic(self, word: str, combine: Callable[[list[bool]], bool], part: Callable[[], Any]) -> Any:
        found = [part()]
        while self._take(word):
            found.append(part())
        return found[0] if len(found) == 1 else combine([one is True for one in found])

    def _compared(self) -> Any:
        left = self._sum()
        word = self._take("==", "!=", "<=", ">=", "<", ">", "in")
        if not word:
            return left
        found = compare(word, left, self._sum())
        if self._next() in ("==", "!=", "<=", ">=", "<", ">", "in"):
            raise ValueError(f"{self._text!r} has two comparisons side by side")
        return found

    def _sum(self) -> Any:
        value = self._product()
        while word := self._take("+", "-"):
            value = _reckon(word, value, self._product())
        return value

    def _product(self) -> Any:
        value = self._unary()
        while word := self._take("*", "/", "%"):
            value = _reckon(word, value, self._unary())
        return value

    def _unary(self) -> Any:
        if self._take("!"):
            return self._unary() is not True
        if self._take("-"):
            value = self._unary()
            return _held(-value) if _kind(value) == "number" else MISSING
        if self._take("+"):
            return self._unary()
        value = self._primary()
        while self._take("."):
            name = self._left.pop()[1] if self._left else ""
            if self._next() == "(":
                value = _method(name, value, self._arguments(")", "("))
            elif not re.fullmatch(r"[A-Za-z_]\w*", name):
                raise ValueError(f"{self._text!r} has nothing behind a dot")
            else:
                value = self._known(value.get(name)) if isinstance(value, Mapping) else MISSING
        return value

    def _arguments(self, end: str, start: str) -> list[Any]:
        self._need(start)
        found = []
        while not self._take(end):
            found.append(self._any())
            if not self._take(","):
                self._need(end)
                break
        return found

    def _primary(self) -> Any:
        if self._next() == "[":
            return self._arguments("]", "[")
        if self._take("("):
            value = self._any()
            self._need(")")
            return value
        if not self._left:
            raise ValueError(f"{self._text!r} ends too early")
        kind, word = self._left.pop()
        if kind == "text":
            return ast.literal_eval(word)
        if kind in ("int", "double"):
            return Decimal(word) if self._exact else int(word) if kind == "int" else float(word)
        if kind != "name" or word == "in":
            raise ValueError(f"{self._text!r} has {word!r} where a value should be")
        if self._next() == "(":
            return _function(word, self._arguments(")", "("))
        return {"true": True, "false": False, "null": MISSING}.get(word, self._known(self._properties.get(word)))

    def _known(self, value: Any) -> Any:
        if value is None:
            return MISSING
        if self._exact and _kind(value) == "number":
            return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        return value


def compare(word: str, left: Any, right: Any) -> bool:
    """``word`` is a comparison or ``in``."""
    if word == "in":
        return isinstance(right, list) and any(compare("==", left, item) for item in right)
    kind = _kind(left)
    if kind != _kind(right) or kind not in ("number", "text", "truth", "Stamp", "Span"):
        return False
    if word in ("==", "!="):
        return bool((left == right) == (word == "=="))
    if kind == "truth":
        return False
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[word])


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float | Decimal):
        return "number"
    return "text" if isinstance(value, str) else type(value).__name__


def _reckon(word: str, left: Any, right: Any) -> Any:
    kinds = (_kind(left), word, _kind(right))
    if kinds == ("Stamp", "-", "Stamp"):
        return Span(left.at - right.at)
    if kinds in (("Stamp", "+", "Span"), ("Stamp", "-", "Span")):
        return Stamp(left.at + right.long * (1 if word == "+" else -1))
    if kinds[0] != "number" or kinds[2] != "number":
        return MISSING
    try:
        return _held(_numbers(word, left, right))
    except (ZeroDivisionError, OverflowError, DivisionByZero, InvalidOperation):
        return MISSING


def _numbers(word: str, left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1) if word in "/%" else 0
        return {"+": left + right, "-": left - right, "*": left * right, "/": quotient,
                "%": left - quotient * right}[word]  # fmt: skip
    if not isinstance(left, Decimal):
        left, right = float(left), float(right)
    match word:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
    return math.fmod(left, right) if isinstance(left, float) else left % right


def _held(value: Any) -> Any:
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else MISSING
    return value if math.isfinite(value) else MISSING


def _function(name: str, given: list[Any]) -> Any:
    (value,) = given if len(given) == 1 else [MISSING]
    match name:
        case "is_set":
            return value is not MISSING
        case "size":
            return len(value) if isinstance(value, str | list | Mapping) else MISSING
        case "timestamp" if isinstance(value, str):
            return Stamp(Decimal(str(datetime.fromisoformat(value).timestamp())) * 1000)
        case "duration" if isinstance(value, str):
            parts = re.findall(r"([\d.]+)(ms|h|m|s)", value)
            return Span(sum((Decimal(number) * _SECONDS[unit] * 1000 for number, unit in parts), Decimal(0)))
    if name in ("timestamp", "duration"):
        return MISSING
    raise ValueError(f"there is no function {name}")


def _method(name: str, value: Any, given: list[Any]) -> Any:
    if name not in ("startsWith", "endsWith", "contains", "matches", "lowerAscii"):
        raise ValueError(f"there is no function {name}")
    if not all(isinstance(one, str) for one in (value, *given)):
        return MISSING
    if name == "lowerAscii":
        return "".join(chr(ord(one) + 32) if "A" <= one <= "Z" else one for one in value)
    (other,) = given
    match name:
        case "startsWith":
            return value.startswith(other)
        case "endsWith":
            return value.endswith(other)
        case "contains":
            return other in value
    return re.search(other, value) is not None

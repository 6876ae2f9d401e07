"""Text to tokens, and what the literals among them mean."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from offerflow.rules.expressions.syntax import ExpressionError

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|[0-9]+))
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<op>==|!=|<=|>=|&&|\|\||[-+*/%<>!()\[\],.?:])
    )""",
    re.VERBOSE,
)
_ESCAPES = {
    "n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
    "\\": "\\", '"': '"', "'": "'", "`": "`", "?": "?",
}  # fmt: skip
_UNITS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_SPAN = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?(?:ms|[wdhms]))+")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})")


@dataclass(frozen=True, slots=True)
class Token:
    """``kind``: number, name, string, op or end."""

    kind: str
    text: str
    column: int


def tokens(text: str) -> list[Token]:
    """Raises ExpressionError at what is none."""
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            column = at + len(text[at:]) - len(text[at:].lstrip()) + 1
            sign = text[column - 1]
            hint = f"; did you mean '{sign}{sign}'?" if sign in "=&|" else ""
            raise ExpressionError(f"cannot read {sign!r} here{hint}", column)
        kind = str(match.lastgroup)
        found.append(Token(kind, match[kind], match.start(kind) + 1))
        at = match.end()
    return [*found, Token("end", "the end", len(text) + 1)]


def number(token: Token) -> int | float:
    """CEL's int and double are 64 bits wide."""
    if not token.text.isdigit():
        if not math.isfinite(value := float(token.text)):
            raise ExpressionError("the number is too large for a double", token.column)
        return value
    digits = token.text.lstrip("0") or "0"
    if len(digits) > 19 or int(digits) >= 2**63:
        raise ExpressionError("the number is too large for an integer of 64 bits", token.column)
    return int(digits)


def string(token: Token) -> str:
    """Without its quotes and escapes."""

    def one(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], base=16))
        if match[0][1] not in _ESCAPES:
            raise ExpressionError(f"unknown escape {match[0]!r} in a string", token.column + match.start() + 1)
        return _ESCAPES[match[0][1]]

    return re.sub(r"\\u([0-9a-fA-F]{4})|\\.", one, token.text[1:-1])


def time(text: str, column: int) -> int:
    """Milliseconds since 1970 of an RFC 3339 time; what is finer is cut off."""
    expected = 'expected a time of RFC 3339 such as timestamp("2026-03-01T09:00:00Z")'
    if not _TIME.fullmatch(text):
        raise ExpressionError(expected, column)
    try:
        read = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ExpressionError(f"there is no such time; {expected}", column) from None
    return (read - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def span(text: str, column: int) -> int:
    """Milliseconds of a duration such as ``1h30m``, ``1.5s`` or ``30d``."""
    if not _SPAN.fullmatch(text):
        raise ExpressionError('expected a duration such as duration("36h") or duration("30d")', column)
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|[wdhms])", text)
    total = sum(Decimal(size) * _UNITS[unit] for size, unit in parts)
    if total != int(total) or total >= 2**53:
        raise ExpressionError("expected a duration of whole milliseconds, shorter than 285,616 years", column)
    return -int(total) if text.startswith("-") else int(total)

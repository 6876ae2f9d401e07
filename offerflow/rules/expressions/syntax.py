"""The tree of an expression, and the error that says where in its text something is wrong.

Grammar and literals follow the Common Expression Language (github.com/google/cel-spec, doc/langdef.md), of which
this is a subset.
"""

from __future__ import annotations

from dataclasses import dataclass


class ExpressionError(ValueError):
    """``message`` says what is wrong and what was expected; ``column`` counts from 1 in the expression's text."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool
    column: int


@dataclass(frozen=True, slots=True)
class Time:
    """``timestamp("…")``: milliseconds since 1970 UTC."""

    value: int
    column: int


@dataclass(frozen=True, slots=True)
class Span:
    """``duration("…")``: milliseconds."""

    value: int
    column: int


@dataclass(frozen=True, slots=True)
class Property:
    """``path`` of names: ``("amount",)``, ``("address", "city")``, ``("meta", "source")``."""

    path: tuple[str, ...]
    column: int


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``op`` is one of ``+ - * / %``."""

    op: str
    left: Value
    right: Value
    column: int


@dataclass(frozen=True, slots=True)
class Negative:
    term: Value
    column: int


@dataclass(frozen=True, slots=True)
class Call:
    """``name`` is one of ``FUNCTIONS``; ``target`` is what it is asked of, ``argument`` what it is given, if any."""

    name: str
    target: Value
    argument: Value | None
    column: int


@dataclass(frozen=True, slots=True)
class Compare:
    op: str
    left: Value
    right: Value
    column: int


@dataclass(frozen=True, slots=True)
class Member:
    item: Value
    choices: tuple[Literal, ...]
    column: int


@dataclass(frozen=True, slots=True)
class IsSet:
    property: Property
    column: int


@dataclass(frozen=True, slots=True)
class Not:
    term: Node
    column: int


@dataclass(frozen=True, slots=True)
class Both:
    left: Node
    right: Node
    column: int


@dataclass(frozen=True, slots=True)
class Either:
    left: Node
    right: Node
    column: int


Value = Literal | Time | Span | Property | Arithmetic | Negative | Call
"""What can be compared."""
Node = Value | Compare | Member | IsSet | Not | Both | Either

ON_STRINGS = ("startsWith", "endsWith", "contains", "matches")
"""Functions that say true or false of a string and another."""
FUNCTIONS = ("size", "lowerAscii", *ON_STRINGS)

"""Checks an expression against what is planned, before it is ever run: names, types, and whether it can be true."""

from __future__ import annotations

from dataclasses import replace

import re2

from offerflow.rules.events import EventType, Kind, PropertyType
from offerflow.rules.expressions.patterns import compiled
from offerflow.rules.expressions.ranges import check_possible
from offerflow.rules.expressions.scope import Scope
from offerflow.rules.expressions.syntax import (
    ON_STRINGS,
    Arithmetic,
    Both,
    Call,
    Compare,
    Either,
    ExpressionError,
    IsSet,
    Literal,
    Member,
    Negative,
    Node,
    Not,
    Property,
    Span,
    Time,
    Value,
)
from offerflow.rules.nearest import did_you_mean

SPAN = PropertyType(Kind.SPAN)
_ORDERED = (Kind.NUMBER, Kind.STRING, Kind.TIME, Kind.SPAN, Kind.ANY)


def check(node: Node, scope: Scope | EventType) -> None:
    """Raises ExpressionError at the first name or type that cannot be right, and where nothing could ever pass."""
    if isinstance(scope, EventType):
        scope = Scope.of_event(scope)
    _check_truth(node, scope)
    check_possible(node, scope)


def _check_truth(node: Node, scope: Scope) -> None:
    match node:
        case Both(left=left, right=right) | Either(left=left, right=right):
            _check_truth(left, scope)
            _check_truth(right, scope)
        case Not(term=term):
            _check_truth(term, scope)
        case IsSet(property=prop):
            scope.type_of(prop)
        case Compare():
            if not any(isinstance(one, Property) for side in (node.left, node.right) for one in _deep(side)):
                raise ExpressionError("compares two literals; one side must be a property", node.column)
            _check_pair(node.op, node.left, node.right, scope, node.column)
        case Member(item=item, choices=choices):
            kind_of(item, scope)
            for choice in choices:
                _check_pair("==", item, choice, scope, node.column)
        case Literal(value=value):
            if not isinstance(value, bool):
                raise ExpressionError("expected a comparison, got a literal alone", node.column)
        case _:
            kind = kind_of(node, scope).kind
            if kind not in (Kind.BOOLEAN, Kind.ANY):
                what = ".".join(node.path) if isinstance(node, Property) else "this"
                raise ExpressionError(f"{what} is {kind.said}, expected a comparison or a boolean", node.column)


def _deep(node: Value) -> list[Value]:
    match node:
        case Arithmetic(left=left, right=right):
            return [*_deep(left), *_deep(right)]
        case Negative(term=term):
            return _deep(term)
        case Call(target=target, argument=argument):
            return [*_deep(target), *(_deep(argument) if argument is not None else ())]
    return [node]


def _check_pair(op: str, left: Value, right: Value, scope: Scope, column: int) -> None:
    a, b = kind_of(left, scope), kind_of(right, scope)
    for side in (a, b):
        if side.kind in (Kind.LIST, Kind.MAP, Kind.RECORD):
            raise ExpressionError(f"{side.kind.said} cannot be compared; size() of it can", column)
    for side, other in ((a, right), (b, left)):
        written = other.value if isinstance(other, Literal) else None
        if side.symbols and isinstance(written, str) and written not in side.symbols:
            hint = did_you_mean(written, side.symbols) or f"; expected one of {', '.join(side.symbols)}"
            raise ExpressionError(f"{written!r} is not a symbol of this enum{hint}", other.column)
        if op == "==" and isinstance(written, str) and not _can_be(side, written):
            raise ExpressionError(
                f"is never true: by the event plan it matches {side.pattern}, and {written!r} does not", other.column
            )
    plain = [Kind.STRING if side.kind is Kind.ENUM else side.kind for side in (a, b)]
    for kind, other_kind in (plain, plain[::-1]):
        if kind is Kind.ANY and other_kind in (Kind.TIME, Kind.SPAN):
            raise ExpressionError("compares a time with a property that is planned without a type", column)
    if Kind.ANY not in plain and plain[0] is not plain[1]:
        hint = '; write timestamp("…")' if Kind.TIME in plain else ""
        raise ExpressionError(f"compares {plain[0].said} with {plain[1].said}, which is never true{hint}", column)
    if op in ("<", "<=", ">", ">=") and not all(kind in _ORDERED for kind in plain):
        raise ExpressionError(f"{op!r} needs numbers, strings or times", column)


def _can_be(planned: PropertyType, text: str) -> bool:
    if planned.pattern is None:
        return True
    try:
        return compiled(planned.pattern).search(text) is not None
    except re2.error:  # the plan may take more memory than a rule
        return True


def kind_of(node: Value, scope: Scope) -> PropertyType:
    """The type of what can be compared. Raises ExpressionError where it cannot be computed."""
    match node:
        case Literal(value=value):
            if isinstance(value, bool):
                return PropertyType(Kind.BOOLEAN)
            if isinstance(value, str):
                return PropertyType(Kind.STRING)
            return PropertyType(Kind.NUMBER, integer=isinstance(value, int))
        case Time():
            return PropertyType(Kind.TIME)
        case Span():
            return SPAN
        case Property():
            return scope.type_of(node)
        case Negative(term=term):
            kind = kind_of(term, scope)
            if kind.kind not in (Kind.NUMBER, Kind.SPAN, Kind.ANY):
                raise ExpressionError(f"'-' can only stand before a number, got {kind.kind.said}", node.column)
            return PropertyType(kind.kind, integer=kind.integer)
        case Arithmetic():
            return _arithmetic(node, scope)
        case Call():
            return _call(node, scope)


def _arithmetic(node: Arithmetic, scope: Scope) -> PropertyType:
    a, b, op = kind_of(node.left, scope), kind_of(node.right, scope), node.op
    kinds = {a.kind, b.kind}
    if kinds <= {Kind.NUMBER, Kind.ANY}:
        integer = a.integer and b.integer
        if op == "%" and any(one.kind is Kind.NUMBER and not one.integer for one in (a, b)):
            raise ExpressionError("'%' needs integers; a double has no remainder", node.column)
        if op in "/%" and isinstance(node.right, Literal) and node.right.value == 0:
            raise ExpressionError("divides by zero, so it never has a result", node.column)
        return PropertyType(Kind.NUMBER, integer=integer) if Kind.ANY not in kinds else replace(a, kind=Kind.ANY)
    match a.kind, op, b.kind:
        case (Kind.TIME, "-", Kind.TIME) | (Kind.SPAN, "+" | "-", Kind.SPAN):
            return SPAN
        case (Kind.TIME, "+" | "-", Kind.SPAN) | (Kind.SPAN, "+", Kind.TIME):
            return PropertyType(Kind.TIME)
    hint = "; texts cannot be joined" if kinds <= {Kind.STRING, Kind.ENUM} else ""
    raise ExpressionError(f"{op!r} of {a.kind.said} and {b.kind.said} has no result{hint}", node.column)


def _call(node: Call, scope: Scope) -> PropertyType:
    target = kind_of(node.target, scope).kind
    if node.name == "size":
        if target not in (Kind.STRING, Kind.ENUM, Kind.LIST, Kind.MAP, Kind.ANY):
            raise ExpressionError(f"size() is asked of a string, a list or a map, got {target.said}", node.column)
        return PropertyType(Kind.NUMBER, integer=True, minimum=0)
    if target not in (Kind.STRING, Kind.ENUM, Kind.ANY):
        raise ExpressionError(f"{node.name}() is asked of a string, got {target.said}", node.column)
    if node.name not in ON_STRINGS:
        return PropertyType(Kind.STRING)
    assert node.argument is not None  # noqa: S101 - the parser saw to it
    argument = kind_of(node.argument, scope).kind
    if argument not in (Kind.STRING, Kind.ENUM, Kind.ANY):
        raise ExpressionError(f"{node.name}() takes a string, got {argument.said}", node.argument.column)
    if node.name == "matches" and isinstance(node.argument, Literal):
        try:
            compiled(str(node.argument.value))
        except re2.error as error:
            said = error.args[0] if error.args else error
            why = said.decode(errors="replace") if isinstance(said, bytes) else said
            raise ExpressionError(f"is not an RE2 expression: {why}", node.argument.column) from None
    return PropertyType(Kind.BOOLEAN)

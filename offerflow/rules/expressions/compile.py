"""Turns a checked expression into a closure over one event.

A missing property, or one of another type, makes a comparison false and never raises; nothing is coerced, except
that integers and doubles are both numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from offerflow.rules.events import Event
from offerflow.rules.expressions.syntax import Both, Compare, Either, IsSet, Literal, Member, Node, Not, Property

Test = Callable[[Event], bool]
_Get = Callable[[Event], Any]

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def compile_test(node: Node) -> Test:
    """The closure of ``node``. Costs a dictionary look-up and a class check per comparison."""
    match node:
        case Both(left=left, right=right):
            a, b = compile_test(left), compile_test(right)
            return lambda event: a(event) and b(event)
        case Either(left=left, right=right):
            a, b = compile_test(left), compile_test(right)
            return lambda event: a(event) or b(event)
        case Not(term=term):
            inner = compile_test(term)
            return lambda event: not inner(event)
        case IsSet(property=prop):
            get = _getter(prop)
            return lambda event: get(event) is not None
        case Member(item=item, choices=choices):
            return _member(item, choices)
        case Compare():
            return _compare(node)
        case Literal(value=value):
            return lambda _event: value is True
        case Property():
            get = _getter(node)
            return lambda event: get(event) is True


def _getter(node: Property) -> _Get:
    path = node.path
    if path[0] == "meta" and len(path) == 2:
        return operator.attrgetter(path[1])
    if len(path) == 1:
        name = path[0]
        return lambda event: event.properties.get(name)

    def nested(event: Event) -> Any:
        value: Any = event.properties
        for name in path:
            if type(value) is not dict:
                return None
            value = value.get(name)
        return value

    return nested


def _classes(value: Any) -> tuple[type, ...]:
    """The classes a value may be compared with: a boolean is no number here, unlike in Python."""
    return (int, float) if type(value) in (int, float) else (type(value),)


def _compare(node: Compare) -> Test:
    left, right, op = node.left, node.right, node.op
    if isinstance(left, Literal):
        left, right, op = right, left, _FLIPPED[op]
    apply = _OPERATORS[op]
    if isinstance(left, Literal):
        constant = apply(left.value, right.value) if isinstance(right, Literal) else False
        return lambda _event: constant
    get = _getter(left)
    # Booleans are equal or not; they have no order.
    kinds = (int, float, str, bool) if op in ("==", "!=") else (int, float, str)
    if isinstance(right, Literal):
        literal = right.value
        classes = tuple(kind for kind in _classes(literal) if kind in kinds)

        def with_literal(event: Event) -> bool:
            value = get(event)
            return type(value) in classes and apply(value, literal)

        return with_literal
    other = _getter(right)

    def with_property(event: Event) -> bool:
        a, b = get(event), other(event)
        comparable = type(a) in kinds and type(b) in _classes(a)
        return comparable and apply(a, b)

    return with_property


def _member(item: Literal | Property, choices: tuple[Literal, ...]) -> Test:
    # Keyed by class as well: True == 1 in Python, but not here.
    allowed = {(_classes(choice.value), choice.value) for choice in choices}
    if isinstance(item, Literal):
        constant = (_classes(item.value), item.value) in allowed
        return lambda _event: constant
    get = _getter(item)

    def contains(event: Event) -> bool:
        value = get(event)
        return type(value) in (int, float, str, bool) and (_classes(value), value) in allowed

    return contains

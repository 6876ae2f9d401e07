"""Turns a checked expression into a closure over one event, or over a user's traits.

A missing property, or one of another type, makes a comparison false and never raises; nothing is coerced, except
that integers and doubles are both numbers. Times and durations are integers of milliseconds by then.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from offerflow.rules.events import Event
from offerflow.rules.expressions.arithmetic import OPERATIONS, negative
from offerflow.rules.expressions.functions import FUNCTIONS, matching
from offerflow.rules.expressions.syntax import (
    Arithmetic,
    Both,
    Call,
    Compare,
    Either,
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

Test = Callable[[Event], bool]
TraitTest = Callable[[Mapping[str, Any]], bool]
Subject = TypeVar("Subject")
Get = Callable[[Any], Any]
Getter = Callable[[Property], Get]

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_ALWAYS = (Literal, Time, Span)


def compile_test(node: Node) -> Test:
    """The closure of ``node`` over an event. A comparison of a property with a literal costs one call, a dictionary
    look-up and a class check."""
    simple = _hot(node)
    return simple if simple is not None else _test(node, event_property)


def compile_traits(node: Node) -> TraitTest:
    """The closure of ``node`` over a user's traits."""
    return _test(node, trait)


def event_property(node: Property) -> Get:
    """Reads a property of an event, or of its ``meta``; None if it is missing."""
    path = node.path
    if path[0] == "meta" and len(path) == 2:
        return operator.attrgetter(path[1])
    if len(path) == 1:
        name = path[0]
        return lambda event: event.properties.get(name)
    return lambda event: _nested(event.properties, path)


def trait(node: Property) -> Get:
    """Reads a trait; None if it is missing."""
    if len(node.path) == 1:
        name = node.path[0]
        return lambda traits: traits.get(name)
    return lambda traits: _nested(traits, node.path)


def _nested(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _test(node: Node, getter: Getter) -> Callable[[Any], bool]:
    match node:
        case Both(left=left, right=right):
            a, b = _inner(left, getter), _inner(right, getter)
            return lambda subject: a(subject) and b(subject)
        case Either(left=left, right=right):
            a, b = _inner(left, getter), _inner(right, getter)
            return lambda subject: a(subject) or b(subject)
        case Not(term=term):
            inner = _inner(term, getter)
            return lambda subject: not inner(subject)
        case IsSet(property=prop):
            get = getter(prop)
            return lambda subject: get(subject) is not None
        case Member(item=item, choices=choices):
            return _member(item, choices, getter)
        case Compare():
            return _compare(node, getter)
        case _:
            get = _value(node, getter)
            return lambda subject: get(subject) is True


def _inner(node: Node, getter: Getter) -> Callable[[Any], bool]:
    simple = _hot(node) if getter is event_property else None
    return simple if simple is not None else _test(node, getter)


def _value(node: Value, getter: Getter) -> Get:
    match node:
        case Literal(value=value) | Time(value=value) | Span(value=value):
            return lambda _subject: value
        case Property():
            return getter(node)
        case Negative(term=term):
            get = _value(term, getter)
            return lambda subject: negative(get(subject))
        case Arithmetic(op=op, left=left, right=right):
            operation, a, b = OPERATIONS[op], _value(left, getter), _value(right, getter)
            return lambda subject: operation(a(subject), b(subject))
        case Call(name="matches", target=target, argument=Literal(value=pattern)):
            get, found = _value(target, getter), matching(str(pattern))
            return lambda subject: found(get(subject))
        case Call(name=name, target=target, argument=None):
            get, function = _value(target, getter), FUNCTIONS[name]
            return lambda subject: function(get(subject), "")
        case Call(name=name, target=target, argument=argument):
            assert argument is not None  # noqa: S101 - for the type checker
            get, other, function = _value(target, getter), _value(argument, getter), FUNCTIONS[name]
            return lambda subject: function(get(subject), other(subject))


def _classes(value: Any) -> tuple[type, ...]:
    """The classes a value may be compared with: a boolean is no number here, unlike in Python."""
    return (int, float) if type(value) in (int, float) else (type(value),)


def _hot(node: Node) -> Test | None:
    """What most expressions are, a property compared with a literal, in one call; None for anything else."""
    if not isinstance(node, Compare):
        return None
    left, right, op = node.left, node.right, node.op
    if isinstance(left, _ALWAYS):
        left, right, op = right, left, _FLIPPED[op]
    if not isinstance(left, Property) or len(left.path) != 1 or not isinstance(right, _ALWAYS):
        return None
    name, classes = left.path[0], _classes(right.value)
    literal: Any = right.value
    match op:
        case "==":
            return lambda event: type(v := event.properties.get(name)) in classes and v == literal
        case "!=":
            return lambda event: type(v := event.properties.get(name)) in classes and v != literal
    if isinstance(literal, bool):  # booleans are equal or not; they have no order
        return lambda _event: False
    match op:
        case ">=":
            return lambda event: type(v := event.properties.get(name)) in classes and v >= literal
        case ">":
            return lambda event: type(v := event.properties.get(name)) in classes and v > literal
        case "<=":
            return lambda event: type(v := event.properties.get(name)) in classes and v <= literal
    return lambda event: type(v := event.properties.get(name)) in classes and v < literal


def _compare(node: Compare, getter: Getter) -> Callable[[Any], bool]:
    left, right, op = node.left, node.right, node.op
    if isinstance(left, _ALWAYS):
        left, right, op = right, left, _FLIPPED[op]
    apply, get = _OPERATORS[op], _value(left, getter)
    kinds = (int, float, str, bool) if op in ("==", "!=") else (int, float, str)
    if isinstance(right, _ALWAYS):
        literal = right.value
        classes = tuple(kind for kind in _classes(literal) if kind in kinds)

        def with_literal(subject: Any) -> bool:
            value = get(subject)
            return type(value) in classes and apply(value, literal)

        return with_literal
    other = _value(right, getter)

    def with_value(subject: Any) -> bool:
        a, b = get(subject), other(subject)
        comparable = type(a) in kinds and type(b) in _classes(a)
        return comparable and apply(a, b)

    return with_value


def _member(item: Value, choices: tuple[Literal, ...], getter: Getter) -> Callable[[Any], bool]:
    # Told apart by class: True == 1 in Python, but not here.
    values = [choice.value for choice in choices]
    by_class: dict[type, frozenset[Any]] = {
        kind: frozenset(value for value in values if type(value) in kinds)
        for kinds in ((str,), (bool,), (int, float))
        for kind in kinds
    }
    get = _value(item, getter)

    def contains(subject: Any) -> bool:
        value = get(subject)
        return value in among if (among := by_class.get(type(value))) else False

    return contains

"""Expressions that no event could pass: ranges that exclude each other or what the plan allows.

Looks at comparisons of a property with a literal that stand together under ``&&``; each branch of an ``||`` is looked
at with what stands beside it. What is negated is left alone: it is true of events that lack the property.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from offerflow.rules.events import Kind, PropertyType
from offerflow.rules.expressions.scope import Scope
from offerflow.rules.expressions.syntax import (
    Both,
    Call,
    Compare,
    Either,
    ExpressionError,
    Literal,
    Member,
    Node,
    Property,
    Span,
    Time,
)

FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_Number = int | float


@dataclass(slots=True)
class Range:
    """The numbers left: from ``low`` to ``high``, which may be out (``above``, ``below``), but for ``without``."""

    low: _Number | None = None
    high: _Number | None = None
    above: bool = False
    below: bool = False
    without: set[_Number] = field(default_factory=set)

    def take(self, op: str, value: _Number, integer: bool) -> None:
        if op in (">", ">=", "==") and (self.low is None or value > self.low or (value == self.low and op == ">")):
            self.low, self.above = value, op == ">"
        if op in ("<", "<=", "==") and (self.high is None or value < self.high or (value == self.high and op == "<")):
            self.high, self.below = value, op == "<"
        if op == "!=":
            self.without.add(value)
        if integer:
            if self.low is not None and (self.above or self.low % 1):
                self.low, self.above = self.low // 1 + 1, False
            if self.high is not None and (self.below or self.high % 1):
                self.high, self.below = -(-self.high // 1) - 1, False

    @property
    def empty(self) -> bool:
        if self.low is None or self.high is None:
            return False
        if self.low == self.high:
            return self.above or self.below or self.low in self.without
        return self.low > self.high


@dataclass(slots=True)
class _Choice:
    """The values that are left of texts and booleans; None: any."""

    among: set[object] | None = None
    without: set[object] = field(default_factory=set)

    @property
    def empty(self) -> bool:
        return self.among is not None and not self.among - self.without


class _Terms:
    """What the comparisons so far leave of each property."""

    def __init__(self) -> None:
        self.ranges: dict[str, Range] = {}
        self.choices: dict[str, _Choice] = {}

    def copy(self) -> _Terms:
        other = _Terms()
        other.ranges = {name: Range(r.low, r.high, r.above, r.below, set(r.without)) for name, r in self.ranges.items()}
        other.choices = {name: _Choice(None if c.among is None else set(c.among), set(c.without))
                         for name, c in self.choices.items()}  # fmt: skip
        return other


def check_possible(node: Node, scope: Scope) -> None:
    """Raises ExpressionError where nothing could ever pass."""
    _check(_flat(node), _Terms(), scope)


def _check(terms: list[Node], known: _Terms, scope: Scope) -> None:
    later = []
    for term in terms:
        match term:
            case Compare():
                _compare(term, known, scope)
            case Member(item=Property() as item, choices=choices):
                _among(item, {one.value for one in choices}, term.column, known, scope)
            case Either():
                later.append(term)
    for either in later:
        for branch in (either.left, either.right):
            _check(_flat(branch), known.copy(), scope)


def _flat(node: Node) -> list[Node]:
    return [*_flat(node.left), *_flat(node.right)] if isinstance(node, Both) else [node]


def _compare(term: Compare, known: _Terms, scope: Scope) -> None:
    left, right, op = term.left, term.right, term.op
    if isinstance(left, Literal | Time | Span):
        left, right, op = right, left, FLIPPED[op]
    if not isinstance(right, Literal | Time | Span):
        return
    sized = isinstance(left, Call) and left.name == "size" and isinstance(left.target, Property)
    if not isinstance(left, Property) and not sized:
        return
    value = right.value
    if isinstance(value, bool | str):
        if isinstance(left, Property) and op == "==":
            _among(left, {value}, term.column, known, scope)
        elif isinstance(left, Property) and op == "!=":
            _without(left, value, term.column, known, scope)
        return
    if isinstance(left, Property):
        name, planned = ".".join(left.path), scope.type_of(left)
    else:
        assert isinstance(left, Call) and isinstance(left.target, Property)  # noqa: S101, PT018 - looked at above
        name, planned = f"size({'.'.join(left.target.path)})", PropertyType(Kind.NUMBER, integer=True, minimum=0)
    first = name not in known.ranges
    found = known.ranges.setdefault(name, Range(planned.minimum, planned.maximum))
    alone = Range(planned.minimum, planned.maximum)
    alone.take(op, value, planned.integer)
    if alone.empty and (planned.minimum is not None or planned.maximum is not None):
        raise ExpressionError(f"is never true: {name} is {_planned(planned)}", term.column)
    found.take(op, value, planned.integer)
    if found.empty and not first:
        raise ExpressionError(f"is never true together with what else is asked of {name}", term.column)


def _planned(planned: PropertyType) -> str:
    said = [f"{word} {bound:g}" for word, bound in (("at least", planned.minimum), ("at most", planned.maximum))
            if bound is not None]  # fmt: skip
    return f"{' and '.join(said)} by the event plan"


def _among(prop: Property, values: set[object], column: int, known: _Terms, scope: Scope) -> None:
    kinds = {type(value) for value in values}
    if not values or not kinds <= {str, bool}:
        return
    found = known.choices.setdefault(".".join(prop.path), _start(prop, scope))
    found.among = values if found.among is None else found.among & values
    _left(found, prop, column)


def _without(prop: Property, value: object, column: int, known: _Terms, scope: Scope) -> None:
    found = known.choices.setdefault(".".join(prop.path), _start(prop, scope))
    found.without.add(value)
    _left(found, prop, column)


def _start(prop: Property, scope: Scope) -> _Choice:
    symbols = scope.type_of(prop).symbols
    return _Choice(set(symbols) if symbols else None)


def _left(found: _Choice, prop: Property, column: int) -> None:
    if found.empty:
        raise ExpressionError(f"is never true together with what else is asked of {'.'.join(prop.path)}", column)

"""Value expressions: what a reward is worth, computed in decimals from the event that earned it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any

from offerflow.rules.events import Event, Kind
from offerflow.rules.expressions.check import kind_of
from offerflow.rules.expressions.compile import Get, event_property
from offerflow.rules.expressions.scope import Scope
from offerflow.rules.expressions.syntax import (
    Arithmetic,
    Call,
    ExpressionError,
    Literal,
    Negative,
    Node,
    Property,
    Value,
)

EXACT = Context(prec=34, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])
"""IEEE 754's decimal128: 34 digits."""
LARGEST = Decimal(10) ** 14
"""Values have at most 14 digits before the point: decimal(18,4)."""

_OPERATIONS: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": EXACT.add, "-": EXACT.subtract, "*": EXACT.multiply, "/": EXACT.divide, "%": EXACT.remainder,
}  # fmt: skip


def decimal(number: float) -> Decimal:
    """An integer as it is, a double as the shortest decimal that reads back as it."""
    return Decimal(number) if type(number) is int else Decimal(repr(number))


def check_amount(node: Node, scope: Scope) -> None:
    """Raises ExpressionError where ``node`` is no number."""
    if not isinstance(node, Value):
        raise ExpressionError("expected a number such as amount * 0.05, got a condition", node.column)
    kind = kind_of(node, scope).kind
    if kind is not Kind.NUMBER:
        hint = "; plan its type" if kind is Kind.ANY else ""
        raise ExpressionError(f"expected a number such as amount * 0.05, got {kind.said}{hint}", node.column)


def compile_amount(node: Node, low: Decimal, high: Decimal | None, digits: int) -> Callable[[Event], Decimal]:
    """The value for an event, held between ``low`` and ``high`` and rounded half-even to ``digits`` after the point.
    The closure raises ValueError where there is no result."""
    compute = _decimal(node)  # type: ignore[arg-type]
    unit = Decimal(1).scaleb(-digits)

    def amount(event: Event) -> Decimal:
        try:
            value = max(low, compute(event))
            value = value if high is None else min(high, value)
            if value >= LARGEST:
                raise ValueError(f"the value has more than 14 digits before the point: {value:.5e}")
            return value.quantize(unit, ROUND_HALF_EVEN, EXACT)
        except (InvalidOperation, DivisionByZero, Overflow) as error:
            raise ValueError(f"the value has no result: {type(error).__name__}") from None

    return amount


def _decimal(node: Value) -> Callable[[Event], Decimal]:
    match node:
        case Literal(value=value):
            constant = decimal(value)  # type: ignore[arg-type]
            return lambda _event: constant
        case Negative(term=term):
            inner = _decimal(term)
            return lambda event: EXACT.minus(inner(event))
        case Arithmetic(op=op, left=left, right=right):
            operation, a, b = _OPERATIONS[op], _decimal(left), _decimal(right)
            return lambda event: operation(a(event), b(event))
        case Property():
            return _read(event_property(node), ".".join(node.path))
        case Call(target=Property() as target):
            get = event_property(target)
            return _read(lambda event: _length(get(event)), f"size({'.'.join(target.path)})")
    raise AssertionError("check_amount refuses the rest")


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, str | list | dict) else None


def _read(get: Get, name: str) -> Callable[[Event], Decimal]:
    def read(event: Event) -> Decimal:
        value = get(event)
        if type(value) not in (int, float):
            raise ValueError(f"the value needs {name}, which is {'missing' if value is None else 'no number'}")
        return decimal(value)

    return read

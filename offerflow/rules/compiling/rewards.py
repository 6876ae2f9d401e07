"""Rewards: what they are worth, and whether the event that earns one can say so."""

from __future__ import annotations

import functools
from decimal import Decimal
from typing import Any

from iso4217 import Currency

from offerflow.rules.compiling.plan import Plan, Subject
from offerflow.rules.compiling.problems import Refused
from offerflow.rules.compiling.truth import needs_event, parts
from offerflow.rules.conditions import Absent, CompletedOffer, InOffer, Leaf, Node, Profile, Sequence
from offerflow.rules.definitions import Expression, Money, RewardDefinition
from offerflow.rules.expressions import (
    ExpressionError,
    Scope,
    check_amount,
    compile_amount,
    parse,
    properties,
)  # fmt: skip
from offerflow.rules.expressions.amounts import decimal
from offerflow.rules.expressions.canonical import parts as parts_of
from offerflow.rules.expressions.syntax import Property
from offerflow.rules.nearest import did_you_mean
from offerflow.rules.offers import Reward, Value


@functools.cache
def minor_units() -> dict[str, int | None]:
    """Digits after the point by currency, None where it has no minor unit. Source: ISO 4217."""
    return {currency.code: currency.exponent for currency in Currency}


def reward_of(written: RewardDefinition) -> Reward:
    """Raises Refused. A currency that is withdrawn one day must not make an old ruleset unreadable: money of a
    currency that is none is refused when it is applied, and an expression of one is rounded to two digits."""
    value: Value | None = None
    if isinstance(written.value, Money):
        value = Value(written.value.currency, written.value.amount)
    elif isinstance(written.value, Expression):
        value = _computed(written.value)
    return Reward(
        written.id, value, written.pending.milliseconds if written.pending else None,
        written.expires_after.milliseconds if written.expires_after else None,
    )  # fmt: skip


def _computed(written: Expression) -> Value:
    try:
        tree = parse(written.expr)
    except ExpressionError as error:
        raise Refused(f"column {error.column} of the expression: {error}", "value", "expr") from None
    if not any(isinstance(one, Property) for one in parts_of(tree)):
        _check_constant(tree)
    digits = minor_units().get(written.currency, 2)
    if digits is None:
        raise Refused(f"{written.currency} has no minor unit to round to", "value", "currency")
    low = decimal(written.min) if written.min is not None else Decimal(0)
    high = decimal(written.max) if written.max is not None else None
    for key, bound in (("min", low), ("max", high)):
        if bound is not None and bound != round(bound, digits):
            raise Refused(f"{written.currency} has {digits} digits after the point, got {bound}", "value", key)
    try:
        return Value(written.currency, None, compile_amount(tree, low, high, digits), properties(tree))
    except AssertionError:
        raise Refused("expected a number such as amount * 0.05", "value", "expr") from None


def _check_constant(tree: Any) -> None:
    try:
        check_amount(tree, Scope("", {}))
    except ExpressionError as error:
        raise Refused(f"column {error.column} of the expression: {error}", "value", "expr") from None


def check_currency(written: RewardDefinition) -> None:
    """Raises Refused where there is no such currency. Asked when definitions are applied."""
    if written.value is None or written.value.currency in minor_units():
        return
    hint = did_you_mean(written.value.currency, minor_units()) or "; expected a code of ISO 4217 such as EUR"
    path = ("value", "currency") if isinstance(written.value, Expression) else ("value",)
    raise Refused(f"there is no currency {written.value.currency}{hint}", *path)


def check_earned(written: RewardDefinition, by: Node | None, plan: Plan, *, requested: bool = False) -> None:
    """Whether every event by which ``by`` may become true has what the value is computed from. ``requested``: it may
    also be a request. Raises Refused."""
    if not isinstance(written.value, Expression):
        return
    tree = parse(written.value.expr)
    reads = [one for one in parts_of(tree) if isinstance(one, Property)]
    if requested and reads:
        raise Refused("a code or the API may earn it, which brings no event to compute the value from", "value", "expr")
    for subject in _earning(by, plan) if reads else ():
        try:
            check_amount(tree, subject.scope)
            for one in reads:
                _, planned = subject.property(".".join(one.path), "expr")
                if not planned.required:
                    raise Refused(
                        f"{'.'.join(one.path)} of {subject.name} may be missing; expected one that is required"
                    )
        except ExpressionError as error:
            raise Refused(f"column {error.column} of the expression: {error}", "value", "expr") from None
        except Refused as error:
            raise Refused(error.message, "value", "expr") from None


def _earning(by: Node | None, plan: Plan) -> list[Subject]:
    """The events by which a condition may become true."""
    found: dict[str, Subject] = {}
    for one in parts(by):
        match one:
            case Leaf(event_type=event_type):
                found[event_type] = plan.of_type(event_type)
            case Sequence(steps=steps):
                found |= {step.event_type: plan.of_type(step.event_type) for step in steps}
            case Absent():
                raise Refused(
                    f"a timer may earn it ({one.text}), which brings no event to compute the value from",
                    "value",
                    "expr",
                )
            case Profile() | InOffer() | CompletedOffer() if by is not None and not needs_event(by):
                message = f"{one.text} alone may earn it, which brings no event to compute the value from"
                raise Refused(message, "value", "expr")
    return list(found.values())

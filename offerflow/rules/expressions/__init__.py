"""Expressions over events and traits: parsed, checked against what is planned, compiled to closures.

The language is described in docs/rules.md, Expressions.
"""

from offerflow.rules.expressions.amounts import check_amount, compile_amount
from offerflow.rules.expressions.canonical import properties, render
from offerflow.rules.expressions.check import check
from offerflow.rules.expressions.compile import Test, TraitTest, compile_test, compile_traits, event_property
from offerflow.rules.expressions.parsing import parse
from offerflow.rules.expressions.scope import Scope
from offerflow.rules.expressions.syntax import ExpressionError

__all__ = [
    "ExpressionError",
    "Scope",
    "Test",
    "TraitTest",
    "check",
    "check_amount",
    "compile_amount",
    "compile_test",
    "compile_traits",
    "event_property",
    "parse",
    "properties",
    "render",
]

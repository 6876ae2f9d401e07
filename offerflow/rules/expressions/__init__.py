"""The ``where`` language, a subset of CEL: text to syntax tree, tree checked against the plan, tree to closure."""

from offerflow.rules.expressions.check import check
from offerflow.rules.expressions.compile import Test, compile_test
from offerflow.rules.expressions.syntax import ExpressionError, parse, properties, render

__all__ = ["ExpressionError", "Test", "check", "compile_test", "parse", "properties", "render"]

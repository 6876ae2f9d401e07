"""Value expressions beside exact fractions, which know nothing of decimals."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offerflow.rules.expressions import ExpressionError, Scope, check_amount, compile_amount, parse
from tests.offerflow.rules.expressions.samples import PLANNED, an_event

SCOPE = Scope.of_event(PLANNED)

numbers = st.integers(-1000, 1000) | st.floats(-1000, 1000, allow_nan=False).map(lambda x: round(x, 4))
terms = st.recursive(
    st.sampled_from(["x", "n"]) | st.integers(0, 99).map(str) | st.floats(0, 99).map(lambda x: f"{x:.3f}"),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*"), inner).map(lambda one: f"({one[0]} {one[1]} {one[2]})"),
        inner.map(lambda one: f"-({one})"),
    ),
    max_leaves=4,
)


def exactly(text: str, x: float, n: float) -> Fraction:
    """The same sum in fractions: every number is put in as the decimal that it is written as."""
    values = {"x": f"Fraction('{x!r}')", "n": f"Fraction('{n!r}')"}
    whole = re.sub(r"x|n|\d+(?:\.\d+)?", lambda match: values.get(match[0], f"Fraction('{match[0]}')"), text)
    found: Fraction = eval(whole, {"Fraction": Fraction})  # noqa: S307 - of our own making
    return found


def rounded(value: Fraction, digits: int) -> Fraction:
    """Half to even: what Python's own ``round`` does with fractions."""
    return Fraction(round(value, digits))


def computed(text: str, low: int = 0, high: Any = None, digits: int = 2, **properties: Any) -> Decimal:
    tree = parse(text)
    check_amount(tree, SCOPE)
    return compile_amount(tree, Decimal(low), high, digits)(an_event(**properties))


@given(text=terms, x=numbers, n=numbers, digits=st.sampled_from([0, 2, 3]))
def test_sums_and_products_are_exact(text: str, x: float, n: float, digits: int) -> None:
    """No binary fraction gets in between a double and its value, and halves go to the even side."""
    expected = rounded(max(Fraction(0), exactly(text, x, n)), digits)
    if expected < 10**14:
        assert Fraction(computed(text, digits=digits, x=x, n=n)) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [("x / n", "0.33"), ("2 * x / n", "0.67"), ("n % 2", "1.00"), ("-n % 2 + 5", "4.00"), ("size(tags) * 1.5", "3.00"),
     ("size(s) / 2", "1.50"), ("home.geo.zip", "53111.00"), ("1 / 3 * 3", "1.00")],
)  # fmt: skip
def test_quotients_and_sizes(text: str, value: str) -> None:
    """Quotients have 34 digits before they are rounded; sizes and what is inside a property are numbers too."""
    event = {"x": 1, "n": 3, "s": "abc", "tags": ["a", "b"], "home": {"geo": {"zip": 53111}}}
    assert str(computed(text, **event)) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x > 1", "got a condition"), ("s", "got a string"), ("at - at", "got a duration"), ("at", "got a time"),
        ("any * 2", "a value whose type is not planned; plan its type"), ("b", "got a boolean"), ("true", "a boolean"),
        ('"5"', "got a string"), ("x % 2", "needs integers"), ("phone", "marked pii"), ("xx", "no property 'xx'"),
        ("s.contains('a')", "got a boolean"), ("s.lowerAscii()", "got a string"), ('duration("1h")', "got a duration"),
    ],
)  # fmt: skip
def test_what_is_no_value(text: str, words: str) -> None:
    """Whatever is not a number is told before anything is computed."""
    with pytest.raises(ExpressionError, match=re.escape(words)):
        computed(text)

"""The oracle's own reading of ``where``."""

from __future__ import annotations

import pytest

from tests.oracle.expression import holds

EVENT = {
    "amount": 59.9,
    "count": 3,
    "currency": "EUR",
    "gift": True,
    "coupon": None,
    "tags": ["a", "b"],
    "note": "a || b",
}


@pytest.mark.parametrize(
    "text",
    [
        "amount >= 50",
        'amount >= 50 && currency == "EUR"',
        "currency == 'EUR' || missing > 1",
        "count == 3.0",
        "3 <= count && count < 4",
        "gift",
        "gift == true",
        "!(amount > 100)",
        "!(missing > 1)",
        "!missing",
        'currency in ["EUR", "USD"]',
        '!(currency in ["GBP"])',
        '"a" in tags',
        "is_set(amount) && !is_set(coupon) && !is_set(nothing)",
        'note == "a || b"',
        '(gift && (amount > 1e1)) || currency == "x"',
        "amount != 60",
        "amount > -1",
        'meta.source == "shop"',
        "gift && false || true",
    ],
)
def test_holds(text: str) -> None:
    """Each of these is true of the event by the words of the contract."""
    assert holds(text, EVENT, {"source": "shop"})


@pytest.mark.parametrize(
    "text",
    [
        "amount >= 60",
        'amount == "59.9"',
        'amount != "59.9"',
        "missing != 1",
        "coupon != 'x'",
        "gift == 1",
        "gift > false",
        "true && (false || missing)",
        "amount",
        "currency",
        "count in ['3']",
        "missing in [1]",
        "coupon in ['x']",
        "false || true && false",
        "!gift",
        "!gift == true && false",
    ],
)
def test_holds_not(text: str) -> None:
    """A missing property or another type makes a comparison false, ``!=`` included; a bare value is no truth."""
    assert not holds(text, EVENT)


@pytest.mark.parametrize("text", ["", "a &&", "a == b == c", "sqrt(x) > 1", "(a"])
def test_refuses_what_it_cannot_read(text: str) -> None:
    """The oracle fails rather than guesses, so an expression it lacks cannot pass as false."""
    with pytest.raises(ValueError):
        holds(text, {"a": 1, "b": 1, "c": 1})

"""Which known name an error proposes for one that is not known."""

from __future__ import annotations

import pytest

from offerflow.rules.nearest import Nearest, did_you_mean

EVENTS = (
    "Account Created", "Application Backgrounded", "Application Opened", "Goal Set", "Lesson Started",
    "Page Viewed", "Payment Method Added", "Purchase Completed", "Screen Viewed", "Signed Up", "User Reactivated",
    "order_id",
)  # fmt: skip
nearest = Nearest(EVENTS)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("Acount Created", "Account Created"), ("account_created", "Account Created"),
        ("AccountCreated", "Account Created"), ("Created Account", "Account Created"),
        ("Acocunt Created", "Account Created"), ("accountcreated", "Account Created"),
        ("Purchase Complete", "Purchase Completed"), ("Purchased", "Purchase Completed"),
        ("App Opened", "Application Opened"), ("Page View", "Page Viewed"), ("Signup", "Signed Up"),
        ("Lesson Startet", "Lesson Started"), ("orderId", "order_id"), ("oder_id", "order_id"), ("order", "order_id"),
    ],
)  # fmt: skip
def test_slips_of_the_pen(asked: str, meant: str) -> None:
    """Letters left out, put in, mistaken or swapped; other forms, orders and writings of the same words."""
    assert nearest(asked) == f"; did you mean {meant!r}?"


@pytest.mark.parametrize(
    "asked",
    [
        "Button Clicked", "Cart Viewed", "Checkout Started", "Email Opened", "Product Added", "Course Completed",
        "User Created", "Goal Reached", "Sex", "", "!!", "x" * 500,
    ],
)  # fmt: skip
def test_another_name_is_no_slip(asked: str) -> None:
    """Names that share an ending, or letters, with a known one get no advice, which would be a wrong one."""
    assert nearest(asked) == ""


def test_the_nearest_of_several() -> None:
    """Not the first that would do; and among none there is none."""
    assert did_you_mean("payment", ["payments", "payment_method"]) == "; did you mean 'payments'?"
    assert did_you_mean("payment", []) == ""
    assert Nearest(["payments"]).name("payment") == "payments"

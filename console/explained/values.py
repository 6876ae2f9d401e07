"""Values of rewards as people read them."""

from __future__ import annotations

from decimal import Decimal

from offerflow.amounts import amount as exact


def money(amount: Decimal | None, currency: str | None) -> str:
    """``10.00 EUR``, ``none`` for a reward without value."""
    return "none" if amount is None else f"{exact(amount)} {currency}"

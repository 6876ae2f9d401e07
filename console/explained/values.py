"""Values of rewards as people write them."""

from __future__ import annotations

from decimal import Decimal


def money(amount: Decimal | None, currency: str | None) -> str:
    """``10 EUR``, ``none`` for a reward without value."""
    return "none" if amount is None else f"{amount.normalize():f} {currency}"

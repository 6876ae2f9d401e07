"""Amounts of money as they are told everywhere: in the API, on the command line, in the outputs of programs."""

from __future__ import annotations

from decimal import Decimal


def amount(value: Decimal) -> str:
    """``10.00``, ``2.505``: an exact decimal with two places at least and no zeros beyond them."""
    whole, _, places = f"{value:f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"

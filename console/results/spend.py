"""What was spent on each arm besides rewards, such as advertising: a CSV file ``arm,amount,currency``."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from iso4217 import Currency

from offerflow.rules.nearest import did_you_mean

COLUMNS = ("arm", "amount", "currency")
LARGEST = Decimal(10) ** 14
_CURRENCIES = frozenset(currency.code for currency in Currency)


class Spend(NamedTuple):
    arm: str
    amount: Decimal
    currency: str


class Wrong(NamedTuple):
    line: int
    message: str


def read_spend(path: Path, arms: Collection[str]) -> tuple[list[Spend], list[Wrong]]:
    """The sums by arm and currency, in the order of the file, and what is wrong with it. Further columns are ignored.
    Raises OSError; bytes that are no UTF-8 are wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        return [], [Wrong(1, f"not UTF-8 text: byte {error.object[error.start]:#04x} at {error.start}")]
    with io.StringIO(text, newline="") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            found = ", ".join(rows.fieldnames or ()) or "nothing"
            return [], [Wrong(1, f"no column {' and '.join(missing)}: expected {','.join(COLUMNS)}, found {found}")]
        sums: dict[tuple[str, str], Decimal] = {}
        wrong: list[Wrong] = []
        for row in rows:
            read = _read(row, arms)
            if isinstance(read, str):
                wrong.append(Wrong(rows.line_num, read))
            else:
                sums[read.arm, read.currency] = sums.get((read.arm, read.currency), Decimal(0)) + read.amount
        return [Spend(arm, amount, currency) for (arm, currency), amount in sums.items()], wrong


def _read(row: dict[str, str | None], arms: Collection[str]) -> Spend | str:
    arm, amount, currency = ((row[name] or "").strip() for name in COLUMNS)
    if arm not in arms:
        return f"the offer has no arm {arm!r}" + (did_you_mean(arm, arms) or f"; expected one of {', '.join(arms)}")
    try:
        value = Decimal(amount)
    except InvalidOperation:
        return f"the amount {amount!r} is no number such as 1250.00"
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or not 0 <= value < LARGEST or exponent < -4:
        return f"the amount {amount} is out of range: expected 0 to {LARGEST:f} with at most 4 decimals"
    if currency not in _CURRENCIES:
        return f"{currency!r} is no ISO 4217 code such as EUR"
    return Spend(arm, value, currency)

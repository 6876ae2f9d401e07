"""Files of spend as people export them, and every way in which one can be wrong."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from console.results.spend import Spend, Wrong, read_spend

ARMS = ("learn", "buy", "holdout")


def read(path: Path, text: str | bytes) -> tuple[list[Spend], list[Wrong]]:
    file = path / "spend.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_spend(file, ARMS)


def test_rows_of_an_arm_are_added(tmp_path: Path) -> None:
    """A row per campaign, columns in any order, more of them, a byte order mark and Windows line ends."""
    text = (
        "\ufeffcampaign,currency,amount,arm\r\nmeta,EUR,100.10,learn\r\ngoogle,EUR,0.2,learn\r\n"
        'tv,USD, 7,"buy"\r\nprint,USD,0,learn\r\n'
    )
    assert read(tmp_path, text) == (
        [
            Spend("learn", Decimal("100.30"), "EUR"), Spend("buy", Decimal(7), "USD"),
            Spend("learn", Decimal(0), "USD"),
        ],
        [],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("lern,1,EUR", "did you mean 'learn'"), ("tv,1,EUR", "expected one of learn, buy, holdout"),
        (",1,EUR", "has no arm ''"), ("buy,much,EUR", "'much' is no number"), ("buy,-1,EUR", "out of range"),
        ("buy,0.00001,EUR", "at most 4 decimals"), ("buy,NaN,EUR", "out of range"),
        ("buy,1e300,EUR", "out of range"), ("buy,1,EURO", "'EURO' is no ISO 4217 code"), ("buy,1", "''"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_told_by_its_line(tmp_path: Path, row: str, says: str) -> None:
    """The good row beside it does not hide it."""
    _, wrong = read(tmp_path, f"arm,amount,currency\nbuy,1,EUR\n{row}\n")
    assert [one.line for one in wrong] == [3]
    assert says in wrong[0].message


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "found nothing"), ("arm;amount;currency\n", "no column arm and amount and currency"), (b"\xff", "not UTF-8")],
)
def test_no_file_of_spend(tmp_path: Path, text: str | bytes, says: str) -> None:
    """One line says what was expected."""
    found, (wrong,) = read(tmp_path, text)
    assert found == []
    assert wrong.line == 1
    assert says in wrong.message

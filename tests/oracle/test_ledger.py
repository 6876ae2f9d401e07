"""The account of every raw record: it balances when all is right, and names what is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.oracle.ledger import Balance, Ledger, form_of
from tests.oracle.samples import PREFIX, record
from tests.oracle.test_verdict import Topics, _double, _lose, _right, _workspace


def _settle(lying: Topics) -> Balance:
    workspace = _workspace()
    workspace.ids = {1000: workspace.versions["Bought", 1]}
    ledger = Ledger(workspace, PREFIX)
    for one in lying["raw.backend"]:
        ledger.raw(one)
    for one in lying["journal"]:
        ledger.journal(one)
    for one in lying["dead-letter"]:
        ledger.letter(one)
    return ledger.settle()


def test_what_is_right_balances() -> None:
    """Two events and a dead letter make three records."""
    balance = _settle(_right())
    assert balance.even, str(balance.report)
    assert (balance.raw, balance.journal, dict(balance.dead), balance.dropped) == (3, 2, {"undecodable": 1}, 0)


@pytest.mark.parametrize(
    "damage", [_lose("journal"), _double("journal"), _lose("dead-letter"), _double("dead-letter"), _lose("raw.backend")]
)
def test_what_is_lost_or_doubled_does_not(damage: Callable[[Topics], None]) -> None:
    """Each kind of damage is one line, and the account is not even."""
    lying = _right()
    damage(lying)
    balance = _settle(lying)
    assert not balance.even
    assert len(balance.report.missing) + len(balance.report.wrong) == 1


def test_a_loss_and_a_gain_do_not_make_up_for_each_other() -> None:
    """The sums are right and the records are not."""
    lying = _right()
    lying["journal"][-1] = lying["journal"][-2]
    balance = _settle(lying)
    assert balance.raw == balance.journal + sum(balance.dead.values())
    assert not balance.even


def test_forms_are_told_by_what_is_seen() -> None:
    """Whether good or not."""
    seen = [record(b"\x00"), record(b"{}", headers=(("ce_x", b""),)), record({"specversion": 1}), record(b"?")]
    assert [form_of(one) for one in seen] == [
        "framed Avro", "CloudEvents, binary", "CloudEvents, structured", "native JSON",
    ]  # fmt: skip

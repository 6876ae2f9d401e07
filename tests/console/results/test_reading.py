"""Results out of a store that holds what a history consumer writes, as a row of the table and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, insert

from console.results import shown
from console.results.figures import Figures, figures
from console.results.reading import read_results
from offerflow.runtime.settings import Settings, StoreSettings
from offerflow.runtime.store.engine import open_store
from offerflow.runtime.store.outcomes import entries, rewards
from offerflow.runtime.store.spend import replace_spend, spent_on
from offerflow.runtime.store.transactions import reading, writing

OFFER: dict[str, Any] = {
    "kind": "offer", "id": "test", "holdout": "20%",
    "variants": [{"id": "a", "weight": 3}, {"id": "b", "weight": 1, "completion": {"event": "X"}}],
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Engine]:
    url = SecretStr(f"sqlite:///{tmp_path / 'store.db'}")
    engine = open_store(Settings(store=StoreSettings(url=url)))
    yield engine
    engine.dispose()


def enter(store: Engine, arm: str, users: range, completed: int, version: str = "v1", offer: str = "test") -> None:
    rows = [
        {
            "instance": f"{offer}-{arm}-{n}", "offer": offer, "version": version, "variant": arm,
            "holdout": arm == "holdout", "user_id": f"{arm}{n}", "entered_at": n,
            "exit_reason": "completed" if place < completed else "expired",
        }
        for place, n in enumerate(users)
    ]  # fmt: skip
    with writing(store) as connection:
        connection.execute(insert(entries), rows)


def reward(store: Engine, number: int, user: str, state: str, value: str | None = "10.00", arm: str = "a") -> None:
    row = {
        "id": f"r{number}", "seq": number, "user_id": user, "reward": "r", "value": value, "offer": "test",
        "currency": value and "EUR", "side": "user", "variant": arm, "attributes": "{}", "instance": "i",
        "state": state,
        "satisfied_at": 1, "late": False, "ruleset": "", "evidence": "[]", "evidence_count": 0,
    }  # fmt: skip
    with writing(store) as connection:
        connection.execute(insert(rewards), [row])


def told(store: Engine, definition: dict[str, Any] | None = OFFER) -> tuple[dict[str, Figures], list[str]]:
    with reading(store) as connection:
        read = read_results(connection, "test", definition)
    return {one.arm.id: one for one in figures(read.arms, 0.95)}, read.notes


def test_everything_is_counted_once(store: Engine) -> None:
    """Users rather than instances, the offer's own rows alone, announced and reversed rewards, spend of the arm."""
    enter(store, "a", range(60), 20)
    enter(store, "holdout", range(20), 5)
    enter(store, "b", range(20), 3)
    enter(store, "a", range(10), 10, offer="another")
    with writing(store) as connection:  # in again under another instance, an exit without its entry, and a visitor
        more = {"offer": "test", "version": "v1", "variant": "a", "holdout": False, "user_id": None, "entered_at": 7,
                "anonymous_id": None, "exit_reason": None}  # fmt: skip
        connection.execute(insert(entries), [
            {**more, "instance": "again", "user_id": "a0", "exit_reason": "completed"},
            {**more, "instance": "later", "user_id": "a999", "entered_at": None, "exit_reason": "completed"},
            {**more, "instance": "visit", "anonymous_id": "a0"},
        ])  # fmt: skip
        replace_spend(connection, "test", [("a", "EUR", Decimal(50)), ("b", "USD", Decimal("9.99"))], "ana")
    for n in range(20):
        reward(store, n, f"a{n}", "reversed" if n < 2 else "fulfilled" if n < 5 else "satisfied")
    reward(store, 20, "a3", "expired", None)
    reward(store, 21, "a59", "satisfied", "2.505")  # late: its instance had expired
    found, notes = told(store)
    assert list(found) == ["a", "b", "holdout"]
    a = shown.as_json(found["a"])
    assert (a["entries"], a["entered"], a["completed"]) == (62, 61, 21)
    assert a["rewards_without_value"] == {"satisfied": 1, "reversed": 1}
    (money,) = a["money"]
    cac = (Decimal(200) - 20 + Decimal("2.505") + 50) / 21
    low, high = map(Decimal, money.pop("cac_interval"))
    assert low < cac < high
    assert Decimal(money.pop("cac")) == cac.quantize(Decimal("0.0001"))
    assert money == {
        "currency": "EUR", "satisfied": 21, "reversed": 2, "value": "202.505", "value_reversed": "20.00",
        "spend": "50.00", "cost": "232.505",
    }  # fmt: skip
    assert a["increment"]["difference"] == pytest.approx(21 / 61 - 5 / 20)
    assert shown.as_json(found["b"])["increment"] is None
    assert shown.as_json(found["b"])["money"][0]["cac"] == "3.33"
    assert shown.as_json(found["holdout"])["money"] == []
    assert notes == []


def test_a_table_for_people(store: Engine) -> None:
    """Figures are rounded for reading, and what cannot be told is a question mark or nothing."""
    enter(store, "a", range(100), 50)
    for n in range(50):
        reward(store, n, f"a{n}", "satisfied" if n else "reversed")
    with writing(store) as connection:
        replace_spend(connection, "test", [("b", "EUR", Decimal(70))], "ana")
    found, _ = told(store)
    columns, rows = shown.table(list(found.values()))
    assert columns == ["", "a", "b", "holdout"]
    assert rows == [
        ["entered", "100", "0", "0"], ["completed", "50", "0", "0"], ["rate", "50.0% [40.4, 59.6]", "", ""],
        ["rewards", "50 (-1): 490.00 EUR", "", ""], ["spend", "", "70.00 EUR", ""],
        ["CAC", "9.80 EUR [9.40, 10.20]", "? EUR", ""],
    ]  # fmt: skip
    assert shown.conclusions([found["b"]]) == ["b: nobody has entered"]
    enter(store, "holdout", range(50), 5)
    found, _ = told(store)
    # 5 of 50 is 4.35 to 21.36: 40 - hypot(9.62, 11.36) to 40 + hypot(9.62, 5.65)
    assert shown.table(list(found.values()))[1][-2:] == [
        ["increment", "+40.0% [+25.1, +51.2]", "", ""], ["", "+40 users [+25, +51]", "", ""],
    ]  # fmt: skip


def test_a_reward_that_is_known_before_its_entry(store: Engine) -> None:
    """Whoever was rewarded has entered, though the topic of entries may be read later."""
    reward(store, 1, "early", "satisfied")
    found, _ = told(store)
    assert (found["a"].arm.entered, found["a"].completed, found["a"].rate) == (1, 1, 1.0)


def test_what_makes_a_test_doubtful_is_noted(store: Engine) -> None:
    """Arms that are not spread as the weights say, a definition that changed, an offer that is gone."""
    enter(store, "a", range(60), 20)
    enter(store, "b", range(20), 3)
    enter(store, "holdout", range(60), 5)
    assert "not spread" in told(store)[1][0]
    assert "not in the catalog" in told(store, None)[1][0]
    assert list(told(store, None)[0]) == ["a", "b", "holdout"]
    enter(store, "a", range(100, 110), 2, version="v2")
    assert "2 versions" in told(store)[1][0]


def test_spend_is_replaced_as_a_whole(store: Engine) -> None:
    """The next import leaves nothing of the one before, and other offers alone."""
    with writing(store) as connection:
        replace_spend(connection, "test", [("a", "EUR", Decimal("1.50")), ("a", "USD", Decimal(2))], "ana")
        replace_spend(connection, "other", [("a", "EUR", Decimal(3))], "ana")
        replace_spend(connection, "test", [("b", "EUR", Decimal(4))], "ben")
    with reading(store) as connection:
        assert spent_on(connection, "test") == [("b", "EUR", Decimal(4))]
        assert spent_on(connection, "other") == [("a", "EUR", Decimal(3))]
    now = [("b", "EUR", Decimal(5))]
    assert shown.spend_rows([("a", "USD", Decimal(2)), ("b", "EUR", Decimal(4))], now) == [
        ("b", "5.00 EUR", "was 4.00"), ("a", "", "was 2.00 USD"),
    ]  # fmt: skip

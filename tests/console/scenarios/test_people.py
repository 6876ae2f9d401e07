"""Ids that fall into the arms a scenario asks for."""

from __future__ import annotations

import pytest

from console.scenarios.people import NoSuchPersonError, id_for
from offerflow.rules.offers import HOLDOUT, Entry, Offer, Variant


def offer(name: str, holdout: int = 0, weights: tuple[int, int] = (1, 1)) -> Offer:
    variants = tuple(
        Variant(arm, weight, {}, None, None) for arm, weight in zip(("plain", "bold"), weights, strict=True)
    )
    return Offer(
        id=name, version="v", entry=Entry(None, None, True), audience=None, exit=None, variants=variants,
        completion=None, holdout=holdout,
    )  # fmt: skip


def test_an_id_is_the_name_if_it_falls_right() -> None:
    """Without arms a user is called as the scenario calls them; with one, the first number that falls into it."""
    assert id_for("anna", "u:", [offer("x")], {}) == "anna"
    found = {arm: id_for("anna", "u:", [offer("x")], {"x": arm}) for arm in ("plain", "bold")}
    assert "anna" in found.values()
    assert found["plain"] != found["bold"]
    for arm, name in found.items():
        assert offer("x").variant_of(f"u:{name}") == arm
        assert offer("x").variant_of(f"a:{id_for('anna', 'a:', [offer('x')], {'x': arm})}") == arm


def test_nobody_is_held_out_unless_that_is_asked() -> None:
    """With a holdout of nine in ten, users of a scenario are in the rest; ``holdout`` asks for it."""
    offers = [offer("x", holdout=9000), offer("y", holdout=5000)]
    name = id_for("anna", "u:", offers, {"y": HOLDOUT})
    assert [one.variant_of(f"u:{name}") == HOLDOUT for one in offers] == [False, True]


def test_arms_that_nobody_has_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An arm too rare to be found is an error that names what was asked."""
    monkeypatch.setattr("console.scenarios.people.TRIES", 50)
    with pytest.raises(NoSuchPersonError, match=r"of 50 users none is in these arms at once: x: bold"):
        id_for("anna", "u:", [offer("x", weights=(10**9, 1))], {"x": "bold"})

"""What a user costs: the estimate beside the state that the engine really keeps."""

from __future__ import annotations

from typing import Any

import pytest

from offerflow.rules.compiling.sizes import Size, size_of, size_of_all, size_of_offer
from offerflow.rules.decide import decide
from offerflow.rules.events import Event
from offerflow.rules.live import LiveRules, activate
from offerflow.rules.state import EntityState, PartitionState, pack
from tests.offerflow.rules.compiling.samples import BUYS, SIGNS_UP, TYPES, compiled, entry_of, offer, ruleset

NOON = 1_790_000_000_000


def kept(*definitions: Any, purchases: int, sign_up: bool = True) -> int:
    """Bytes of the state of a user who signed up and then bought so often."""
    made = ruleset(*definitions)
    partition = activate(PartitionState(), made)
    rules, state = LiveRules(partition, {made.hash: made}.__getitem__), EntityState()
    names = ["AccountCreated"] * sign_up + ["PurchaseCompleted"] * purchases
    types = {one.name: one for one in TYPES}
    for n, name in enumerate(names):
        properties = {"order_id": f"o-{n:05}", "amount": 59.9, "currency": "EUR", "cart_id": f"c-{n:05}"}
        event = Event(
            name, f"0190b3c5-7d1e-7000-8000-{n:012}", "u-42", None, NOON + n, NOON + n, "shop", "backend", n,
            properties, 3, 10_000_000 + n,
        )  # fmt: skip
        decide(rules, "u:u-42", state, event, types[name], 0)
    return len(pack(state))


@pytest.mark.parametrize(
    ("definition", "purchases"),
    [
        (offer("o", completion={**BUYS, "count": {"at_least": 300}}, reward={"id": "r", "value": "10 EUR"}), 299),
        (offer("o", completion={**BUYS, "distinct": {"of": "cart_id", "at_least": 200}}), 199),
        (offer("o", {"all": [SIGNS_UP, {**BUYS, "count": {"at_least": 100}}]}), 100),
    ],
)  # fmt: skip
def test_an_estimate_is_near_the_truth(definition: Any, purchases: int) -> None:
    """A user who has just what it takes is kept in half to one and a half times the bytes that are told."""
    told = size_of_all([compiled(definition)])
    assert 0.5 * told.typical < kept(definition, purchases=purchases) < 1.5 * told.typical


def test_the_most_is_a_bound() -> None:
    """However many events come, the state stays below."""
    definition = offer(
        "o", completion={**BUYS, "count": {"at_least": 100}, "max_hits": 100}, exit={**BUYS, "max_hits": 50}
    )
    told = size_of_all([compiled(definition)])
    assert kept(definition, purchases=600) < told.most


def test_leaves_that_say_the_same_cost_once() -> None:
    """Two nodes with one leaf take what one takes, and hits of a smaller leaf less."""
    one = entry_of({**BUYS, "count": {"at_least": 10}})
    assert size_of([one, one]) == size_of([one])
    small = size_of([entry_of({**BUYS, "count": {"at_least": 10}, "max_hits": 10})])
    assert (small.typical, small.most) == (size_of([one]).typical, small.typical)


def test_every_part_costs_something() -> None:
    """Absences, traits, entries again, keys and rewards that wait each add to an offer."""
    least = size_of_offer(compiled(offer("o", BUYS)))
    for more in (
        {"exit": {"absent": SIGNS_UP, "after": BUYS, "within": "1d"}}, {"audience": {"profile": "plan == 'pro'"}},
        {"reentry": "after_completion"}, {"reentry": {"per_key": "order_id"}},
        {"completion": "immediate", "reward": {"id": "r", "value": "1 EUR", "pending": "1d"}},
    ):  # fmt: skip
        assert size_of_offer(compiled(offer("o", BUYS, **more))).most > least.most


def test_texts() -> None:
    """Three digits, in the unit that fits."""
    assert str(Size(546, 135_432)) == "about 546 B, at most 135 KB"
    assert str(Size(1234, 12_345_678)) == "about 1.23 KB, at most 12.3 MB"
    assert (Size(1, 2) + Size(3, 4)).as_json() == {"typical": 4, "most": 6}

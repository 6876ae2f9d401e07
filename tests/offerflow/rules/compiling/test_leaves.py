"""What leaves become: their texts for people, their windows, their keys, what they read."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from offerflow.rules.compiling.truth import leaves
from offerflow.rules.conditions import Absent, Bounds, Leaf, Profile, Sequence, Window
from offerflow.rules.durations import DAY
from offerflow.rules.events import Event
from tests.offerflow.rules.compiling.samples import (
    BUYS,
    SIGNS_UP,
    Definition,
    compiled,
    completion_of,
    condition,
    entry_of,
    offer,
    settings,
)


def at(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc, arg-type]


def an_event(**properties: Any) -> Event:
    return Event("PurchaseCompleted", "e", "ann", None, 5, 5, "shop", "backend", 0, properties, 0, 0)


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (BUYS, "at least 1 Purchase Completed"),
        ({"event": "Order Completed", "where": 'amount>=50 && currency=="EUR"', "count": {"at_least": 3},
         "within": "30d"},
         'at least 3 Purchase Completed where amount >= 50 && currency == "EUR" within 30d'),
        ({**BUYS, "count": {"more_than": 2, "at_most": 5}}, "more than 2 and at most 5 Purchase Completed"),
        ({**BUYS, "sum": {"of": "amount", "at_least": 99.5}, "from": "2026-03-01", "to": "2026-03-31"},
         "sum of amount of Purchase Completed at least 99.5 from 2026-03-01 to 2026-03-31"),
        ({**BUYS, "average": {"of": "items", "less_than": 3}}, "average of items of Purchase Completed less than 3"),
        ({**BUYS, "distinct": {"of": "currency", "exactly": 2}}, "exactly 2 different currency of Purchase Completed"),
        ({**BUYS, "days": {"at_least": 5}, "within": "2w"}, "Purchase Completed on at least 5 days within 2w"),
        ({**BUYS, "streak": {"at_least": 7}}, "Purchase Completed on at least 7 days in a row"),
        ({"event": "*", "gap": {"at_least": "30d"}}, "any event at least 30d after the one before"),
        ({"sequence": ["Checkout Started", {**BUYS, "where": "amount > 5"}], "within": "2d", "same": "cart_id"},
         "Checkout Started, then Purchase Completed where amount > 5 within 2d with the same cart_id"),
        ({"absent": BUYS, "after": {"event": "Checkout Started"}, "within": "90m", "same": "cart_id"},
         "no Purchase Completed within 1h30m after Checkout Started with the same cart_id"),
        ({"profile": "plan=='pro'"}, 'profile plan == "pro"'),
        ({"in_offer": "p"}, "in offer p"),
        ({"completed_offer": "p"}, "completed offer p"),
    ],
)  # fmt: skip
def test_texts(node: Definition, text: str) -> None:
    """Each leaf says what it asks, in words and numbers as they were written."""
    assert getattr(entry_of(node, offer("p")), "text", "") == text


def test_windows_begin_at_the_entry_in_a_completion() -> None:
    """In completions and exits everything counts since the entry unless it says ever; elsewhere nothing does."""
    everywhere = {"all": [BUYS, {"sequence": ["Checkout Started", BUYS["event"]]},
                          {"absent": BUYS, "after": SIGNS_UP, "within": "7d"}]}  # fmt: skip
    ever = {"all": [{**one, "since": "ever"} for one in everywhere["all"]]}  # type: ignore[dict-item]
    made = compiled(offer("o", everywhere, completion=everywhere, exit=everywhere, audience=everywhere))
    for node, entered in (
        (made.entry.condition, False),
        (made.audience, False),
        (made.completion, True),
        (made.exit, True),
    ):
        assert node != "immediate"
        assert {leaf.window.since_entry for leaf in leaves(node)} == {entered}
    assert {leaf.window.since_entry for leaf in leaves(completion_of(ever))} == {False}
    leaf = completion_of({**BUYS, "within": "3d"})
    assert isinstance(leaf, Leaf)
    assert leaf.text == "at least 1 Purchase Completed within 3d since the entry"


@pytest.mark.parametrize(
    ("window", "more", "expected"),
    [
        ({"within": "30d"}, {}, Window(within=30 * DAY)),
        ({"from": "2026-03-01"}, {}, Window(start=at(2026, 3, 1))),
        ({"to": "2026-03-01"}, {}, Window(end=at(2026, 3, 2) - 1)),
        ({"from": "2026-03-01", "to": "2026-03-01T09:00:00Z"}, {"timezone": "Europe/Berlin"},
         Window(start=at(2026, 2, 28, 23), end=at(2026, 3, 1, 9))),
    ],
)  # fmt: skip
def test_windows(window: Definition, more: Definition, expected: Window) -> None:
    """Rolling ones are milliseconds; dates begin and end in the offer's time zone."""
    leaf = compiled(offer("o", {**BUYS, **window}, **more)).entry.condition
    assert isinstance(leaf, Leaf)
    assert leaf.window == expected


def test_time_zones() -> None:
    """Days are those of the offer's zone, else of the settings', else UTC, wherever the condition is defined."""
    named = condition("daily", **BUYS, days={"at_least": 5})
    entry = {"condition": "daily"}
    zones = []
    for common, own in ((None, None), ("Asia/Tokyo", None), ("Asia/Tokyo", "Europe/Berlin")):
        more = {} if own is None else {"timezone": own}
        made = compiled(offer("o", entry, **more), named, *([settings(timezone=common)] if common else []))
        assert isinstance(made.entry.condition, Leaf)
        assert made.entry.condition.measure.zone is not None
        zones.append(made.entry.condition.measure.zone.key)
    assert zones == ["UTC", "Asia/Tokyo", "Europe/Berlin"]


def test_bounds_are_exact() -> None:
    """Counts and gaps are integers, amounts the decimals they are written as."""
    found = [entry_of({**BUYS, **one}) for one in (
        {"count": {"at_least": 3}}, {"sum": {"of": "amount", "at_least": 0.1, "less_than": 5}},
        {"gap": {"at_least": "1d"}}, {"count": {}},
    )]  # fmt: skip
    assert [leaf.measure.bounds for leaf in found if isinstance(leaf, Leaf)] == [
        Bounds(at_least=3), Bounds(at_least=Decimal("0.1"), less_than=Decimal(5)), Bounds(at_least=DAY),
        Bounds(at_least=1),
    ]  # fmt: skip


def key_of(node: Definition, *others: Definition) -> int:
    return getattr(entry_of(node, *others), "key", 0)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (BUYS, {"event": "Order Completed"}, True),
        (BUYS, {**BUYS, "count": {"at_least": 1}}, True),
        (BUYS, {**BUYS, "max_hits": 1000}, True),
        ({**BUYS, "where": "amount>1"}, {**BUYS, "where": " (amount > 1) "}, True),
        (BUYS, {"condition": "c"}, True),
        ({**BUYS, "sum": {"of": "amount", "at_least": 5}}, {**BUYS, "sum": {"of": "amount", "at_least": 5.0}}, True),
        ({**BUYS, "within": "48h"}, {**BUYS, "within": "2d"}, True),
        ({**BUYS, "from": "2026-03-01"}, {**BUYS, "from": "2026-03-01T00:00:00Z"}, True),
        (BUYS, SIGNS_UP, False),
        (BUYS, {**BUYS, "count": {"at_least": 2}}, False),
        (BUYS, {**BUYS, "count": {"exactly": 1}}, False),
        (BUYS, {**BUYS, "within": "2d"}, False),
        (BUYS, {**BUYS, "max_hits": 999}, False),
        ({**BUYS, "where": "amount > 1"}, {**BUYS, "where": "amount >= 1"}, False),
        ({**BUYS, "where": "note == 1"}, {**BUYS, "where": 'note == "1"'}, False),
        ({**BUYS, "sum": {"of": "amount", "at_least": 5}}, {**BUYS, "sum": {"of": "items", "at_least": 5}}, False),
        ({**BUYS, "sum": {"of": "amount", "at_least": 5}}, {**BUYS, "max": {"of": "amount", "at_least": 5}}, False),
        ({"sequence": ["Checkout Started", BUYS["event"]]},
         {"sequence": [{"event": "Checkout Started"}, {"event": "Order Completed"}]}, True),
        ({"sequence": ["Checkout Started", BUYS["event"]]}, {"sequence": [BUYS["event"], "Checkout Started"]}, False),
        ({"sequence": ["Checkout Started", BUYS["event"]]},
         {"sequence": ["Checkout Started", BUYS["event"]], "same": "cart_id"}, False),
        ({"absent": BUYS, "after": SIGNS_UP, "within": "7d"}, {"absent": BUYS, "after": SIGNS_UP, "within": "1w"},
         True),
        ({"absent": BUYS, "after": SIGNS_UP, "within": "7d"}, {"absent": BUYS, "after": SIGNS_UP, "within": "8d"},
         False),
    ],
)  # fmt: skip
def test_leaves_that_say_the_same_are_one(one: Definition, other: Definition, same: bool) -> None:
    """The key of a leaf is made of everything it says, however it is spelt and wherever it stands."""
    named = condition("c", **BUYS)
    assert (key_of(one, named) == key_of(other, named)) is same


def test_steps_have_keys_of_their_own() -> None:
    """The two steps of a sequence of the same event count apart, and apart from a leaf on that event."""
    sequence = entry_of({"sequence": [BUYS["event"], BUYS["event"]]})
    assert isinstance(sequence, Sequence)
    assert len({sequence.key, key_of(BUYS), *(step.key for step in sequence.steps)}) == 4
    absent = entry_of({"absent": BUYS, "after": {**BUYS, "where": "amount > 5"}, "within": "1d"})
    assert isinstance(absent, Absent)
    assert len({absent.key, absent.event.key, absent.after.key}) == 3


@pytest.mark.parametrize(
    "node",
    [BUYS, {"sequence": ["Checkout Started", BUYS["event"]], "same": "cart_id"},
     {"absent": BUYS, "after": {"event": "Checkout Started"}, "within": "1d"}],
)  # fmt: skip
def test_leaves_of_an_entry_that_repeats_are_its_own(node: Definition) -> None:
    """Its hits are used up, and per key they know the key, which those of the same leaf elsewhere do not; whichever the
    re-entry, it is the same leaf. The audience asks the others."""
    ways = ("never", "after_expiry", "after_completion", {"per_key": "cart_id"})
    made = [compiled(offer("o", node, reentry=reentry, audience=node)) for reentry in ways]
    never, expiry, completion, keyed = (frozenset(leaf.key for leaf in leaves(one.entry.condition)) for one in made)
    assert expiry == completion
    assert len(never | expiry | keyed) == 3 * len(never)
    assert {frozenset(leaf.key for leaf in leaves(one.audience)) for one in made} == {never}


@pytest.mark.parametrize(
    ("node", "reads", "properties", "value"),
    [
        ({**BUYS, "where": "amount > 5"}, {"amount"}, {}, ...),
        ({**BUYS, "sum": {"of": "amount", "at_least": 5}}, {"amount"}, {"amount": 2.5}, 2.5),
        ({**BUYS, "sum": {"of": "amount", "at_least": 5}, "where": "items > 1"}, {"amount", "items"}, {}, None),
        ({**BUYS, "max": {"of": "note", "at_least": 5}}, {"note"}, {"note": "5"}, None),
        ({**BUYS, "max": {"of": "note", "at_least": 5}}, {"note"}, {"note": True}, None),
        ({**BUYS, "max": {"of": "note", "at_least": 5}}, {"note"}, {"note": float("nan")}, None),
        ({**BUYS, "distinct": {"of": "note", "at_least": 5}}, {"note"}, {"note": True}, True),
        ({**BUYS, "distinct": {"of": "note", "at_least": 5}}, {"note"}, {"note": [1]}, None),
        ({**BUYS, "distinct": {"of": "address.city", "at_least": 5}}, {"address"}, {"address": {"city": "Bonn"}},
         "Bonn"),
        ({**BUYS, "distinct": {"of": "meta.source", "at_least": 5}}, set(), {}, "shop"),
    ],
)  # fmt: skip
def test_what_leaves_read(node: Definition, reads: set[str], properties: dict[str, Any], value: Any) -> None:
    """The properties to decode, and the value that is measured: None of what is missing or of another type."""
    leaf = entry_of(node)
    assert isinstance(leaf, Leaf)
    assert leaf.reads == reads
    assert (leaf.value(an_event(**properties)) if leaf.value else ...) == value


def test_reversible_leaves() -> None:
    """A leaf knows whether a refund may take its hits out; one on any event may lose some."""
    found = [entry_of(node) for node in (BUYS, SIGNS_UP, {"event": "*"})]
    assert [leaf.reversible for leaf in found if isinstance(leaf, Leaf)] == [True, False, True]


def test_profiles_read_traits() -> None:
    """A profile is asked of the traits alone; a trait that is missing makes a comparison false."""
    node = entry_of({"profile": 'plan == "pro" && age >= 18'})
    assert isinstance(node, Profile)
    assert node.reads == {"plan", "age"}
    asked = [{"plan": "pro", "age": 18}, {"plan": "pro", "age": 17}, {"plan": "pro"}, {"age": 20}, {}]
    assert [node.test(traits) for traits in asked] == [True, False, False, False, False]

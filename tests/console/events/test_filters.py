"""Which events are wanted, of arrivals and of journal records alike."""

from __future__ import annotations

from typing import Any

import pytest

from console.events.arrivals import Arrival, Arrivals
from console.events.filters import Wanted, flagged
from console.events.verdicts import VALID, Verdict
from offerflow.runtime.store.debugging import DEVICE, SOURCE, USER, Flag
from tests.console.events.events import Raw, envelope, judged, world


def arrival(**given: Any) -> Arrival:
    """Of user u-1 and visitor v-1 from shop."""
    value = envelope(anonymous_id="v-1", event_id="e-1", properties={"amount": 1}, **given)
    return Arrivals(world(), closely=True)(Raw(value))


@pytest.mark.parametrize(
    ("wanted", "is_wanted"),
    [
        (Wanted(), True), (Wanted(users=frozenset({"u-1", "u-2"})), True), (Wanted(users=frozenset({"u-2"})), False),
        (Wanted(visitors=frozenset({"v-1"})), True), (Wanted(sources=frozenset({"app"})), False),
        (Wanted(events=frozenset({"Bought"}), users=frozenset({"u-1"})), True),
        (Wanted(ids=frozenset({"e-2"})), False), (Wanted(debug=True), False),
        (Wanted(debug=True, flags=frozenset({(USER, "u-1")})), True),
        (Wanted(debug=True, flags=frozenset({(SOURCE, "shop")})), True),
        (Wanted(debug=True, flags=frozenset({(DEVICE, "v-1")})), True),
        (Wanted(debug=True, flags=frozenset({(DEVICE, "u-1")})), False),
    ],
)  # fmt: skip
def test_wanted(wanted: Wanted, is_wanted: bool) -> None:
    """All that is given must hold, and the journal record says the same as the raw one."""
    assert wanted.arrival(arrival()) is is_wanted
    _, stored = judged(Raw(envelope(anonymous_id="v-1", event_id="e-1", properties={"amount": 1})))
    assert wanted.stored(stored) is is_wanted


def test_debug_mode() -> None:
    """A flag for a device finds the id that an SDK gives it; a client that says debug needs no flag."""
    device = arrival(context={"device": {"id": "d-1"}})
    flags = flagged([Flag(DEVICE, "d-1", 9, 1, "ana@laptop")])
    assert Wanted(debug=True, flags=flags).arrival(device)
    assert Wanted(debug=True).arrival(arrival(via={"debug": True}))


def test_what_cannot_be_read_is_his_whose_key_it_has() -> None:
    """The edge writes the user as the key, so that somebody who looks for it sees it."""
    broken = Arrivals(world())(Raw(b'{"event": "Bought", "user_id": "u-1", "properties": []}', key=b"u-1"))
    assert Wanted(users=frozenset({"u-1"})).arrival(broken)
    assert not Wanted(users=frozenset({"u-2"})).arrival(broken)


def test_only_bad_ones() -> None:
    """What is in the journal is left out."""
    assert not Wanted(bad=True).verdict(Verdict(VALID, None))
    assert Wanted(bad=True).verdict(Verdict("clock_skew", None))

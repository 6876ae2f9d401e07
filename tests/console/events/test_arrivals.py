"""Raw records of every form as they arrived: who, what, and the id by which validation will know them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from console.events.arrivals import Arrivals
from offerflow.rules.ids import make_id
from schemas.replay import import_headers
from schemas.step import Emit
from tests.console.events.events import BACKEND, FRAMED, RECEIVED, Raw, anything, bought, envelope, judged, world

EVENT = {"specversion": "1.0", "id": "c-1", "source": "/tills", "type": "Bought", "subject": "u-2",
         "data": {"amount": 1}}  # fmt: skip
BINARY = [(f"ce_{name}", str(EVENT[name]).encode()) for name in EVENT if name != "data"]
LONG_AGO = 1_700_000_000_000


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (bought(), ("Bought", "u-1", None, "shop", "e-1", True)),
        (bought(offset=7, event_id=None), ("Bought", "u-1", None, "shop", make_id("T1", "3", "7"), False)),
        (Raw(envelope("", None, type="page", anonymous_id="v-1", source="app"), "offerflow.raw.sdk"),
         ("Page Viewed", None, "v-1", "app", make_id("T2", "3", "0"), False)),
        (Raw(json.dumps(EVENT).encode()), ("Bought", "u-2", None, "shop", "c-1", True)),
        (Raw(b'{"amount": 1}', headers=BINARY), ("Bought", "u-2", None, "shop", "c-1", True)),
        (Raw(FRAMED), ("Bought", "u-1", None, "shop", "e-1", True)),
        (Raw(envelope("Unheard", source="nobody"), "offerflow.raw.sdk"),
         ("Unheard", "u-1", None, "nobody", make_id("T2", "3", "0"), False)),
    ],
)  # fmt: skip
def test_what_arrived(record: Raw, said: tuple[Any, ...]) -> None:
    """Each form says event, user, anonymous id, source and event id; ids that are missing are those that validation
    makes of the coordinates."""
    made = Arrivals(world())(record)
    assert (made.event, made.user_id, made.anonymous_id, made.source, made.event_id, made.given_id) == said
    assert made.why is None


@pytest.mark.parametrize(
    "record",
    [bought(), bought(event_id=None, offset=5), Raw(json.dumps(EVENT).encode()), Raw(FRAMED),
     Raw(envelope(properties={"amount": 1}), "offerflow.raw.import", 3, import_headers(BACKEND, LONG_AGO, 42))],
)  # fmt: skip
def test_joins_with_what_validation_stores(record: Raw) -> None:
    """The real step's record has the same id and time of arrival as was expected of the raw one, imports included."""
    arrival, stored = judged(record)
    assert arrival.joins == stored.joins
    assert stored.meta["received_at"] == (LONG_AGO if "import" in record.topic() else RECEIVED)


def test_what_cannot_be_read_says_so() -> None:
    """Broken bytes have no id to be joined by; what can be read of them all the same is there."""
    read = Arrivals(world())
    assert read(Raw(b"{")).why
    assert read(Raw(None)).joins is None
    half = read(Raw(b'{"event": "Bought", "user_id": 1}'))
    assert (half.event, half.event_id) == ("Bought", None)
    assert read(Raw(b"\0\0\0\0\xff")).why == "no event schema has the id 255"
    assert "does not decode" in (read(Raw(FRAMED[:8])).why or "")
    assert read(Raw(envelope(), "offerflow.raw.import")).why
    assert read(Raw(envelope(), "offerflow.raw.gone")).why


def test_devices() -> None:
    """Only who looks closely is told of devices, wherever SDKs put their ids, and whether the client says debug."""
    value = envelope(
        anonymous_id="v-1", context={"device": {"id": "d-1", "token": "t-1", "model": "X"}},
        via={"protocol": "reteno", "debug": True, "rest": {"deviceId": "d-2"}},
    )  # fmt: skip
    close = Arrivals(world(), closely=True)(Raw(value))
    assert close.devices == {"v-1", "d-1", "t-1", "d-2"}
    assert close.debug
    plain = Arrivals(world())(Raw(value))
    assert (plain.devices, plain.debug) == (frozenset(), False)
    odd = Arrivals(world(), closely=True)(Raw(envelope(context=[1], via="x")))
    assert (odd.devices, odd.debug) == (frozenset(), False)


@given(record=anything())
def test_nothing_anybody_sends_raises(record: Raw) -> None:
    """Any bytes are an arrival; where validation would store them, the ids agree."""
    known = world()
    arrival = Arrivals(known, closely=True)(record)
    outcome = known.step(record)
    if isinstance(outcome, Emit):
        assert arrival.joins == judged(record, of=known)[1].joins

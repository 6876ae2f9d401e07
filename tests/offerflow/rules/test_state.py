"""How a state travels, and how large it gets."""

from __future__ import annotations

import uuid

import pytest

from offerflow.rules.ids import long_id, short_id
from offerflow.rules.state import EntityState, Hit, Instance, RichHit, has_open, pack, unpack_entity
from tests.offerflow.rules.samples import Entity, offer


@pytest.mark.parametrize(
    ("event_id", "bytes_"),
    [
        ("0190b3c5-7d1e-7000-8000-0123456789ab", 16),
        ("0190B3C5-7D1E-7000-8000-0123456789AB", 36),
        ("0190b3c57d1e700080000123456789ab", 32),
        ("0190b3c5-7d1e-7000-8000-0123456789 b", 36),
        ("0190b3c5-7d1e-7000-8000-0123456789ag", 36),
        ("e1", 2),
    ],
)
def test_event_ids_that_are_uuids_are_kept_short(event_id: str, bytes_: int) -> None:
    """As 16 bytes, if they come back as they were; any other id stays as it is."""
    assert (len(short_id(event_id)), long_id(short_id(event_id))) == (bytes_, event_id)


def test_a_state_comes_back_as_it_was() -> None:
    """Plain and rich hits, leaves without any, and leaves that share a hit."""
    shared = Hit(5, 2, 9, b"0123456789abcdef")
    state = EntityState(leaves={7: [Hit(1, 1, 8, "e1"), shared], 8: [], 9: [shared, RichHit(6, 3, 10, "e3", 2.5)]})
    back = unpack_entity(pack(state))
    assert back == state
    assert pack(back) == pack(state)
    assert back.leaves[7][1] is back.leaves[9][0]
    assert unpack_entity(None) == EntityState()


def test_who_is_in_an_offer_is_known() -> None:
    """Open instances alone make a member of the set that sweeps run over."""
    entity = Entity(offer("o", {"event": "A"}, {"event": "B"}))
    entity.says("A")
    assert has_open(entity.state)
    entity.says("B")
    assert not has_open(entity.state)
    assert isinstance(entity.state.closed[0], Instance)


def test_a_user_with_ten_open_leaves_fits_into_a_kilobyte() -> None:
    """Five offers that the user is in, their ten leaves with two events each, whose ids are UUIDs."""
    offers = [
        offer(f"offer-number-{n}", {"event": "A"}, {"all": [
            {"event": "B", "where": f"x > {n}", "count": {"at_least": 20}},
            {"event": "C", "where": f"x > {n}", "count": {"at_least": 20}},
        ]}, expires_after="30d")
        for n in range(5)
    ]  # fmt: skip
    entity = Entity(*offers)
    for n, name in enumerate("ABCBC"):
        entity.says(name, event_id=str(uuid.UUID(int=(0x0190B3C57D1E7000 << 64) + n)), x=9, offset=5_000_000 + n)
    assert entity.packed is not None
    assert (len(entity.state.instances), len(entity.state.leaves)) == (5, 11)
    assert len(entity.packed) <= 1024

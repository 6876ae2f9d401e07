"""Where a reader that keeps its positions in the store reads on."""

from __future__ import annotations

from typing import Any

from offerflow.runtime.kafka.admin import Place, TopicInfo
from offerflow.runtime.store.claims import Position, Standing, claim

TOPICS = {"t": TopicInfo("t", "new", 4)}


class Topics:
    """As much of an Admin as is asked here: one topic, whose partitions begin at 5."""

    def topics(self, names: list[str]) -> dict[str, TopicInfo]:
        return TOPICS

    def starts(self, places: list[Place]) -> dict[Place, int]:
        return dict.fromkeys(places, 5)


def standing(known: dict[Place, Position]) -> Standing:
    admin: Any = Topics()
    return Standing(admin, ["t"], lambda: known)


def test_where_to_read_on() -> None:
    """From the store's position, unless the topic is another than it was or retention was faster."""
    known = {("t", 1): Position("new", 7), ("t", 2): Position("old", 7), ("t", 3): Position("new", 2)}
    places = [("t", partition) for partition in range(4)]
    claimed = claim(places, known, TOPICS, dict.fromkeys(places, 5))
    assert [claimed[place].next for place in places] == [5, 7, 5, 5]
    assert {position.topic_id for position in claimed.values()} == {"new"}


def test_what_the_store_lacks_is_what_is_written() -> None:
    """Records, positions past markers, and partitions never read before; what it has is left alone."""
    here = standing({("t", 1): Position("new", 7)})
    assert here.assigned([("t", 0), ("t", 1)]) == {("t", 0): 5, ("t", 1): 7}
    assert here.to_write({}) == ({}, {("t", 0): Position("new", 5)})
    here.end({("t", 0): 6, ("t", 1): 3, ("t", 2): 9})
    before, after = here.to_write({("t", 1): 8})
    assert (before, after) == (
        {("t", 1): Position("new", 7)}, {("t", 0): Position("new", 6), ("t", 1): Position("new", 8)},
    )  # fmt: skip
    here.wrote(after)
    assert here.to_write({}) == ({}, {})
    assert here.offsets() == here.stored_offsets() == {("t", 0): 6, ("t", 1): 8}


def test_what_is_taken_away_or_claimed_again_is_forgotten() -> None:
    """Then the store alone says where to read on."""
    known = {("t", 1): Position("new", 7)}
    here = standing(known)
    here.assigned([("t", 0), ("t", 1)])
    here.wrote({("t", 1): Position("new", 9)})
    here.revoked([("t", 0)])
    assert here.again() == {("t", 1): 7}
    assert (here.next, here.stored) == (known, known)

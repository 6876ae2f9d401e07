"""What adopting a refused partition comes to: the position, what changes in Redis, and what cannot be adopted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from console.state.adopting import Adoption, NotAdoptable, plan_adoption
from console.state.rebuilding import plan_rebuild
from console.state.standing import LAYOUT, Stage, Standing, judged
from offerflow.runtime.errors import Refused
from offerflow.runtime.kafka.admin import Committed, TopicInfo
from offerflow.runtime.redis.store import Meta
from offerflow.runtime.topics import commit_metadata

TOPIC = TopicInfo("t.journal", "here", 8)
RAW = TopicInfo("t.raw.sdk", "raw", 8)
EMPTY = Meta(0, None, None, None, None, None, None)
FOLDED = Meta(100, None, b"fold", LAYOUT, "here", "cluster", "t.rules", "8")


def committed(offset: int, topic: TopicInfo = TOPIC) -> Committed:
    return Committed(offset, commit_metadata(topic.id, offset))


def rules(known: Committed | None, meta: Meta = FOLDED, start: int = 0, end: int = 200) -> Standing:
    return judged((TOPIC.name, 3), TOPIC, "cluster", "t.rules", known, start, end, meta)


def raw(known: Committed | None, start: int = 0, end: int = 200) -> Standing:
    return judged((RAW.name, 3), RAW, "cluster", "t.validation", known, start, end, None)


def planned(standing: Standing, chosen: str | None = None, *, anew: bool = False) -> Adoption:
    made = plan_adoption(standing, chosen, anew=anew)
    assert made is not None
    assert made.means, "what is taken for granted is always said"
    return made


@pytest.mark.parametrize("known", [committed(100), committed(140)])
def test_what_a_claim_takes_is_left_alone(known: Committed) -> None:
    """There is nothing to adopt of a partition with which a worker would go on, replaying or not."""
    assert plan_adoption(rules(known)) is None


@pytest.mark.parametrize(("known", "reason"), [
    (None, "offset_absent"), (Committed(20, ""), "offset_foreign"), (Committed(20, "of1:gone:20"), "topic_recreated"),
])  # fmt: skip
def test_a_lost_offset_goes_on_from_redis(known: Committed | None, reason: str) -> None:
    """Where the offset says nothing, what Redis has folded is taken, since it never leads what was published."""
    standing = rules(known)
    assert standing.refusal is not None
    assert standing.refusal.reason == reason
    made = planned(standing)
    assert (made.position, made.meta, made.drop) == (100, {}, False)


def test_a_position_above_redis_is_replayed_silently() -> None:
    """A person may know a later position: the records up to it are folded, and nothing of them announced."""
    made = planned(rules(None), "160")
    assert (made.position, made.meta) == (160, {})
    assert "records from 100 to 160 are folded again without announcing anything" in made.means


def test_a_position_below_redis_needs_its_states_folded_anew() -> None:
    """States cannot be taken back, so a position below them is refused, unless they are dropped."""
    with pytest.raises(NotAdoptable, match="cannot be taken back"):
        plan_adoption(rules(None), "start")
    made = planned(rules(None), "start", anew=True)
    assert (made.position, made.meta, made.drop) == (0, {}, True)


def test_nothing_is_guessed_where_nothing_tells() -> None:
    """Without an offset and with an empty Redis, or for a raw topic whose offset is not ours, a person must choose."""
    with pytest.raises(NotAdoptable, match=r"Choose with --position: an offset, or start, end"):
        plan_adoption(rules(None, EMPTY))
    with pytest.raises(NotAdoptable, match=r"start, end, committed"):
        plan_adoption(raw(Committed(20, "")))
    assert planned(raw(Committed(20, "")), "committed").position == 20
    assert planned(rules(None, EMPTY), "end").position == 200


@pytest.mark.parametrize("chosen", ["201", "-1", "redis", "soon"])
def test_a_position_must_lie_in_the_log(chosen: str) -> None:
    """Positions outside the log, and words that mean none here, are refused."""
    with pytest.raises(NotAdoptable, match="the log goes from 0 to 200"):
        plan_adoption(rules(None, EMPTY), chosen)


def test_redis_ahead_counts_as_published() -> None:
    """Adopting a Redis that is ahead commits what it has folded, and says that outputs may be lost by it."""
    made = planned(rules(committed(60)))
    assert (made.position, made.meta) == (100, {})
    assert any(means.startswith("records from 60 to 100 count as published") for means in made.means)


def test_another_journal_of_the_same_name() -> None:
    """States of a journal that was deleted are kept and go on from where the new one is committed."""
    made = planned(rules(committed(5), replace(FOLDED, topic_id="gone")))
    assert made.position is None
    assert made.meta == {"next": 5, "topic_id": "here"}
    with pytest.raises(NotAdoptable, match="--position"):
        plan_adoption(rules(None, replace(FOLDED, topic_id="gone")))
    mirrored = planned(rules(None, replace(FOLDED, topic_id="gone")), "redis")
    assert (mirrored.position, mirrored.meta) == (100, {"topic_id": "here"})


def test_another_cluster_and_group_keep_their_place() -> None:
    """Where only the cluster or the group has another name, the states stay where they are."""
    made = planned(rules(committed(120), replace(FOLDED, cluster_id="old", group="old.rules")))
    assert (made.position, made.meta) == (None, {"cluster_id": "cluster", "group": "t.rules"})


def test_a_journal_that_lost_its_beginning_or_its_end() -> None:
    """What is gone is passed over, and it is said what the states then lack or have too much."""
    short = planned(rules(committed(190), start=150))
    assert (short.position, short.meta) == (None, {"next": 150})
    assert any("lack the records from 100 to 150" in means for means in short.means)
    cut = planned(rules(committed(100), end=80))
    assert (cut.position, cut.meta) == (80, {"next": 80})
    assert any("hold 20 offsets" in means for means in cut.means)
    assert planned(raw(committed(20, RAW), start=50)).position == 50


@pytest.mark.parametrize("meta", [
    replace(FOLDED, dirty=b"token"), replace(FOLDED, layout="1"), replace(FOLDED, partitions="4"),
])  # fmt: skip
def test_states_nobody_can_read_are_never_adopted(meta: Meta) -> None:
    """Half-written states, those of another layout or of other partitions are dropped or restored, never kept."""
    with pytest.raises(NotAdoptable, match="--anew"):
        plan_adoption(rules(None, meta))
    assert planned(rules(None, meta), "150", anew=True).drop
    with pytest.raises(NotAdoptable):
        plan_adoption(rules(None, meta, start=10), "150", anew=True)


def test_a_lost_beginning_with_an_empty_redis() -> None:
    """Without states, what is folded from the start that is left says of itself what it belongs to."""
    made = planned(rules(committed(190), EMPTY, start=150))
    assert made.meta == {
        "next": 150, "layout": LAYOUT, "cluster_id": "cluster", "topic_id": "here", "group": "t.rules",
        "partitions": "8",
    }  # fmt: skip


@pytest.mark.parametrize("spoiled", [{"dirty": b"token"}, {"layout": "1"}])
def test_states_of_others_are_not_ours_to_drop(spoiled: dict[str, Any]) -> None:
    """Whose states they are is asked before whether they can be used: neither a claim nor a rebuild would drop them."""
    standing = rules(committed(120), replace(FOLDED, cluster_id="production", **spoiled))
    assert standing.refusal is not None
    assert standing.claim == "refuse: other_cluster"
    with pytest.raises(Refused, match="production"):
        plan_rebuild(Stage("rules", "t.rules", [], [standing]))

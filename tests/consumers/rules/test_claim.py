"""Claims of journal partitions: what is carried on, folded again, dropped, and refused with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from consumers.rules.claim import LAYOUT, Claims
from offerflow.rules.state import PartitionState, pack
from offerflow.runtime import claims as claims_module
from offerflow.runtime import outside
from offerflow.runtime.errors import KafkaDown, Refused, TryAgain
from offerflow.runtime.kafka.admin import Committed, Place, TopicInfo
from offerflow.runtime.redis.store import Meta
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import commit_metadata
from schemas.folding.book import CatalogBook
from tests.consumers.rules.world import catalog_of

SETTINGS = Settings(topic_prefix="t.", partitions=4, worker="rules-1")
PLACE = ("t.journal", 2)
CATALOG = catalog_of([[], []])
CATALOG.records["ruleset/r1"]["engine"] += 1
BOOK = CatalogBook(CATALOG)
EMPTY = Meta(0, None, None, None, None, None, None)
OURS = Meta(70, None, None, LAYOUT, "T", "cluster", "t.rules", "4")


class World:
    """Kafka and Redis as a claim asks them: by default the group has committed 70 of a log from 0 to 90, and Redis has
    folded as much."""

    def __init__(self) -> None:
        self.topic: TopicInfo | None = TopicInfo("t.journal", "T", 4)
        self.committed_offset: Committed | None = Committed(70, commit_metadata("T", 70))
        self.start, self.end = 0, 90
        self.redis = OURS
        self.dropped: list[str] = []
        self.before_remains: Callable[[], None] = lambda: None
        self.before_committed: Callable[[], None] = lambda: None
        self.away = False

    def claims(self) -> Claims:
        return Claims(SETTINGS, self, self, BOOK)  # type: ignore[arg-type]

    def claim(self) -> Any:
        return self.claims().claim([PLACE])[PLACE]

    # what a claim asks

    def cluster_id(self) -> str:
        return "cluster"

    def memory(self) -> tuple[int, int]:
        return 60, 100

    def topics(self, names: Iterable[str], timeout_s: float = 6.0) -> dict[str, TopicInfo]:
        if self.away:
            raise KafkaDown("away")
        return {} if self.topic is None else {self.topic.name: self.topic}

    def committed(self, group: str, places: Iterable[Place]) -> dict[Place, Committed]:
        assert group == "t.rules"
        found = {} if self.committed_offset is None else {PLACE: self.committed_offset}
        self.before_committed()
        return found

    def starts(self, places: Iterable[Place]) -> dict[Place, int]:
        return {PLACE: self.start}

    def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        return {PLACE: self.end}

    def meta(self, partition: int) -> Meta:
        assert partition == PLACE[1]
        return self.redis

    def drop(self, partition: int, token: bytes) -> bool:
        return self._drop("half written", token == self.redis.dirty)

    def drop_layout(self, partition: int, layout: str | None) -> bool:
        return self._drop("layout", layout == self.redis.layout)

    def drop_remains(self, partition: int) -> bool:
        self.before_remains()
        return self.redis.next == 0

    def _drop(self, why: str, still: bool) -> bool:
        if still:
            self.redis = EMPTY
            self.dropped.append(why)
        return still

    def commits(self, offset: int, topic: str = "T") -> None:
        self.committed_offset = Committed(offset, commit_metadata(topic, offset))


@pytest.fixture
def world() -> World:
    return World()


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"stage": "rules", **labels}) or 0.0


def test_where_both_agree_it_carries_on(world: World) -> None:
    """Position and suppression stand at the same offset, and what Redis is to say of the partition is complete."""
    before = counted("offerflow_claims_total", outcome="carried_on")
    partition = world.claim()
    assert (partition.number, partition.next, partition.committed) == (2, 70, 70)
    assert partition.identity == {
        "cluster_id": "cluster", "topic_id": "T", "group": "t.rules", "partitions": "4", "layout": LAYOUT,
    }  # fmt: skip
    assert counted("offerflow_claims_total", outcome="carried_on") == before + 1


@pytest.mark.parametrize("redis", [replace(OURS, next=40), EMPTY, replace(OURS, next=0)])
def test_a_redis_that_lags_is_folded_again(world: World, redis: Meta) -> None:
    """From wherever Redis stands, with everything below the committed offset suppressed."""
    world.redis = redis
    partition = world.claim()
    assert (partition.next, partition.committed) == (redis.next, 70)


def test_a_state_that_says_less_of_itself_is_ours(world: World) -> None:
    """What an earlier release wrote names no number of partitions, and is taken over."""
    world.redis = replace(OURS, partitions=None)
    assert world.claim().next == 70


def test_an_owner_that_went_on_between_the_two_reads_is_believed(world: World) -> None:
    """Redis is ahead of what was read first, Kafka asked again is not behind: nothing is refused, and what was
    published meanwhile is suppressed."""

    def goes_on() -> None:
        world.before_committed = lambda: None
        world.commits(80)
        world.redis = replace(OURS, next=80)

    world.before_committed = goes_on
    partition = world.claim()
    assert (partition.next, partition.committed) == (80, 80)


def test_one_that_began_meanwhile_is_left_alone(world: World) -> None:
    """An empty partition that another owner has folded on since it was read is claimed where that one stands."""

    def begins() -> None:
        world.redis = replace(OURS, next=30)

    world.redis, world.before_remains = EMPTY, begins
    assert (world.claim().next, world.dropped) == (30, [])


def _half(world: World) -> None:
    world.redis = replace(OURS, dirty=b"token")


def _packed(world: World) -> None:
    world.redis = replace(OURS, layout="of another version")


@pytest.mark.parametrize(("breaks", "why"), [(_half, "half written"), (_packed, "layout")])
def test_what_is_not_to_be_used_is_dropped(world: World, breaks: Callable[[World], None], why: str) -> None:
    """A state that is half written, or packed by another version, is folded again from the beginning."""
    breaks(world)
    before = counted("offerflow_claims_total", outcome="dropped")
    partition = world.claim()
    assert (partition.next, partition.committed, world.dropped) == (0, 70, [why])
    assert counted("offerflow_claims_total", outcome="dropped") == before + 1


@pytest.mark.parametrize(("breaks", "reason"), [(_half, "half_written"), (_packed, "state_layout")])
def test_nothing_is_dropped_that_cannot_be_folded_again(
    world: World, breaks: Callable[[World], None], reason: str
) -> None:
    """Where the journal no longer reaches back, what is left in Redis is kept for whoever looks at it."""
    breaks(world)
    world.start = 5
    with pytest.raises(Refused) as refused:
        world.claim()
    assert (refused.value.reason, world.dropped) == (reason, [])


@pytest.mark.parametrize("breaks", [_half, _packed])
def test_nothing_of_another_deployment_is_dropped(world: World, breaks: Callable[[World], None]) -> None:
    """A worker that was pointed at a Redis of somebody else refuses, whatever state that is in."""
    breaks(world)
    world.redis = replace(world.redis, cluster_id="theirs")
    with pytest.raises(Refused) as refused:
        world.claim()
    assert (refused.value.reason, world.dropped) == ("other_cluster", [])


def _set(**what: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        for name, value in what.items():
            setattr(world, name, value)

    return change


REFUSALS: dict[str, tuple[str, Callable[[World], None], str]] = {
    "the topic is gone": ("topic_absent", _set(topic=None), "topics create"),
    "the journal was given partitions": ("partitions", _set(topic=TopicInfo("t.journal", "T", 5)), "OFFERFLOW_PARTITI"),
    "the offset expired": ("offset_absent", _set(committed_offset=None), "state adopt"),
    "a tool set the offset": ("offset_foreign", _set(committed_offset=Committed(70, "")), "put back"),
    "a tool copied our metadata": (
        "offset_foreign", _set(committed_offset=Committed(20, commit_metadata("T", 70))), "put back",
    ),
    "the offset is of an older topic": ("topic_recreated", lambda world: world.commits(70, "older"), "state adopt"),
    "the log lost its end": ("offset_outside", _set(end=69), "lost its end"),
    "the log lost its start": ("offset_outside", _set(start=71), "removed before they were read"),
    "the state is of an older topic": ("topic_recreated", _set(redis=replace(OURS, topic_id="older")), "state adopt"),
    "the state is of another cluster": ("other_cluster", _set(redis=replace(OURS, cluster_id="B")), "a Redis of its"),
    "the state is of another group": ("other_group", _set(redis=replace(OURS, group="u.rules")), "a Redis of its own"),
    "the state is of fewer partitions": ("partitions", _set(redis=replace(OURS, partitions="3")), "from a journal of"),
    "Redis leads": ("redis_ahead", _set(redis=replace(OURS, next=71)), "state rebuild"),
    "the journal starts beyond Redis": ("journal_short", _set(redis=replace(OURS, next=4), start=5), "backups.md"),
    "Redis is empty and the journal short": ("journal_short", _set(redis=EMPTY, start=5), "backups.md"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSALS)
def test_what_cannot_be_trusted_is_refused(world: World, what: str) -> None:
    """Each guard has a reason of its own, counts its refusal, names the partition or topic, and says what to do."""
    reason, change, advice = REFUSALS[what]
    change(world)
    before = counted("offerflow_refusals_total", reason=reason), counted("offerflow_claims_total", outcome="refused")
    with pytest.raises(Refused) as refused:
        world.claim()
    assert refused.value.reason == reason
    assert "t.journal" in str(refused.value)
    assert advice in str(refused.value)
    after = counted("offerflow_refusals_total", reason=reason), counted("offerflow_claims_total", outcome="refused")
    assert after == (before[0] + 1, before[1] + 1)


def test_rules_that_this_version_cannot_run_are_refused(world: World) -> None:
    """Where the rules in force need another engine, the partition is not even claimed."""
    world.redis = replace(OURS, fold=pack(PartitionState(ruleset="r1")))
    before = counted("offerflow_refusals_total", reason="engine")
    with pytest.raises(Refused, match="needs rules engine") as refused:
        world.claim()
    assert refused.value.reason == "engine"
    assert counted("offerflow_refusals_total", reason="engine") == before + 1


def test_a_claim_ends_in_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that takes long for each answer cannot make a claim outlast the membership."""
    now = 0.0

    def slow() -> None:
        nonlocal now
        now += claims_module.CLAIM_S + 1

    monkeypatch.setattr(outside, "monotonic", lambda: now)
    world.before_committed = slow
    before = counted("offerflow_claims_total", outcome="unanswered")
    with pytest.raises(TryAgain, match="a claim took longer"):
        world.claim()
    assert counted("offerflow_claims_total", outcome="unanswered") == before + 1


def test_a_mark_that_comes_again_and_again_ends_in_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropping a state that somebody else goes on to break is not tried for ever."""
    now = 0.0

    def still(partition: int, token: bytes) -> bool:
        nonlocal now
        now += 1
        return False

    monkeypatch.setattr(outside, "monotonic", lambda: now)
    monkeypatch.setattr(world, "drop", still)
    _half(world)
    with pytest.raises(TryAgain, match="reading the state"):
        world.claim()


def test_a_service_that_is_away_is_no_refusal(world: World) -> None:
    """It is waited for, and counted apart."""
    world.away = True
    before = counted("offerflow_claims_total", outcome="unanswered")
    with pytest.raises(KafkaDown):
        world.claim()
    assert counted("offerflow_claims_total", outcome="unanswered") == before + 1


@pytest.mark.parametrize(
    ("topic", "reason"),
    [(TopicInfo("t.journal", "T", 5), "partitions"), (TopicInfo("t.journal", "new", 4), "topic_recreated")],
)
def test_a_journal_that_changes_under_a_worker(world: World, topic: TopicInfo, reason: str) -> None:
    """It is noticed between claims; a broker that does not answer is no reason to stop, nor is a topic that is gone,
    which the client tells."""
    claims = world.claims()
    claims.claim([PLACE])
    for name, value in (("away", True), ("away", False), ("topic", None)):
        setattr(world, name, value)
        claims.look()
    world.topic = topic
    with pytest.raises(Refused) as refused:
        claims.look()
    assert refused.value.reason == reason


def test_a_look_tells_what_redis_has_left(world: World) -> None:
    """As gauges, for the alarm that comes before Redis takes no more."""
    world.claims().look()
    said = [REGISTRY.get_sample_value(f"offerflow_redis_memory{name}") for name in ("_bytes", "_limit_bytes")]
    assert said == [60, 100]

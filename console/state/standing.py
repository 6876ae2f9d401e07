"""Where each partition of a stage stands: its log, the committed offset, what Redis has, and what a claim would do."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from offerflow.rules import state
from offerflow.runtime import guards
from offerflow.runtime.claims import judge_drop, judge_offset, judge_owner, judge_state, judge_topics
from offerflow.runtime.errors import OfferflowError, Refused
from offerflow.runtime.kafka.admin import Admin, Committed, Place, TopicInfo
from offerflow.runtime.positions import raw_topics
from offerflow.runtime.redis.store import Meta, StateStore
from offerflow.runtime.settings import Settings

RULES, VALIDATION = "rules", "validation"
STAGES = (RULES, VALIDATION)
CLIENT = "offerflow-state"
LAYOUT = str(state.LAYOUT)


@dataclass(frozen=True, slots=True)
class Standing:
    """One partition. ``meta``: what Redis says of it, None for validation, which keeps nothing there. ``identity``:
    what a worker would write there. ``refusal``: why a worker would not go on, None if it would."""

    place: Place
    topic: TopicInfo
    committed: Committed | None
    start: int
    end: int
    meta: Meta | None
    identity: dict[str, str]
    offset_refusal: Refused | None
    state_refusal: Refused | None

    @property
    def where(self) -> str:
        return f"{self.place[0]}/{self.place[1]}"

    @property
    def refusal(self) -> Refused | None:
        return self.offset_refusal or self.state_refusal

    @property
    def claim(self) -> str:
        """What a worker that is given this partition would do, in a few words."""
        if self.refusal is not None:
            return f"refuse: {self.refusal.reason}"
        meta, committed = self.meta, self.committed.offset if self.committed else 0
        if meta is None:
            return "carry on"
        if guards.half_written(meta):
            return "drop it, since an apply died half-way, and fold from 0"
        if guards.of_another_layout(meta, LAYOUT):
            return f"drop it, since its layout is {meta.layout}, and fold from 0"
        return f"fold {meta.next} to {committed} again" if meta.next < committed else "carry on"


@dataclass(frozen=True, slots=True)
class Stage:
    """All partitions of one stage in order, and the client ids of the members of its group."""

    name: str
    group: str
    members: list[str]
    standings: list[Standing]

    @property
    def refused(self) -> list[Standing]:
        return [one for one in self.standings if one.refusal is not None]


def look(settings: Settings, stage: str, topics: Collection[str] = (), partitions: Collection[int] = ()) -> Stage:
    """Look at a stage, at those of its ``topics`` (short or full names) and ``partitions`` if any are named. Changes
    nothing.

    Raises Refused where no claim could be judged: a topic is gone, or the journal has another number of partitions.
    OfferflowError for what the stage does not have.
    """
    admin = Admin(settings, CLIENT)
    admin.ping()
    group = settings.group(stage)
    found = _topics(settings, admin, stage, topics)
    places = [(topic.name, n) for topic in found for n in range(topic.partitions)]
    unknown = set(partitions) - {n for _, n in places}
    if unknown:
        raise OfferflowError(f"the {stage} stage has no partition {', '.join(map(str, sorted(unknown)))}")
    places = [place for place in places if not partitions or place[1] in partitions]
    members = admin.members(group)
    cluster = admin.cluster_id()
    # A worker commits, then applies: asked the other way round, Redis never seems ahead of the commit, nor the commit
    # beyond the end, whatever runs meanwhile.
    metas = dict(_metas(settings, places)) if stage == RULES else {}
    committed, starts, ends = admin.committed(group, places), admin.starts(places), admin.ends(places)
    by_name = {topic.name: topic for topic in found}
    standings = [
        judged(place, by_name[place[0]], cluster, group, committed.get(place), starts[place], ends[place],
               metas.get(place))
        for place in places
    ]  # fmt: skip
    return Stage(stage, group, sorted({*members, *admin.members(group)}), standings)


def judged(
    place: Place, topic: TopicInfo, cluster: str, group: str, committed: Committed | None, start: int, end: int,
    meta: Meta | None,
) -> Standing:  # fmt: skip
    """A partition with what the guards of a claim say of it."""
    identity = {"cluster_id": cluster, "topic_id": topic.id, "group": group, "partitions": str(topic.partitions),
                "layout": LAYOUT}  # fmt: skip
    offset_refusal = judge_offset(place, group, topic, committed, start, end)
    state_refusal = None
    if meta is not None:
        state_refusal = judge_owner(place, meta, identity) or judge_drop(place, meta, start, LAYOUT)
        if state_refusal is None and not _dropped(meta):
            # Of an offset that is refused nobody can say whether Redis is ahead of it.
            at = meta.next if committed is None or offset_refusal is not None else committed.offset
            state_refusal = judge_state(place, meta, at, start, identity)
    return Standing(place, topic, committed, start, end, meta, identity, offset_refusal, state_refusal)


def _topics(settings: Settings, admin: Admin, stage: str, only: Collection[str]) -> list[TopicInfo]:
    journal = settings.topic("journal")
    known = {journal} if stage == RULES else raw_topics(settings)
    wanted = {name if name in known else settings.topic(name) for name in only}
    unknown = sorted(wanted - known)
    if unknown:
        raise OfferflowError(
            f"{', '.join(unknown)} is no input of the {stage} stage, which reads {', '.join(sorted(known))}"
        )
    there = admin.topics(sorted({journal, *(wanted or known)}))
    refused = judge_topics(settings, there, [(name, 0) for name in sorted(wanted or known)])
    if refused is not None:
        raise refused
    return [there[name] for name in sorted(wanted or known)]


def _dropped(meta: Meta) -> bool:
    """Whether a claim would drop what is there."""
    return guards.half_written(meta) or guards.of_another_layout(meta, LAYOUT)


def _metas(settings: Settings, places: Collection[Place]) -> Iterator[tuple[Place, Meta]]:
    store = StateStore(settings)
    try:
        for place in places:
            yield place, store.meta(place[1])
    finally:
        store.close()

"""Claims: where a group's committed offset stands, what Redis says of itself, and whether both can be trusted.

The guards (offerflow.runtime.guards) are asked in a fixed order, and the first that does not hold is the Refused that
says what is wrong and what to do; a worker never guesses. docs/runbook.md has a section for each reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from offerflow.runtime import guards, metrics, outside
from offerflow.runtime.errors import DependencyDown, KafkaDown, Refused, TryAgain
from offerflow.runtime.kafka.admin import Admin, Committed, Place, TopicInfo
from offerflow.runtime.redis.store import Meta
from offerflow.runtime.settings import Settings

CLAIM_S = 8.0
"""How long a claim may take, its last question not counted: a member that says nothing for longer loses its
partitions, and the watchdog ends a program that hangs."""

LOOK_S = 1.0
"""How long a look between claims may take: it holds up the work."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a group stands in one partition, and how far the log goes; judged, so to be trusted."""

    topic: TopicInfo
    committed: int
    start: int
    end: int


class Patience:
    """The time that one claim has. ``spend`` is called between its questions."""

    def __init__(self) -> None:
        self._until = outside.monotonic() + CLAIM_S

    def spend(self, doing: str) -> None:
        """Raises TryAgain if there is none left before ``doing``."""
        if outside.monotonic() > self._until:
            raise TryAgain(
                f"a claim took longer than {CLAIM_S:g} s before {doing}; Kafka or Redis is slow, trying again"
            )


@contextmanager
def claiming(stage: str) -> Iterator[Patience]:
    """Around a claim: bounds it, times it, and counts it where it comes to nothing."""
    started = outside.monotonic()
    try:
        yield Patience()
    except Refused as error:
        metrics.claims.labels(stage, "refused").inc()
        metrics.refusals.labels(stage, error.reason).inc()
        raise
    except (DependencyDown, TryAgain):
        metrics.claims.labels(stage, "unanswered").inc()
        raise
    finally:
        metrics.claim_seconds.labels(stage).observe(outside.monotonic() - started)


def standings(
    settings: Settings, admin: Admin, stage: str, places: Sequence[Place], patience: Patience
) -> dict[Place, Standing]:
    """Where the stage's group stands in each place, as Kafka tells once open transactions have ended.

    Raises Refused for the first offset that cannot be trusted, or if the journal has another number of partitions.
    """
    group, journal = settings.group(stage), settings.topic("journal")
    topics = admin.topics(sorted({journal, *(topic for topic, _ in places)}))
    refused = judge_topics(settings, topics, places)
    if refused is not None:
        raise refused
    patience.spend("reading the committed offsets")
    committed = admin.committed(group, places)
    patience.spend("asking where the logs begin")
    starts = admin.starts(places)
    patience.spend("asking where the logs end")
    ends = admin.ends(places)
    found = {}
    for place in places:
        known, topic = committed.get(place), topics[place[0]]
        refused = judge_offset(place, group, topic, known, starts[place], ends[place])
        if refused is not None:
            raise refused
        assert known is not None  # noqa: S101 - refused otherwise
        found[place] = Standing(topic, known.offset, starts[place], ends[place])
    return found


def committed_positions(
    settings: Settings, admin: Admin, stage: str, places: Sequence[Place], patience: Patience | None = None
) -> tuple[Mapping[Place, int], Mapping[str, TopicInfo]]:
    """The stable committed offset of each place, and the topics they are in. Raises as ``standings`` does."""
    found = standings(settings, admin, stage, places, patience or Patience())
    topics = {place[0]: standing.topic for place, standing in found.items()}
    return {place: standing.committed for place, standing in found.items()}, topics


def judge_topics(settings: Settings, topics: Mapping[str, TopicInfo], places: Sequence[Place]) -> Refused | None:
    """Whether the topics of ``places`` are there and the journal, if it is there, has its partitions."""
    for topic, _ in places:
        if topic not in topics:
            return Refused(
                "topic_absent",
                f"topic {topic} is gone. Restore it from wherever it is mirrored; `offerflow topics create` makes it"
                " anew, without what was in it",
            )
    journal = topics.get(settings.topic("journal"))
    if journal is not None and guards.recounted(journal, settings.partitions):
        return Refused(
            "partitions",
            f"the journal {journal.name} has {journal.partitions} partitions, this program is told that it has"
            f" {settings.partitions}. The number is never altered, since users would move between partitions: set"
            " OFFERFLOW_PARTITIONS to what it was made with; if the topic itself was given more partitions, stop"
            " validation as well, and restore the deployment from before that",
        )
    return None


def look(settings: Settings, admin: Admin, ids: Mapping[str, str]) -> None:
    """Between claims: whether the journal has its partitions still, and the topics of ``ids`` the id they had. Soon
    after the journal was given more partitions the clients would spread users over all of them.

    Raises Refused; what a broker does not answer at once is asked the next time.
    """
    with suppress(KafkaDown):
        topics = admin.topics(sorted({settings.topic("journal"), *ids}), LOOK_S)
        refused = judge_topics(settings, topics, ())
        if refused is not None:
            raise refused
        for name, topic in topics.items():
            if ids.get(name, topic.id) != topic.id:
                raise Refused(
                    "topic_recreated",
                    f"topic {name} was deleted and created again while it was read; `offerflow state show` tells where"
                    " everything stands",
                )


def judge_offset(
    place: Place, group: str, topic: TopicInfo, committed: Committed | None, start: int, end: int
) -> Refused | None:
    """What of the committed offset cannot be trusted."""
    where = f"{place[0]}/{place[1]}"
    look = "`offerflow state show` tells where everything stands"
    if guards.absent(committed):
        return Refused(
            "offset_absent",
            f"group {group} has no committed offset for {where}: the topic is new, or the offset expired, or it was"
            " deleted, which happens with a topic too. If the topic is new, run `offerflow topics create`; otherwise"
            f" {look}, and `offerflow state adopt` sets an offset that you know to be right",
        )
    if committed is None:
        return None
    if guards.of_another_topic(committed, topic):
        return Refused(
            "topic_recreated",
            f"the committed offset {committed.offset} of group {group} for {where} belongs to another topic of that"
            f" name (its metadata is {committed.metadata!r}, the topic has the id {topic.id} now): it was deleted and"
            " created again",
            f"{look}, `offerflow state adopt` goes on with the new topic if that is what you want",
        )
    if guards.tampered(committed, topic):
        return Refused(
            "offset_foreign",
            f"the committed offset {committed.offset} of group {group} for {where} was not committed by this system"
            f" (its metadata is {committed.metadata!r}): offsets were reset by hand or by another tool",
            f"{look}; stop the stage, and put back the offset that you know to be right: `offerflow state adopt"
            f" --partition {place[1]} --position NUMBER`",
        )
    if guards.outside(committed, start, end):
        short = committed.offset > end
        return Refused(
            "offset_outside",
            f"the committed offset {committed.offset} of group {group} for {where} lies outside the log, which goes"
            f" from {start} to {end}: "
            + ("the log has lost its end, by a broker that came back without it" if short else
               "records were removed before they were read, by retention or by hand")
            + ". Restore the log if you can",
            f"{look}, `offerflow state adopt` goes on without what is lost",
        )  # fmt: skip
    return None


def judge_state(place: Place, meta: Meta, committed: int, start: int, identity: Mapping[str, str]) -> Refused | None:
    """What of a partition's state in Redis does not fit the journal. A state that is half written, or of another
    layout, is dropped and folded anew before this is asked (``judge_drop``)."""
    where = f"{place[0]}/{place[1]}"
    refused = judge_owner(place, meta, identity)
    if refused is not None:
        return refused
    if guards.ahead(meta, committed):
        return Refused(
            "redis_ahead",
            f"Redis has folded {where} up to {meta.next}, but only {committed} is committed in Kafka: what was applied"
            " was never published, or the group's offset was set back, or Kafka was restored from an older copy. Put"
            " the offset back if it was moved. If the outputs of those records are still in the topics (`offerflow"
            " verify --outputs` calls them unexpected), `offerflow state adopt` counts them as published; if they are"
            " gone too, `offerflow state rebuild` folds the partition anew",
        )
    if guards.too_old(meta, start):
        return Refused(
            "journal_short",
            f"Redis has folded {where} up to {meta.next}, but the journal starts at {start}, so what lies between is"
            " gone: restore a copy of Redis that reaches the journal (docs/backups.md); without one, `offerflow state"
            " adopt` leaves those records out of the states for good",
        )
    return None


def judge_owner(place: Place, meta: Meta, identity: Mapping[str, str]) -> Refused | None:
    """Whether a partition's state in Redis is that of this deployment; asked before it is used, or dropped."""
    name = guards.stranger(meta, identity)
    if name is None:
        return None
    reason, what = _STRANGERS[name]
    return Refused(
        reason,
        f"the state of {place[0]}/{place[1]} in Redis was folded"
        f" {what.format(found=getattr(meta, name), here=identity[name])}."
        " Give each deployment a Redis of its own, or another OFFERFLOW_TOPIC_PREFIX; if it is this deployment that"
        " changed, `offerflow state show` tells where everything stands, `offerflow state adopt` keeps the state,"
        " or with --anew drops it so that it is folded again",
    )


def judge_drop(place: Place, meta: Meta, start: int, layout: str) -> Refused | None:
    """Why a state that is not to be used, half written or of another ``layout``, may not be dropped either."""
    where = f"{place[0]}/{place[1]}"
    if not start:
        return None
    if guards.half_written(meta):
        return Refused(
            "half_written",
            f"an apply to {where} died half-way, so its state in Redis is not to be used, and the journal starts at"
            f" {start}, so it cannot be folded again from the beginning: restore a copy of Redis that reaches the"
            " journal (docs/backups.md)",
        )
    if guards.of_another_layout(meta, layout):
        return Refused(
            "state_layout",
            f"the states of {where} in Redis have the layout {meta.layout}, this version of offerflow has {layout}, and"
            f" the journal starts at {start}, so they cannot be folded again from the beginning: run the version that"
            " wrote them",
        )
    return None


_STRANGERS = {
    "cluster_id": ("other_cluster", "from the Kafka cluster {found}, this one is {here}"),
    "topic_id": ("topic_recreated", "from a journal with the topic id {found}, it has {here} now: it was created anew"),
    "group": ("other_group", "by the group {found}, this deployment is {here}"),
    "partitions": ("partitions", "from a journal of {found} partitions, it has {here} now"),
}
"""Reason, and what is wrong, of each name of guards.IDENTITY."""

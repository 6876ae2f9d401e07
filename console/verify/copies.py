"""A copy of Redis to fold on from, in place of the first record of the journal.

It is taken on trust: what is wrong in it is wrong in the fold, and then Redis differs from neither. So it should be one
that was verified itself, from the first record or on from the copy before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from console.verify.bounds import CLIENT, committed_by_rules
from offerflow.rules.state import LAYOUT
from offerflow.runtime import guards
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.kafka.scan import read_spans
from offerflow.runtime.redis.snapshot import SnapshotReader
from offerflow.runtime.redis.store import BUCKETS, Meta
from offerflow.runtime.settings import Settings
from schemas.folding.announced import STAGE
from schemas.folding.kept import Kept


class NoCopy(OfferflowError):
    """There is no copy to fold on from: what is there is empty, is written to, or belongs to something else."""


def at_copy(settings: Settings, url: str) -> Settings:
    """The same deployment, with the copy as its Redis."""
    return settings.model_copy(update={"redis": settings.redis.model_copy(update={"url": url})})


def copied_positions(settings: Settings, copy: Settings, admin: Admin, places: Sequence[Place]) -> dict[Place, int]:
    """Up to which record the copy has folded each partition. Raises NoCopy, and RedisDown where it does not answer."""
    where = _where(copy)
    live, store = SnapshotReader(settings), SnapshotReader(copy)
    try:
        if store.server() == live.server():
            raise NoCopy(f"the Redis at {where} is the one that is verified, so it would be compared with itself")
        metas = {place: store.meta(place[1]) for place in places}
    finally:
        live.close()
        store.close()
    if not any(meta.next for meta in metas.values()):
        raise NoCopy(
            f"the Redis at {where} has no states of {settings.topic('journal')}: was the copy loaded (`DBSIZE` is 0 if"
            " not), and is it one of this deployment (OFFERFLOW_TOPIC_PREFIX)?"
        )
    committed, starts = committed_by_rules(settings, admin, places), admin.starts(places)
    topics = admin.topics({topic for topic, _ in places})
    for place, meta in metas.items():
        topic = topics[place[0]]
        identity = {"cluster_id": admin.cluster_id(), "topic_id": topic.id, "group": settings.group(STAGE),
                    "partitions": str(topic.partitions)}  # fmt: skip
        why = _unusable(meta, identity, committed[place[1]], starts[place])
        if why:
            raise NoCopy(f"the copy at {where} is not to be folded on from: of {place[0]}/{place[1]} {why}")
    return {place: meta.next for place, meta in metas.items()}


def read_copy(copy: Settings, place: Place, position: int) -> Kept:
    """All that the copy has of a partition. Raises NoCopy unless all of it is whole and at ``position``."""
    store = SnapshotReader(copy)
    try:
        parts = [store.bucket(place[1], number) for number in range(BUCKETS)]
        beside = store.beside(place[1])
    finally:
        store.close()
    moved = {part.next for part in parts} | {beside.meta.next} != {position}
    if moved or beside.meta.dirty is not None or any(part.dirty is not None for part in parts):
        raise NoCopy(
            f"the copy at {_where(copy)} is written to: {place[0]}/{place[1]} moved while it was read. Load it into a"
            " Redis of its own, which no worker knows"
        )
    states = {entity: state for part in parts for entity, state in part.states.items()}
    return Kept(position, beside.meta.fold, states, beside.timers, beside.opened)


def first_appended(settings: Settings, since: Mapping[Place, int], ends: Mapping[Place, int]) -> datetime | None:
    """When the oldest journal record was appended that no copy has; None without such a record."""
    waiting = {place: (first, ends[place]) for place, first in since.items() if first < ends[place]}
    found: list[int] = []
    for record in read_spans(settings, dict(waiting), CLIENT):
        # The first of each partition: later ones were appended later.
        if waiting.pop((record.topic(), record.partition()), None) is not None:
            found.append(record.timestamp()[1])
        if not waiting:
            break
    return datetime.fromtimestamp(min(found) / 1000, UTC) if found else None


def _unusable(meta: Meta, identity: Mapping[str, str], committed: int, start: int) -> str | None:
    """Why nothing can be folded on from there, None if it can."""
    stranger = guards.stranger(meta, identity)
    if stranger is not None:
        return f"its states belong to {stranger} {getattr(meta, stranger)}, here it is {identity[stranger]}"
    if guards.half_written(meta):
        return "its states are half written: an apply had died when it was taken. Take another"
    if guards.of_another_layout(meta, str(LAYOUT)):
        return (
            f"its states have the layout {meta.layout}, this version of offerflow has {LAYOUT}: fold on with the"
            " version that wrote it, or take a copy now"
        )
    if guards.ahead(meta, committed):
        return f"it has folded up to {meta.next}, and only {committed} is committed: it is ahead of Kafka"
    if guards.too_old(meta, start):
        return f"it has folded up to {meta.next}, and the journal starts at {start}: what lies between is gone"
    return None


def _where(copy: Settings) -> str:
    return copy.redis.url.rpartition("@")[2]

"""A copy of Redis to fold on from, in place of the first record of the journal.

It is taken on trust: what is wrong in it is wrong in the fold, and then Redis differs from neither. So it should be one
that was verified itself, from the first record or on from the copy before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from console.verify.bounds import CLIENT, committed_by_rules
from offerflow.rules.state import LAYOUT
from offerflow.runtime import guards
from offerflow.runtime.addresses import public_address
from offerflow.runtime.errors import ConfigError, OfferflowError, RedisDown
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.kafka.scan import read_spans
from offerflow.runtime.redis.snapshot import SnapshotReader
from offerflow.runtime.redis.store import BUCKETS, Meta
from offerflow.runtime.settings import RedisSettings, Settings
from schemas.folding.announced import STAGE
from schemas.folding.kept import Kept


class NoCopy(OfferflowError):
    """There is no copy to fold on from: what is there is empty, is written to, or belongs to something else."""


class NoAddress(OfferflowError):
    """What was given for the address of a copy is none."""

    exit_code = 2


class Start(msgspec.Struct, frozen=True):
    """Up to which record a copy has folded a partition, and when it came to that, in ms since 1970 (None: copies of
    former versions do not say)."""

    position: int = 0
    applied: int | None = None


def at_copy(settings: Settings, url: str) -> Settings:
    """The same deployment, with the copy as its Redis. Raises NoAddress."""
    try:
        copy = settings.model_copy(update={"redis": RedisSettings(url=url)})
        SnapshotReader(copy).close()
    except (ValueError, ConfigError):
        raise NoAddress("--from-copy: expected redis://HOST:PORT/NUMBER, rediss://… or unix://…") from None
    return copy


def copied(settings: Settings, copy: Settings, admin: Admin, places: Sequence[Place]) -> dict[Place, Start]:
    """Where the copy stands in each partition. Raises NoCopy, and RedisDown where it does not answer."""
    where = public_address(copy.redis.url)
    [topic] = admin.topics([settings.topic("journal")]).values()
    live, store = SnapshotReader(settings), SnapshotReader(copy)
    try:
        _check_server(live, store, where)
        metas = {place: store.meta(place[1]) for place in places}
        whole = store.positions(range(topic.partitions))
    except RedisDown as error:
        raise RedisDown(f"--from-copy, or the Redis that is verified: {error}", error.why) from None
    finally:
        live.close()
        store.close()
    if not any(whole.values()):
        raise NoCopy(
            f"the Redis at {where} has no states of {settings.topic('journal')}: was the copy loaded (`DBSIZE` is 0 if"
            " not), and is it one of this deployment (OFFERFLOW_TOPIC_PREFIX)?"
        )
    committed, starts = committed_by_rules(settings, admin, places), admin.starts(places)
    identity = {"cluster_id": admin.cluster_id(), "topic_id": topic.id, "group": settings.group(STAGE),
                "partitions": str(topic.partitions)}  # fmt: skip
    for place, meta in metas.items():
        why = _unusable(meta, identity, committed[place[1]], starts[place])
        if why:
            raise NoCopy(f"the copy at {where} is not to be folded on from: of {place[0]}/{place[1]} {why}")
    return {
        place: Start(meta.next, None if meta.applied is None else int(meta.applied)) for place, meta in metas.items()
    }


def _check_server(live: SnapshotReader, store: SnapshotReader, where: str) -> None:
    if store.is_replica():
        raise NoCopy(
            f"the Redis at {where} is a replica, which goes on with its primary: load a copy into one of its own"
        )
    server = store.server()
    if server[0] is not None and server == live.server():
        raise NoCopy(f"the Redis at {where} is the one that is verified, so it would be compared with itself")


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
            f"the copy at {public_address(copy.redis.url)} is written to: {place[0]}/{place[1]} moved while it was"
            " read. Load it into a Redis of its own, which no worker knows"
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

"""Claims of journal partitions: where Kafka's committed offset C and Redis's position N stand, and what follows.

N == C  carry on                       N < C  fold again from N, outputs below C suppressed
N > C   refuse: somebody applied what was never published
dirty   an apply died half-way: drop the partition in one script, if it is still that one, and fold from 0
layout  states packed as another version of offerflow packs them: likewise
remains states without a position, say after an eviction: dropped before they are folded over
Nothing is dropped where the journal no longer reaches back to 0. The other guards are in offerflow.runtime.guards.
"""

from __future__ import annotations

from contextlib import suppress

from consumers.rules.rulebook import Rulebook
from offerflow.rules import state
from offerflow.runtime import guards, metrics
from offerflow.runtime.claims import Patience, Standing, claiming, judge_drop, judge_owner, judge_state, look, standings
from offerflow.runtime.errors import RedisDown
from offerflow.runtime.kafka.admin import Admin, Place, TopicInfo
from offerflow.runtime.logs import get_logger
from offerflow.runtime.redis.store import Meta, StateStore
from offerflow.runtime.settings import Settings
from schemas.folding.partition import Partition

STAGE = "rules"
LAYOUT = str(state.LAYOUT)


class Claims:
    """Claims partitions for one worker. Raises Refused where a guard of the protocol does not hold."""

    def __init__(self, settings: Settings, admin: Admin, store: StateStore, rulebook: Rulebook) -> None:
        self._settings = settings
        self._admin = admin
        self._store = store
        self._rulebook = rulebook
        self._cluster = admin.cluster_id()
        self._topic_ids: dict[str, str] = {}
        metrics.PartitionsGauge(STAGE).show({settings.topic("journal"): settings.partitions})

    def claim(self, places: list[Place]) -> dict[Place, Partition]:
        """The partitions, each ready to be read from its ``next``."""
        if not places:
            return {}
        with claiming(STAGE) as patience:
            found = standings(self._settings, self._admin, STAGE, places, patience)
            return {place: self._claimed(place, standing, patience) for place, standing in found.items()}

    def look(self) -> None:
        """Whether the journal is what it was, and what Redis has left, for alarms; asked now and then."""
        look(self._settings, self._admin, self._topic_ids)
        with suppress(RedisDown):  # counted; whoever needs it for the work will say so
            used, limit = self._store.memory()
            metrics.redis_memory_bytes.set(used)
            metrics.redis_memory_limit_bytes.set(limit)

    def _claimed(self, place: Place, standing: Standing, patience: Patience) -> Partition:
        meta = self._settled(place, standing, patience)
        if guards.ahead(meta, standing.committed):
            # Its last owner may have gone on between the two reads; it commits before it applies.
            standing = standings(self._settings, self._admin, STAGE, [place], patience)[place]
        identity = self._identity(standing.topic)
        self._topic_ids[standing.topic.name] = standing.topic.id
        refused = judge_state(place, meta, standing.committed, standing.start, identity)
        if refused is not None:
            raise refused
        replay = meta.next < standing.committed
        metrics.claims.labels(STAGE, "replay" if replay else "carried_on").inc()
        if replay:
            get_logger().info("replaying", partition=place[1], start=meta.next, committed=standing.committed)
        return Partition(place[1], meta.next, standing.committed, meta.fold, identity, self._rulebook)

    def _settled(self, place: Place, standing: Standing, patience: Patience) -> Meta:
        """What Redis says of the partition, once a state that is not to be used is dropped; if it is ours."""
        identity = self._identity(standing.topic)
        partition = place[1]
        while True:
            patience.spend(f"reading the state of {place[0]}/{partition} in Redis")
            meta = self._store.meta(partition)
            refused = judge_owner(place, meta, identity) or judge_drop(place, meta, standing.start, LAYOUT)
            if refused is not None:
                raise refused
            if guards.half_written(meta):
                get_logger().warning("an apply died half-way; folding the partition anew", partition=partition)
                self._store.drop(partition, meta.dirty or b"")
            elif guards.of_another_layout(meta, LAYOUT):
                get_logger().warning("states of another layout; folding the partition anew", partition=partition,
                                     found=meta.layout, expected=LAYOUT)  # fmt: skip
                self._store.drop_layout(partition, meta.layout)
            elif meta.next or standing.start or self._store.drop_remains(partition):
                return meta
            else:  # somebody else has begun it meanwhile
                continue
            metrics.claims.labels(STAGE, "dropped").inc()

    def _identity(self, topic: TopicInfo) -> dict[str, str]:
        return {
            "cluster_id": self._cluster, "topic_id": topic.id, "group": self._settings.group(STAGE),
            "partitions": str(topic.partitions), "layout": LAYOUT,
        }  # fmt: skip

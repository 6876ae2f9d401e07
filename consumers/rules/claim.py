"""Claims of journal partitions: where Kafka's committed offset C and Redis's position N stand, and what follows.

N == C  carry on                       N < C  fold again from N, outputs below C suppressed
N > C   refuse: somebody applied what was never published
dirty   an apply died half-way: drop the partition in one script, if it is still that one, and fold from 0
layout  states packed as another version of offerflow packs them: likewise, if the journal reaches back that far
"""

from __future__ import annotations

from collections.abc import Mapping

from consumers.rules.rulebook import Rulebook
from offerflow.rules import state
from offerflow.runtime import metrics
from offerflow.runtime.claims import committed_positions
from offerflow.runtime.errors import Refused
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

    def claim(self, places: list[Place]) -> dict[Place, Partition]:
        """The partitions, each ready to be read from its ``next``."""
        if not places:
            return {}
        committed, topics = committed_positions(self._settings, self._admin, STAGE, places)
        starts = self._admin.starts(places)
        claimed = {}
        for place in places:
            meta = self._settled(place, starts[place])
            identity = self._identity(topics[place[0]])
            self._check(place, meta, committed, starts[place], identity)
            outcome = "carried_on" if meta.next == committed[place] else "replay"
            metrics.claims.labels(outcome).inc()
            if outcome == "replay":
                get_logger().info("replaying", partition=place[1], start=meta.next, committed=committed[place])
            claimed[place] = Partition(place[1], meta.next, committed[place], meta.fold, identity, self._rulebook)
        return claimed

    def _settled(self, place: Place, start: int) -> Meta:
        partition = place[1]
        while True:
            meta = self._store.meta(partition)
            if meta.dirty is not None:
                get_logger().warning("an apply died half-way; folding the partition anew", partition=partition)
                self._store.drop(partition, meta.dirty)
            elif meta.next and meta.layout != LAYOUT:
                self._refuse_layout(place, meta, start)
                get_logger().warning("states of another layout; folding the partition anew", partition=partition,
                                     found=meta.layout, expected=LAYOUT)  # fmt: skip
                self._store.drop_layout(partition, meta.layout)
            else:
                return meta
            metrics.claims.labels("dropped").inc()

    def _refuse_layout(self, place: Place, meta: Meta, start: int) -> None:
        if start:
            raise Refused(
                "state_layout",
                f"the states of {place[0]}/{place[1]} in Redis have the layout {meta.layout}, this version of offerflow"
                f" has {LAYOUT}, and the journal starts at {start}, so they cannot be folded again from the beginning:"
                " run the version that wrote them",
            )

    def _identity(self, topic: TopicInfo) -> dict[str, str]:
        group = self._settings.group(STAGE)
        return {"topic_id": topic.id, "cluster_id": self._cluster, "group": group, "layout": LAYOUT}

    def _check(
        self, place: Place, meta: Meta, committed: Mapping[Place, int], start: int, identity: Mapping[str, str]
    ) -> None:
        where = f"{place[0]}/{place[1]}"
        for name, expected in identity.items():
            found = getattr(meta, name)
            if found is not None and found != expected:
                raise Refused(
                    "foreign_state",
                    f"the state of {where} in Redis belongs to {name} {found}, this is {expected}: another deployment"
                    " uses this Redis, or the topic was created anew. Give each deployment a Redis of its own, or empty"
                    " this one so that the state is folded again from the journal",
                )
        if meta.next > committed[place]:
            again, _ = committed_positions(self._settings, self._admin, STAGE, [place])
            if meta.next > again[place]:
                raise Refused(
                    "redis_ahead",
                    f"Redis has folded {where} up to {meta.next}, but only {again[place]} is committed in Kafka: what"
                    " was applied was never published, or the group's offset was set back. Restore the offset",
                )
        if meta.next < start:
            raise Refused(
                "journal_short",
                f"Redis has folded {where} up to {meta.next}, but the journal starts at {start}: restore a backup of"
                " Redis that reaches the journal",
            )

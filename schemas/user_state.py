"""What the rules know of one user at this moment: their state in Redis, under the rules in force in their partition.

It only looks, so it works beside running workers; what it sees is as old as the partition is behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from msgspec.structs import replace

from offerflow.catalog.view import Catalog
from offerflow.rules.explain import explain
from offerflow.rules.explained import OfferExplained
from offerflow.rules.live import LiveRules
from offerflow.rules.ruleset import Ruleset
from offerflow.rules.state import LAYOUT, EntityState, pack, unpack_entity, unpack_partition
from offerflow.runtime.errors import KafkaDown, TryAgain
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.partitions import partition_of
from offerflow.runtime.redis.store import StateStore
from offerflow.runtime.settings import Settings
from schemas.catalog import ruleset_of


def entity_of(user: str) -> str:
    """The journal key of somebody as people name them: ``a:v-1`` is an anonymous visitor, all else a user; ``u:`` in
    front is for ids that begin like that themselves."""
    return user if user.startswith(("a:", "u:")) else f"u:{user}"


@dataclass(frozen=True, slots=True)
class UserState:
    """``state`` is None for somebody the rules know nothing of; ``bytes`` is how much of it Redis keeps.
    ``position``: the next record of the journal partition to be folded.
    ``now`` is stream time, 0 before the first tick."""

    entity: str
    partition: int
    position: int
    now: int
    bytes: int
    state: EntityState | None
    rules: LiveRules
    ruleset: str

    def explain(self, offer: str | None, now: int) -> list[OfferExplained]:
        """Every offer in order of id, or only ``offer``: then an empty list if there is no such offer. ``now`` is the
        moment from which windows look back, in milliseconds: for people the time of day."""
        return explain(self.rules, self.state or EntityState(), offer, max(now, self.now))


class UserReader:
    """Reads many users of one deployment; rulesets are compiled once. Not for several threads at a time."""

    def __init__(self, settings: Settings) -> None:
        self._topic = settings.topic("journal")
        self._where = settings.kafka.bootstrap_servers
        self._admin = Admin(settings, "offerflow-user-reader")
        self._store = StateStore(settings)
        self._partitions = 0
        self._compiled = lru_cache(maxsize=None)(self._compile)
        self._views = lru_cache(maxsize=256)(self._view)
        self._catalog = Catalog()

    def read(self, catalog: Catalog, user: str) -> UserState:
        """``user`` as ``entity_of`` takes it; ``catalog`` as new as it may be. Raises RedisDown, KafkaDown, and
        TryAgain where the partition is being rebuilt, or has rules in force that the catalog does not know yet."""
        self._catalog = catalog
        entity = entity_of(user)
        partition = partition_of(entity.encode(), self._count())
        loaded = self._store.load({partition: [entity]})[partition]
        if loaded.dirty is not None:
            raise TryAgain(f"partition {partition} of {self._topic} is being rebuilt; try again in a moment")
        if loaded.next and loaded.layout != str(LAYOUT):
            raise TryAgain(
                f"the states of partition {partition} of {self._topic} in Redis have the layout {loaded.layout}, this"
                f" version of offerflow has {LAYOUT}: its rules worker folds them anew when it starts; is it running?"
            )
        packed = loaded.states[entity]
        fold = unpack_partition(loaded.fold)
        # Ticks move on without the rules changing.
        rules = self._views(pack(replace(fold, time=0, sweep=None)))
        return UserState(
            entity=entity,
            partition=partition,
            position=loaded.next,
            now=fold.time,
            bytes=len(packed or b""),
            state=None if packed is None else unpack_entity(packed),
            rules=rules,
            ruleset=fold.ruleset,
        )

    def behind(self, found: UserState) -> int:
        """How many offsets of the journal partition lie before its end and were not folded in when ``found`` was read;
        at rest it is 0."""
        place: Place = (self._topic, found.partition)
        return max(self._admin.ends([place])[place] - found.position, 0)

    def close(self) -> None:
        self._store.close()

    def _count(self) -> int:
        """Asked once: the number of partitions of a journal never changes."""
        if not self._partitions:
            found = self._admin.topics([self._topic])
            if self._topic not in found:
                raise KafkaDown(f"Kafka at {self._where} has no topic {self._topic}; run `offerflow topics create`")
            self._partitions = found[self._topic].partitions
        return self._partitions

    def _view(self, fold: bytes) -> LiveRules:
        return LiveRules(unpack_partition(fold), self._compiled)

    def _compile(self, name: str) -> Ruleset:
        if f"ruleset/{name}" not in self._catalog.records:
            raise TryAgain(f"ruleset {name} is in force and the catalog as read does not have it yet; try again")
        return ruleset_of(self._catalog, name)

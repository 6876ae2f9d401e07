"""A running deployment: its topics, and the world as its catalog has it now."""

from __future__ import annotations

from functools import cached_property

from console.events.world import World
from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import sources_of
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.settings import Settings
from schemas.catalog import plan_of
from schemas.channels import channels_of

CLIENT = "offerflow-events"


class Live:
    """``world`` is new whenever ``poll`` found that something was applied. Raises KafkaDown where there is no broker or
    no topic."""

    def __init__(self, settings: Settings, *, show_pii: bool = False) -> None:
        self.settings = settings
        self.admin = Admin(settings, CLIENT)
        self.admin.ping()
        self._show_pii = show_pii
        self._follower = CatalogFollower(settings, CLIENT)
        sources = sources_of(settings, self._follower.start())
        # Topics that are new later are not followed.
        self._channels = channels_of(settings, self.admin, sources)
        self.world = self._made()
        outcomes = self.admin.topics([self.world.journal, self.world.dead_letters])
        if len(outcomes) < 2 or not self._channels:
            raise KafkaDown(f"Kafka lacks topics of {settings.topic_prefix}*; run `offerflow topics create`")
        self._outcomes = {info.name: info.partitions for info in outcomes.values()}

    def poll(self) -> None:
        """Take what was applied since."""
        if self._follower.poll():
            self.world = self._made()

    def close(self) -> None:
        self._follower.close()

    @cached_property
    def raw_places(self) -> list[Place]:
        there = self.admin.topics(self._channels)
        return [(info.name, partition) for info in there.values() for partition in range(info.partitions)]

    @cached_property
    def outcome_places(self) -> list[Place]:
        """The partitions of journal and dead letters."""
        return [(name, partition) for name, number in self._outcomes.items() for partition in range(number)]

    def _made(self) -> World:
        catalog = self._follower.catalog
        world = World(
            plan_of(catalog), sources_of(self.settings, catalog), self._channels, self.settings.topic("journal"),
            self.settings.topic("dead-letter"), show_pii=self._show_pii,
        )  # fmt: skip
        if self.settings.registry.url is not None:
            from schemas.registry import ExternalIds

            world.registered = ExternalIds(self.settings, world.plan)
        return world

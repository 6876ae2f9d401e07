"""The catalog for somebody who only looks."""

from __future__ import annotations

from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import Catalog
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import Settings


def read_catalog(settings: Settings) -> tuple[Catalog, str]:
    """The catalog as it is now, and Kafka's id of its topic. Raises KafkaDown if there is none."""
    admin = Admin(settings)
    admin.ping()
    name = settings.topic("catalog")
    there = admin.topics([name])
    if name not in there:
        where = settings.kafka.bootstrap_servers
        raise KafkaDown(f"Kafka at {where} has no topic {name}; run `offerflow topics create`")
    follower = CatalogFollower(settings, "offerflow-catalog-reader")
    try:
        return follower.start(), there[name].id
    finally:
        follower.close()

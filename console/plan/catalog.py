"""The catalog as it is now, for those who only look."""

from __future__ import annotations

from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import Catalog
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import Settings

CLIENT = "offerflow-plan"


def read_catalog(settings: Settings) -> Catalog:
    """Raises KafkaDown if there is no broker or no catalog."""
    Admin(settings).ping()
    follower = CatalogFollower(settings, CLIENT)
    try:
        return follower.start()
    finally:
        follower.close()

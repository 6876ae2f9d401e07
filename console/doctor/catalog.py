"""The catalog, for checks: whoever follows one that is not there would wait for it in vain."""

from __future__ import annotations

from console.workspace.reading import read_catalog
from offerflow.catalog.view import Catalog
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import Settings


def catalog_of(settings: Settings) -> Catalog:
    """Raises KafkaDown, at once where there is none."""
    catalog, _ = read_catalog(settings)
    return catalog


def require_catalog(settings: Settings, admin: Admin) -> None:
    """Raises KafkaDown if there is none."""
    name = settings.topic("catalog")
    if name not in admin.topics([name]):
        raise KafkaDown(f"there is no topic {name}; run `offerflow topics create`")

"""Reads the catalog topic from its start and follows it. Every program has one follower."""

from __future__ import annotations

import msgspec

from offerflow.catalog.view import Catalog, Value
from offerflow.runtime import metrics
from offerflow.runtime.kafka.reader import TopicReader
from offerflow.runtime.settings import Settings


class CatalogFollower:
    """``catalog`` is the newest view. With a ``worker`` name, the position read is committed under
    ``<prefix>catalog.<worker>``, so that ``apply`` can see which workers know the new plan."""

    def __init__(self, settings: Settings, client_id: str, worker: str | None = None) -> None:
        group = settings.group(f"catalog.{worker}") if worker else None
        self._reader = TopicReader(settings, settings.topic("catalog"), client_id, group)
        self._records: dict[str, Value] = {}
        self.catalog = Catalog()

    def start(self, timeout_s: float = 10.0) -> Catalog:
        """Read to the end of the topic as it is now. Raises KafkaDown if that takes longer than ``timeout_s``."""
        self._take(self._reader.read_to_end(timeout_s))
        return self.catalog

    def poll(self) -> bool:
        """Take what was written since, without waiting. Returns whether there is a new view."""
        return self._take(self._reader.poll())

    def report(self) -> None:
        """Commit the position, if it moved: everything up to it is in force in this program."""
        self._reader.commit()

    def close(self) -> None:
        self._reader.close()

    def _take(self, records: list[tuple[bytes | None, bytes | None]]) -> bool:
        for key, value in records:
            if key is None:
                continue
            if value is None:
                self._records.pop(key.decode(), None)
            else:
                self._records[key.decode()] = msgspec.json.decode(value, type=Value)
        if records or self._reader.position != self.catalog.position:
            self.catalog = Catalog(dict(self._records), self._reader.position)
            metrics.catalog_position.set(self._reader.position)
        return bool(records)

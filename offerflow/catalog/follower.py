"""Reads the catalog topic from its start and follows it. Every program has one follower."""

from __future__ import annotations

import msgspec

from offerflow.catalog.view import Catalog, Value
from offerflow.runtime import metrics, outside
from offerflow.runtime.errors import KafkaDown, Refused
from offerflow.runtime.kafka.reader import TopicReader
from offerflow.runtime.logs import get_logger
from offerflow.runtime.settings import Settings

REPORT_AGAIN_S = 3.0


class CatalogFollower:
    """``catalog`` is the newest view. With a ``worker`` name, the position read is committed under
    ``<prefix>catalog.<worker>``, so that ``apply`` can see which workers know the new plan."""

    def __init__(self, settings: Settings, client_id: str, worker: str | None = None) -> None:
        group = settings.group(f"catalog.{worker}") if worker else None
        self._topic = settings.topic("catalog")
        self._reader = TopicReader(settings, self._topic, client_id, group)
        self._records: dict[str, Value] = {}
        self._report_at = 0.0
        self.catalog = Catalog()

    def start(self, timeout_s: float = 10.0) -> Catalog:
        """Read to the end of the topic as it is now. Raises KafkaDown if that takes longer than ``timeout_s``."""
        self._take(self._reader.read_to_end(timeout_s))
        return self.catalog

    def poll(self) -> bool:
        """Take what was written since, without waiting. Returns whether there is a new view."""
        return self._take(self._reader.poll())

    def report(self) -> None:
        """Commit the position, if it moved: everything up to it is in force in this program. What Kafka does not take
        now is told a little later; no work depends on it."""
        if outside.monotonic() < self._report_at:
            return
        try:
            self._reader.commit()
        except KafkaDown as error:
            self._report_at = outside.monotonic() + REPORT_AGAIN_S
            get_logger().warning("the position in the catalog is not reported yet", why=str(error))

    def close(self) -> None:
        self._reader.close()

    def _take(self, records: list[tuple[bytes | None, bytes | None]]) -> bool:
        """Raises Refused if the newest record under a key cannot be read."""
        broken: dict[str, msgspec.DecodeError] = {}
        for key, value in records:
            if key is None:
                continue
            name = key.decode("utf-8", "replace")
            broken.pop(name, None)
            try:
                if value is None:
                    self._records.pop(name, None)
                else:
                    self._records[name] = msgspec.json.decode(value, type=Value)
            except msgspec.DecodeError as error:
                broken[name] = error
        for name, why in broken.items():
            raise self._unreadable(f"the record {name!r}", why)
        if records or self._reader.position != self.catalog.position:
            try:
                self.catalog = Catalog(dict(self._records), self._reader.position)
            except (AttributeError, KeyError, TypeError) as error:
                raise self._unreadable("the head, a source or a key", error) from None
            metrics.catalog_position.set(self._reader.position)
        return bool(records)

    def _unreadable(self, what: str, error: Exception) -> Refused:
        return Refused(
            "catalog",
            f"{what} in topic {self._topic} cannot be read ({type(error).__name__}: {error}): something else than"
            " offerflow wrote there, or a newer version of it. Write what was there before under the same key, or"
            " remove the key with an empty value",
        )

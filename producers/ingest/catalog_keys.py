"""Keeps the key ring and the book of offers as the catalog says, by following the catalog topic."""

from __future__ import annotations

from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import Catalog
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.settings import Settings
from producers.ingest.api.book import OfferBook
from producers.ingest.keyring import KeyRing, Source


class CatalogKeys:
    """``follow`` reads the whole catalog at first and what is new afterwards. After an error it starts over."""

    def __init__(self, settings: Settings, client_id: str, keys: KeyRing, book: OfferBook) -> None:
        self._settings = settings
        self._client_id = client_id
        self._keys = keys
        self._book = book
        self._follower: CatalogFollower | None = None

    def follow(self) -> None:
        """May block. Raises KafkaDown when the catalog cannot be read."""
        try:
            if self._follower is None:
                self._follower = CatalogFollower(self._settings, self._client_id)
                self._take(self._follower.start(timeout_s=10.0))
            elif self._follower.poll():
                self._take(self._follower.catalog)
        except OfferflowError:
            self.close()
            raise

    def close(self) -> None:
        if self._follower is not None:
            self._follower.close()
            self._follower = None

    def _take(self, catalog: Catalog) -> None:
        self._keys.replace(sources_by_key(catalog))
        self._book.replace(catalog)


def sources_by_key(catalog: Catalog) -> dict[str, Source]:
    """Sources by the SHA-256 of their keys. A key whose source was removed opens nothing."""
    return {
        digest: Source(source.id, source.origin)
        for digest, source_id in catalog.keys.items()
        if (source := catalog.sources.get(source_id)) is not None
    }

"""Keeps the key ring and the book of offers as the catalog says, by following the catalog topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import Catalog, Key
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.settings import Settings
from producers.ingest.api.book import OfferBook
from producers.ingest.keyring import KeyRing, Source, Terms
from producers.ingest.strict import Strict


class CatalogKeys:
    """``follow`` reads the whole catalog at first and what is new afterwards. After an error it starts over."""

    def __init__(self, settings: Settings, client_id: str, keys: KeyRing, book: OfferBook, strict: Strict) -> None:
        self._settings = settings
        self._client_id = client_id
        self._keys = keys
        self._book = book
        self._strict = strict
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
        self._strict.replace(catalog)


def sources_by_key(catalog: Catalog) -> dict[str, Source]:
    """Sources by the SHA-256 of their keys. One that was revoked, or whose source was removed, opens nothing."""
    aliases = _aliases(catalog) if any(key.events for key in catalog.keys.values()) else {}
    return {
        digest: Source(source.id, source.origin, terms_of(key, aliases))
        for digest, key in catalog.keys.items()
        if not key.revoked_at and (source := catalog.sources.get(key.source)) is not None
    }


def terms_of(key: Key, aliases: Mapping[str, Sequence[str]]) -> Terms:
    """What the catalog says of a key, as it is held against requests. ``aliases``: of a name of the plan all names that
    its event type has, since they mean the same."""
    events = None
    if key.events is not None:
        events = frozenset(name for listed in key.events for name in (listed, *aliases.get(listed, ())))
    return Terms(
        id=key.id,
        events=events,
        origins=None if key.origins is None else frozenset(key.origins),
        rate=key.rate,
        burst=key.burst,
        expires_at=key.expires_at,
    )


def _aliases(catalog: Catalog) -> dict[str, Sequence[str]]:
    return {
        name: listed
        for value in catalog.current("event").values()
        for listed in [value["schema"].get("event", ())]
        for name in listed
    }

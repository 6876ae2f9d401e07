"""What stands behind the edge besides Kafka: the store and Redis, for the API and for when keys were last used.

Importing all of it takes longer than anything else at the start, so it is loaded once events are taken.
"""

from __future__ import annotations

import asyncio

from offerflow.runtime.settings import Settings
from offerflow.runtime.store.engine import open_store
from producers.ingest.api.asked import AskedStore
from producers.ingest.api.book import OfferBook
from producers.ingest.api.folded import FoldedOffers
from producers.ingest.api.offers import OffersApi
from producers.ingest.api.rewards import RewardsApi
from producers.ingest.api.serving import Api
from producers.ingest.last_use import LastUse
from schemas.user_state import UserReader


class Behind:
    """Belongs to one event loop. Connects when first asked for something."""

    def __init__(self, settings: Settings, book: OfferBook) -> None:
        self._store = AskedStore(lambda: open_store(settings))
        self._folded = FoldedOffers(book, lambda: UserReader(settings))
        self.api = Api({**OffersApi(book, self._folded).table(), **RewardsApi(self._store).table()})
        self.last_use = LastUse(lambda: open_store(settings))
        self._noting = asyncio.create_task(self.last_use.run())

    async def close(self) -> None:
        self._noting.cancel()
        await self.last_use.close()
        self._store.close()
        self._folded.close()

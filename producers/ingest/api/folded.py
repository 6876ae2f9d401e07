"""What a user is in and why, from the rules' own state: as new as the journal is folded, with progress per leaf."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from offerflow.rules.explained import InstanceExplained, NodeExplained, OfferExplained, Status
from producers.ingest.api import told
from producers.ingest.api.aside import Aside
from producers.ingest.api.book import OfferBook
from producers.ingest.api.explained import explanation
from schemas.user_state import UserReader


class FoldedOffers:
    """Belongs to one event loop. ``open_reader`` makes the reader when it is first needed; it is used by one thread."""

    def __init__(self, book: OfferBook, open_reader: Callable[[], UserReader]) -> None:
        self._book = book
        self._open = open_reader
        self._reader: UserReader | None = None
        self._aside = Aside("state of users", 1)

    async def of(self, entity: str) -> list[dict[str, Any]]:
        """The open ones, the oldest first. ``entity`` is ``u:`` or ``a:`` and the id. Raises DependencyDown, and
        TryAgain while the user's partition is being rebuilt."""
        return await self._aside.run(lambda: self._open_ones(entity))

    async def explain(self, entity: str, offer: str | None) -> list[dict[str, Any]]:
        """Every offer, or only one: then an empty list if there is no such offer."""
        return await self._aside.run(lambda: [explanation(one) for one in self._read(entity, offer, _now())])

    def close(self) -> None:
        self._aside.close()
        if self._reader is not None:
            self._reader.close()

    def _open_ones(self, entity: str) -> list[dict[str, Any]]:
        now = _now()
        explained = self._read(entity, None, now)
        inside = [(one.offer, instance) for one in explained for instance in one.instances if _open(instance, now)]
        inside.sort(key=lambda item: (item[1].entered_at, item[1].id))
        return [_told(offer, instance) for offer, instance in inside]

    def _read(self, entity: str, offer: str | None, now: int) -> list[OfferExplained]:
        if self._reader is None:
            self._reader = self._open()
        return self._reader.read(self._book.catalog, entity).explain(offer, now)


def _now() -> int:
    return int(time.time() * 1000)


def _open(instance: InstanceExplained, now: int) -> bool:
    """Whether it is to be shown: one whose time is up ends with the next tick."""
    still = instance.expires_at is None or instance.expires_at > now
    return instance.status is Status.IN and not instance.holdout and still


def _told(offer: str, instance: InstanceExplained) -> dict[str, Any]:
    leaves = [] if instance.completion is None else list(_leaves(instance.completion))
    return {
        "offer": offer, "instance": instance.id, "variant": instance.variant, "key": instance.key,
        "attributes": instance.attributes, "enteredAt": told.moment(instance.entered_at),
        "expiresAt": told.moment(instance.expires_at), "progress": leaves,
    }  # fmt: skip


def _leaves(node: NodeExplained) -> Iterator[dict[str, Any]]:
    """The leaves of a completion in the order in which they are written."""
    if not node.nodes:
        yield {"asks": node.text, "holds": node.holds, "progress": node.progress, "missing": node.missing}
    for child in node.nodes:
        yield from _leaves(child)

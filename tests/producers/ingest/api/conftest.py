"""The API over a history and a catalog of one test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from offerflow.catalog.view import Catalog
from offerflow.rules.explained import InstanceExplained, OfferExplained, Status
from offerflow.runtime.errors import OfferflowError
from producers.ingest.api.asked import AskedStore
from producers.ingest.api.book import OfferBook
from producers.ingest.api.folded import FoldedOffers
from producers.ingest.api.offers import OffersApi
from producers.ingest.api.rewards import RewardsApi
from producers.ingest.api.serving import Api
from tests.consumers.history.said import Kept
from tests.producers.ingest.edge import KEY, Edge, FakePublisher

OFFERS: dict[str, dict[str, Any]] = {
    "shop": {"entry": {"event": "Purchase Completed", "code": "Upgrade26", "api": True},
             "reward": {"id": "voucher", "value": "10 EUR"}, "completion": "immediate", "name": "Shop more",
             "starts": "2026-03-01", "expires_after": "14d"},
    "orders": {"entry": {"api": True}, "reentry": {"per_key": "order_id"}, "status": "paused", "holdout": "10%",
               "variants": [
                   {"id": "plain", "attributes": {"headline": "Save"}},
                   {"id": "bold", "weight": 3, "reward": {"id": "cashback", "pending": "14d", "expires_after": "90d",
                    "value": {"expr": "amount * 0.05", "max": 20, "currency": "EUR"}}}]},
    "events-only": {"entry": {"event": "Purchase Completed"}},
    "secret": {"entry": {"api": True, "code": "HUSH"}, "status": "draft"},
}  # fmt: skip


def inside(instance: str, status: Status = Status.IN, **more: Any) -> InstanceExplained:
    """One run through an offer."""
    given = {"version": "v", "variant": "plain", "holdout": False, "attributes": {}, "entered_at": 1000,
             "expires_at": None, "ended_at": None, **more}  # fmt: skip
    return InstanceExplained(id=instance, status=status, **given)


def offer(name: str, *instances: InstanceExplained) -> OfferExplained:
    """An offer that somebody was in."""
    return OfferExplained(
        offer=name, version="v", status=Status.IN, ways=[], entry=None, audience=None, refusal=None, missing=[],
        instances=list(instances), refusals=[],
    )  # fmt: skip


class KnownReader:
    """Knows the same of every user, or fails; stands for what the rules keep."""

    def __init__(self) -> None:
        self.explained: list[OfferExplained] = []
        self.error: OfferflowError | None = None
        self.asked: list[str] = []

    def read(self, _: Catalog, user: str) -> KnownReader:
        self.asked.append(user)
        if self.error is not None:
            raise self.error
        return self

    def explain(self, offer: str | None, _: int) -> list[OfferExplained]:
        return [one for one in self.explained if offer in (None, one.offer)]

    def close(self) -> None:
        """Nothing is open."""


class ApiEdge(Edge):
    """``kept`` is the history it reads; ``get`` and ``ask`` are made with a server key unless told otherwise."""

    def __init__(self, kept: Kept, publisher: FakePublisher | None = None, ready: bool = True) -> None:
        self.kept = kept
        self.book = OfferBook()
        definitions = {f"offer/{name}@1": {"definition": {"kind": "offer", "id": name, **offer}}
                       for name, offer in OFFERS.items()}  # fmt: skip
        self.book.replace(Catalog({**definitions, "head": {"definitions": list(definitions)}}))
        self.store = AskedStore(lambda: kept.engine)
        self.reader = KnownReader()
        self.folded = FoldedOffers(self.book, lambda: self.reader)
        rewards, offers = RewardsApi(self.store), OffersApi(self.book, self.folded)
        super().__init__(publisher or FakePublisher(), ready=ready, api=Api({**offers.table(), **rewards.table()}))

    def get(self, path: str, key: str | None = KEY, **query: object) -> httpx.Response:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        return self.request("GET", path, params=query or None, headers=headers)

    def ask(self, path: str, body: object = None, key: str | None = KEY, **headers: str) -> httpx.Response:
        return self.post(b"" if body is None else body, path=path, key=key, **headers)

    def close(self) -> None:
        self.store.close()
        self.folded.close()

    @property
    def asked(self) -> list[dict[str, Any]]:
        """What went to Kafka."""
        return [json.loads(record.value or b"") for record in self.publisher.records]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    made.complete()
    yield made
    made.engine.dispose()


@pytest.fixture
def edge(kept: Kept) -> Iterator[ApiEdge]:
    made = ApiEdge(kept)
    yield made
    made.close()

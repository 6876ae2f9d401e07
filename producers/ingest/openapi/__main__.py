"""Prints the document of this version: ``python -m producers.ingest.openapi > docs/openapi.json``."""

from __future__ import annotations

import sys
from typing import NoReturn

import msgspec

from offerflow.runtime.errors import DependencyDown
from producers.ingest.adapters.all import all_adapters
from producers.ingest.api.asked import AskedStore
from producers.ingest.api.book import OfferBook
from producers.ingest.api.folded import FoldedOffers
from producers.ingest.api.offers import OffersApi
from producers.ingest.api.rewards import RewardsApi
from producers.ingest.limits import Limits
from producers.ingest.openapi.document import document


def _nowhere() -> NoReturn:
    raise DependencyDown("nothing is asked to tell what there is")


def printed() -> bytes:
    """The document as docs/openapi.json has it."""
    book = OfferBook()
    table = {**OffersApi(book, FoldedOffers(book, _nowhere)).table(), **RewardsApi(AskedStore(_nowhere)).table()}
    made = document(all_adapters(Limits()), table)
    return msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(printed())

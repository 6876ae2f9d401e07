"""The offers in force, as the catalog has them now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offerflow.catalog.view import Catalog

Definition = Mapping[str, Any]


class OfferBook:
    """Replaced as a whole when the catalog changes. Drafts are as if they were not there."""

    def __init__(self) -> None:
        self.catalog = Catalog()
        self._offers: Mapping[str, Definition] = {}
        self._by_code: Mapping[str, Definition] = {}

    def replace(self, catalog: Catalog) -> None:
        self.catalog = catalog
        definitions = (value["definition"] for value in catalog.current("offer").values())
        self._offers = {one["id"]: one for one in definitions}
        self._by_code = {code.upper(): one for one in self._live() if (code := one["entry"].get("code"))}

    def offer(self, offer_id: str) -> Definition | None:
        """Any offer, drafts included."""
        return self._offers.get(offer_id)

    def live(self, offer_id: str) -> Definition | None:
        """An offer that is no draft."""
        found = self._offers.get(offer_id)
        return found if found is not None and _counts(found) else None

    def with_code(self, code: str) -> Definition | None:
        """The offer that people enter by ``code``, in any case of letters."""
        return self._by_code.get(code.upper())

    @property
    def ids(self) -> list[str]:
        return [one["id"] for one in self._live()]

    def _live(self) -> list[Definition]:
        return [one for one in self._offers.values() if _counts(one)]


def _counts(definition: Definition) -> bool:
    return bool(definition.get("status") != "draft")

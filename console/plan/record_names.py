"""Which Avro record names are still free."""

from __future__ import annotations

from offerflow.catalog.view import Catalog


class RecordNames:
    """Record names that were never used: versions stay for as long as the journal may hold them. Calling it claims
    one, and says whether it was free."""

    def __init__(self, catalog: Catalog) -> None:
        self._taken = {key.removeprefix("event/").rpartition("@")[0] for key in catalog.of_kind("event")}

    def __call__(self, name: str) -> bool:
        if name in self._taken:
            return False
        self._taken.add(name)
        return True

"""What a journal refers to by name and schema id: rulesets, event schemas and their readers."""

from __future__ import annotations

from typing import Protocol

from offerflow.catalog.view import Catalog
from offerflow.rules.ruleset import Ruleset
from schemas.catalog import plan_of, ruleset_of
from schemas.journal import EventReader
from schemas.plan import EventSchema


class Book(Protocol):
    """Whoever folds asks it. A worker's waits for what the catalog is to bring (consumers.rules.rulebook)."""

    def ruleset(self, name: str) -> Ruleset: ...
    def schema(self, schema_id: int) -> EventSchema: ...
    def reader(self, schema: EventSchema, reads: frozenset[str]) -> EventReader: ...


class CatalogBook:
    """The book of one catalog as it is. Raises KeyError for what it does not have."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._plan = plan_of(catalog)
        self._rulesets: dict[str, Ruleset] = {}
        self._readers: dict[tuple[int, frozenset[str]], EventReader] = {}

    def ruleset(self, name: str) -> Ruleset:
        if name not in self._rulesets:
            self._rulesets[name] = ruleset_of(self._catalog, name)
        return self._rulesets[name]

    def schema(self, schema_id: int) -> EventSchema:
        return self._plan.by_id[schema_id]

    def reader(self, schema: EventSchema, reads: frozenset[str]) -> EventReader:
        known = self._readers.get((schema.id, reads))
        if known is None:
            known = self._readers[schema.id, reads] = EventReader(schema, reads)
        return known

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


class Readers:
    """Event readers by schema and by what of it is read, each made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, frozenset[str]], EventReader] = {}

    def reader(self, schema: EventSchema, reads: frozenset[str]) -> EventReader:
        known = self._made.get((schema.id, reads))
        if known is None:
            known = self._made[schema.id, reads] = EventReader(schema, reads)
        return known


class CatalogBook(Readers):
    """The book of one catalog as it is. Raises KeyError for what it does not have."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__()
        self._catalog = catalog
        self._plan = plan_of(catalog)
        self._rulesets: dict[str, Ruleset] = {}

    def ruleset(self, name: str) -> Ruleset:
        if name not in self._rulesets:
            self._rulesets[name] = ruleset_of(self._catalog, name)
        return self._rulesets[name]

    def schema(self, schema_id: int) -> EventSchema:
        return self._plan.by_id[schema_id]

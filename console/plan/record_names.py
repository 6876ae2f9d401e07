"""Which Avro record names are still free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from offerflow.catalog.view import Catalog
from schemas.codec import META


def defined_names(definition: Mapping[str, Any]) -> set[str]:
    """Names of the records, enums and fixed types that a schema defines, its own among them."""

    def walk(schema: Any) -> Iterable[str]:
        if isinstance(schema, list):
            for branch in schema:
                yield from walk(branch)
        elif isinstance(schema, dict):
            if isinstance(schema.get("name"), str) and schema.get("type") in ("record", "enum", "fixed"):
                yield schema["name"]
            for key in ("type", "items", "values"):
                yield from walk(schema.get(key))
            for one in schema.get("fields", ()):
                yield from walk(one.get("type"))

    return set(walk(dict(definition)))


RESERVED = frozenset(defined_names(META))
"""Names that events.Meta defines. Every event schema holds it, so no other type in one can have them."""


class RecordNames:
    """Record names that were never used, since versions stay for as long as the journal may hold them, and are not
    reserved. Calling it claims one, and says whether it was free."""

    def __init__(self, catalog: Catalog) -> None:
        used = {key.removeprefix("event/").rpartition("@")[0] for key in catalog.of_kind("event")}
        self._taken = used | RESERVED

    def __call__(self, name: str) -> bool:
        if name in self._taken:
            return False
        self._taken.add(name)
        return True

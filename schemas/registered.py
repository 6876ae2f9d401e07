"""Every schema a reader of our topics may meet, by id and by record name: events of the plan, outputs, dead letters,
and the journal's own records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from offerflow.catalog.view import Catalog
from schemas.codec import FIRST_EVENT_ID, META, META_NAME, inlined, load_schema
from schemas.definition import DEFAULT_LEVEL, level_of
from schemas.registry import InvalidSchema, at_home, canonical

META_ID = 19
"""No record carries it; event schemas may refer to events.Meta by name, and clients then ask for it."""
SHIPPED_LEVEL = DEFAULT_LEVEL


@dataclass(frozen=True, eq=False)
class Registered:
    """One version of one record. ``name`` is its full name; ``definition`` needs nothing from outside itself;
    ``current`` is false for an event version that was removed from the plan: readable, but no longer to be sent."""

    id: int
    name: str
    version: int
    definition: dict[str, Any]
    current: bool = True
    level: str = SHIPPED_LEVEL

    @cached_property
    def text(self) -> str:
        return json.dumps(self.definition, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def canonical(self) -> str:
        return canonical(self.definition)

    @property
    def event_names(self) -> tuple[str, ...]:
        """The names under which the event arrives; none for what is no event."""
        names = self.definition.get("event", ())
        return (names,) if isinstance(names, str) else tuple(names)


class Registry:
    """An immutable view of all of them."""

    def __init__(self, schemas: Iterable[Registered] = ()) -> None:
        ascending = sorted(schemas, key=lambda schema: (schema.name, schema.version))
        self.by_id: Mapping[int, Registered] = {schema.id: schema for schema in ascending}
        by_name: dict[str, list[Registered]] = {}
        for schema in ascending:
            by_name.setdefault(schema.name, []).append(schema)
        self.by_name: Mapping[str, tuple[Registered, ...]] = {name: tuple(found) for name, found in by_name.items()}

    @cached_property
    def events(self) -> tuple[Registered, ...]:
        """Every version of every event type, removed ones included."""
        return tuple(schema for schema in self.by_id.values() if schema.id >= FIRST_EVENT_ID)

    def find(self, schema: Any, among: Iterable[Registered]) -> Registered | None:
        """The one of ``among`` that a parsed schema stands for: the very text if there is one, else the newest with
        the same canonical form, current ones first. Raises InvalidSchema if it is no Avro schema."""
        form = canonical(schema, (META,))
        same = [one for one in among if one.canonical == form]
        if not same:
            return None
        exact = [one for one in same if one.definition == at_home(schema)]
        return max(exact or same, key=lambda one: (one.current, one.version))


def registry_of(catalog: Catalog) -> Registry:
    """What the catalog's plan and this version of offerflow define."""
    current = catalog.current("event")
    events = []
    for key, value in catalog.of_kind("event").items():
        definition = value["schema"]
        events.append(
            Registered(
                id=value["schema_id"],
                name=f"events.{definition['name']}",
                version=definition.get("version", 1),
                definition=at_home(definition),
                current=key in current,
                level=level_of(definition),
            )
        )
    return Registry([*shipped(), *events])


@cache
def shipped() -> tuple[Registered, ...]:
    """Outputs, dead letters and the journal's own records, as the files beside this module say."""
    found = [Registered(META_ID, META_NAME, 1, META)]
    for folder in ("internal", "outputs"):
        for path in sorted(files("schemas").joinpath(folder).iterdir(), key=lambda path: path.name):
            if not path.name.endswith(".avsc"):
                continue
            definition = load_schema(folder, path.name.removesuffix(".avsc"))
            if "id" in definition:
                name = f"{definition['namespace']}.{definition['name']}"
                found.append(Registered(definition["id"], name, definition.get("version", 1), inlined(definition)))
    return tuple(found)


def difference(schema: Any, known: Registered) -> str:
    """Where a parsed record schema leaves a known one, in one sentence: for whoever expected them to be the same."""
    fields = schema.get("fields") if isinstance(schema, dict) else None
    if not isinstance(fields, list):
        return f"expected a record {known.name}"
    theirs = {field.get("name"): field for field in inlined(schema)["fields"] if isinstance(field, dict)}
    ours = {field["name"]: field for field in known.definition["fields"]}
    for name, field in ours.items():
        if name not in theirs:
            return f"it lacks the field {name!r}"
        if not _same(theirs[name].get("type"), field["type"]):
            return f"its field {name!r} is {_shown(theirs[name].get('type'))} instead of {_shown(field['type'])}"
    more = [name for name in theirs if name not in ours]
    if more:
        return f"it has a field {more[0]!r} more"
    return "its fields are in another order" if list(theirs) != list(ours) else "its name or a name inside it differs"


def _same(mine: Any, known: Any) -> bool:
    try:
        return canonical(_in_events(mine)) == canonical(_in_events(known))
    except InvalidSchema:
        return False


def _in_events(kind: Any) -> Any:
    """A type as it stands within an event record, whose namespace the names inside it inherit."""
    return {"type": "record", "namespace": "events", "name": "_", "fields": [{"name": "_", "type": kind}]}


def _shown(kind: Any) -> str:
    text = json.dumps(kind)
    return text if len(text) <= 100 else text[:99] + "…"

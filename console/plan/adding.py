"""Planning events by name alone, before they are first sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.plan.drafting import Choices, entry_by_name
from console.plan.names import name_problem, record_name
from console.plan.record_names import RecordNames
from console.workspace.change import plan_change
from console.workspace.commit import Author, commit
from console.workspace.definitions import definition_of
from console.workspace.state import names_of, newest_events, state_of
from offerflow.catalog.view import Catalog
from offerflow.catalog.writer import CatalogWriter
from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Added:
    """``key`` is the new entry's in the catalog; ``near`` a planned name that differs only in case or spacing."""

    name: str
    key: str
    near: str | None


def add_names(
    settings: Settings, names: Sequence[str], choices: Choices, author: Author, timeout_s: float
) -> list[Added]:
    """Plan ``names`` and wait until the workers know them: all of them or none. Raises OfferflowError that names the
    one which cannot be, and why."""
    with CatalogWriter(settings) as writer:
        planned = planned_names(writer.catalog)
        check_names(names, planned)
        claim = RecordNames(writer.catalog)
        definitions = {name: _entry(writer.catalog, claim, name, choices) for name in names}
        found = (definition_of("event", definition, name) for name, definition in definitions.items())
        change = plan_change(writer.catalog, {one.name: one for one in found})
        commit(settings, writer, change, author, timeout_s)
    return [
        Added(name, f"event/{definition['name']}@1", _near(name, planned)) for name, definition in definitions.items()
    ]


def planned_names(catalog: Catalog) -> dict[str, Mapping[str, Any]]:
    """Every name that arrives, with the schema that judges it."""
    newest = newest_events(state_of(catalog))
    return {name: schema for schema in newest.values() for name in names_of(schema)}


def check_names(names: Sequence[str], planned: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises OfferflowError for a name that cannot be planned, is planned, or is given twice."""
    for at, name in enumerate(names):
        problem = name_problem(name)
        if problem is not None:
            raise OfferflowError(f"the name {name!r} {problem}; nothing was planned")
        if name in names[:at]:
            raise OfferflowError(f"the name {name!r} is given twice; nothing was planned")
        schema = planned.get(name)
        if schema is not None:
            owner = f", owner {schema['owner']}" if schema.get("owner") else ""
            raise OfferflowError(
                f"{name!r} is planned already, as {schema['name']} version {schema.get('version', 1)}{owner}; see"
                f" `offerflow plan show {schema['name']}`. Nothing was planned"
            )


def _entry(catalog: Catalog, claim: RecordNames, name: str, choices: Choices) -> dict[str, Any]:
    """The entry for a name of which no more is known. One that was removed comes back as it was."""
    before = entry_by_name(name, record_name(name, lambda _: True), choices)
    known = catalog.records.get(f"event/{before['name']}@1", {})
    return before if known.get("schema") == before else entry_by_name(name, record_name(name, claim), choices)


def _near(name: str, planned: Mapping[str, object]) -> str | None:
    folded = "".join(name.casefold().split())
    return next((known for known in sorted(planned) if "".join(known.casefold().split()) == folded), None)

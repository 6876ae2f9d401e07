"""Everything that is defined at one moment, by name such as ``offer/upgrade``, ``event/A@1`` or ``source/shop``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from offerflow.catalog.view import Catalog, Value

Content = dict[str, Any]
State = dict[str, Content]


def name_of(key: str) -> str:
    """``offer/upgrade`` for ``offer/upgrade@3fa…``; events keep their version: ``event/Name@1``."""
    return key if key.startswith(("event/", "source/")) else key.rpartition("@")[0]


def content_of(key: str, value: Value) -> Content:
    """What a file would hold, of a record of the catalog."""
    if key.startswith("source/"):
        return value
    content: Content = value["schema"] if key.startswith("event/") else value["definition"]
    return content


def state_of(catalog: Catalog) -> State:
    """What is in force."""
    sources = {key.partition("/")[2]: value for key, value in catalog.of_kind("source").items()}
    return state_with(catalog, catalog.head.definitions, sources)


def state_with(catalog: Catalog, definitions: Iterable[str], sources: Mapping[str, Value]) -> State:
    """What was in force when the head named ``definitions`` (keys of the catalog) and there were ``sources`` by id."""
    state = {name_of(key): content_of(key, catalog.records[key]) for key in definitions}
    return {**state, **{f"source/{name}": value for name, value in sources.items()}}


def newest_events(state: State) -> dict[str, Content]:
    """The schema that judges, by the record name of each event type."""
    found: dict[str, Content] = {}
    for name, content in state.items():
        if name.startswith("event/"):
            known = found.get(content["name"])
            if known is None or version_of(known) < version_of(content):
                found[content["name"]] = content
    return found


def version_of(schema: Mapping[str, Any]) -> int:
    return int(schema.get("version", 1))


def names_of(schema: Mapping[str, Any]) -> list[str]:
    """The names that arrive, the display name first."""
    names = schema.get("event", [schema["name"]])
    return [names] if isinstance(names, str) else list(names)

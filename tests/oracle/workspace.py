"""What people wrote, read from the files alone: the event plan, sources, conditions and offers of some directories."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

CHANNELS = {"raw.sdk": "sdk", "raw.backend": "backend", "raw.integration": "integration"}
RESENT = ("raw.replay", "raw.import")
"""Where tools send records again; what lies there is judged as if it lay where its headers say."""
TRAITS = ("Identified", "UserUpdated")
"""Event types whose properties are the user's traits."""
REQUESTS = ("EnterOffer", "FulfilReward", "ReverseReward")
"""What can be asked for through the journal; judged like events."""
META = Path(__file__).parents[2] / "schemas" / "internal" / "Meta.avsc"


@dataclass(frozen=True)
class EventType:
    """One ``.avsc`` file: ``names`` arrive, ``schema`` is the file's content."""

    name: str
    version: int
    names: tuple[str, ...]
    origins: tuple[str, ...]
    unplanned: str
    unique: tuple[str, ...]
    system: bool
    schema: dict[str, Any] = field(hash=False)

    @property
    def sets_traits(self) -> bool:
        return self.name in TRAITS

    @property
    def reverses(self) -> dict[str, str] | None:
        """What events of the type take back: ``event``, and the property ``by`` that both have."""
        found: dict[str, str] | None = self.schema.get("reverses")
        return found

    @cached_property
    def times(self) -> frozenset[str]:
        """Properties that are points in time."""
        return frozenset(one["name"] for one in self.fields if "timestamp-millis" in json.dumps(one["type"]))

    @cached_property
    def fields(self) -> list[dict[str, Any]]:
        """The properties: every field but ``meta``."""
        return [one for one in self.schema["fields"] if one["name"] != "meta"]

    @cached_property
    def whole(self) -> dict[str, Any]:
        """The schema with the named type ``events.Meta`` written out, as an Avro reader needs it."""
        return with_meta(self.schema)


@dataclass(frozen=True)
class Source:
    id: str
    origin: str
    topics: tuple[str, ...] = ()
    switched_off: frozenset[str] = frozenset()


@dataclass
class Workspace:
    """The union of the directories. ``types`` holds the newest version of each event type under each of its names,
    ``versions`` all of them by name and version; ``ids`` and ``topic_ids`` are what only the running deployment knows:
    schema ids of versions in force, and Kafka's ids of topics by full name."""

    types: dict[str, EventType] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)
    offers: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[tuple[str, int], EventType] = field(default_factory=dict)
    ids: dict[int, EventType] = field(default_factory=dict)
    topic_ids: dict[str, str] = field(default_factory=dict)

    def add(self, made: EventType) -> None:
        """One version more of the event plan."""
        self.versions[made.name, made.version] = made
        newest = self.newest(made.name)
        self.types = {name: one for name, one in self.types.items() if one.name != made.name}
        self.types |= dict.fromkeys(newest.names, newest)

    def topics(self) -> list[str]:
        """Every raw topic that may carry events, without the prefix."""
        named = {topic for source in self.sources.values() for topic in source.topics}
        return sorted({*CHANNELS, *RESENT, *named})

    def newest(self, name: str) -> EventType:
        """The newest version of an event type, by the record name."""
        return max((one for (own, _), one in self.versions.items() if own == name), key=lambda one: one.version)

    def origin_of(self, topic: str) -> str | None:
        """The origin a raw topic is for; one of a workspace's own takes that of its sources, None if it has none."""
        if topic in CHANNELS:
            return CHANNELS[topic]
        origins = {source.origin for source in self.sources.values() if topic in source.topics}
        return origins.pop() if len(origins) == 1 else None

    def only_source_of(self, topic: str) -> Source | None:
        declared = [source for source in self.sources.values() if topic in source.topics]
        return declared[0] if len(declared) == 1 else None


def read(directories: Iterable[Path], local_server: bool = True) -> Workspace:
    """Every definition below ``directories``. ``local_server`` adds the built-in source of the local stack."""
    found = Workspace()
    for path in (META.parent / f"{name}.avsc" for name in REQUESTS):
        _add_type(found, json.loads(path.read_text(encoding="utf-8")))
    if local_server:
        found.sources["local-server"] = Source("local-server", "backend")
    for directory in directories:
        for path in sorted(Path(directory).rglob("*.avsc")):
            _add_type(found, json.loads(path.read_text(encoding="utf-8")))
        for path in sorted([*Path(directory).rglob("*.yaml"), *Path(directory).rglob("*.yml")]):
            for document in _documents(path):
                _add_document(found, document)
    return found


def meta_schema() -> dict[str, Any]:
    """The schema of ``events.Meta``."""
    found: dict[str, Any] = json.loads(META.read_text(encoding="utf-8"))
    return found


def with_meta(schema: dict[str, Any]) -> dict[str, Any]:
    """The event schema with the named type ``events.Meta`` written out, as an Avro reader needs it."""
    fields = [{**one, "type": meta_schema()} if one["type"] == "events.Meta" else one for one in schema["fields"]]
    return {**schema, "fields": fields}


def fingerprint(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _documents(path: Path) -> Iterator[Any]:
    yield from YAML(typ="safe", pure=True).load_all(path.read_text(encoding="utf-8"))


def _add_type(found: Workspace, schema: dict[str, Any]) -> None:
    given = schema.get("event", schema["name"])
    names = given if isinstance(given, list) else [given]
    made = EventType(
        schema["name"],
        schema.get("version", 1),
        tuple(names),
        tuple(schema.get("origins", ("sdk", "backend", "integration"))),
        schema.get("unplanned", "strip"),
        tuple(schema.get("unique", ())),
        bool(schema.get("system", False)),
        schema,
    )
    found.add(made)


def _add_document(found: Workspace, document: Any) -> None:
    if isinstance(document, list):
        for one in document:
            switched = one.get("system_events") or {}
            off = frozenset(name for name, on in switched.items() if not on)
            found.sources[one["id"]] = Source(one["id"], one["origin"], tuple(one.get("topics") or ()), off)
    elif isinstance(document, dict) and document.get("kind") == "condition":
        found.conditions[document["id"]] = {
            k: v for k, v in document.items() if k not in ("kind", "id", "name", "description", "doc")
        }
    elif isinstance(document, dict) and document.get("kind") == "offer":
        found.offers[document["id"]] = document
    elif isinstance(document, dict) and document.get("kind") == "settings":
        found.settings = document

"""A workspace against the catalog: what is added, changed and removed, and the records that would make it so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from console.workspace.definitions import Definition
from console.workspace.problems import Problem, WorkspaceProblems
from offerflow.catalog.view import LOCAL_SERVER, Catalog, Value
from offerflow.rules.definitions import ConditionDefinition, OfferDefinition
from offerflow.rules.nearest import did_you_mean
from offerflow.rules.ruleset import ENGINE, RulesetProblems, compile_ruleset, content_hash
from offerflow.runtime.topics import CHANNELS, RAW
from schemas.plan import EventSchema, Plan, load_event_schema


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the diff: ``action`` is add, change or remove."""

    action: str
    kind: str
    id: str


@dataclass(slots=True)
class Change:
    """``records`` go to the catalog (None removes a key), ``raw_topics`` are to exist before; ``ruleset`` is the hash
    to activate, or empty if the rules stay as they are."""

    lines: list[Line] = field(default_factory=list)
    records: dict[str, Value | None] = field(default_factory=dict)
    raw_topics: list[str] = field(default_factory=list)
    ruleset: str = ""
    serial: int = 0


def plan_change(catalog: Catalog, defined: Mapping[str, Definition], *, prune: bool = False) -> Change:
    """What applying ``defined`` would do; with ``prune`` all else is removed. Raises WorkspaceProblems."""
    return _Planner(catalog, defined, prune).change()


class _Planner:
    def __init__(self, catalog: Catalog, defined: Mapping[str, Definition], prune: bool) -> None:
        self._catalog = catalog
        self._defined = defined
        self._prune = prune
        self._change = Change()
        self._problems: list[Problem] = []
        self._next_id = catalog.head.next_schema_id

    def change(self) -> Change:
        keys = {_name_of(key): key for key in self._catalog.head.definitions}
        current = {**keys, **{f"source/{source}": f"source/{source}" for source in self._catalog.sources}}
        kept = {name: key for name, key in current.items() if not self._prune or name in self._defined}
        for name, key in current.items():
            if name not in kept:
                self._line("remove", name)
                if name.startswith("source/"):
                    self._change.records[key] = None
        for name, definition in self._defined.items():
            self._take(name, definition, kept)
        plan = self._plan(kept)
        self._sources(kept, plan)
        self._rules(kept, plan)
        if self._problems:
            raise WorkspaceProblems(self._problems)
        return self._change

    def _take(self, name: str, definition: Definition, kept: dict[str, str]) -> None:
        content = definition.content
        if definition.kind == "event":
            known = self._catalog.records.get(name)
            if known is None:
                self._change.records[name] = {"schema_id": self._next_id, "schema": content}
                self._next_id += 1
                self._line("add", name)
            elif known["schema"] != content:
                version = int(definition.id.rpartition("@")[2])
                self._problems.append(definition.problem(
                    ("version",),
                    f"version {version} of {definition.id.partition('@')[0]} was applied with other content and events"
                    f" are encoded with it; expected \"version\": {version + 1} for the changed schema",
                ))  # fmt: skip
                return
            elif name not in kept:
                self._line("add", name)
            kept[name] = name
        elif definition.kind == "source":
            if self._catalog.records.get(name) != content:
                self._line("change" if name in kept else "add", name)
                self._change.records[name] = content
            kept[name] = name
        else:
            key = f"{name}@{content_hash(content)}"
            if kept.get(name) != key:
                self._line("change" if name in kept else "add", name)
            if key not in self._catalog.records:
                self._change.records[key] = {"definition": content}
            kept[name] = key

    def _plan(self, kept: Mapping[str, str]) -> Plan:
        schemas = [
            load_event_schema(value["schema"], value["schema_id"])
            for key, value in sorted(self._values(kept, "event").items())
        ]
        plan = Plan(schemas)
        owners: dict[str, EventSchema] = {}
        for schema in plan.newest.values():
            for name in schema.names:
                other = owners.setdefault(name, schema)
                if other is not schema:
                    message = f"the name {name!r} belongs to {other.name} already; a name means one event type"
                    self._problem(schema.key, ("event",), message)
                if name.startswith("offerflow."):
                    self._problem(schema.key, ("event",), f"names that start with 'offerflow.' are reserved: {name!r}")
        return plan

    def _sources(self, kept: Mapping[str, str], plan: Plan) -> None:
        values = self._values(kept, "source")
        origins: dict[str, tuple[str, str]] = {topic: (origin, "the topic") for topic, origin in CHANNELS.items()}
        for key, source in sorted(values.items()):
            if source["id"] == LOCAL_SERVER.id:
                self._problem(key, ("id",), f"{LOCAL_SERVER.id} is built in; expected another id")
            for at, topic in enumerate(source.get("topics", ())):
                if topic in RAW and topic not in CHANNELS:
                    self._problem(key, ("topics", at), f"{topic} is kept for replays and imports")
                    continue
                origin, owner = origins.setdefault(topic, (source["origin"], f"source {source['id']}"))
                if origin != source["origin"]:
                    message = f"{topic} is for {origin} ({owner}); expected a topic for {source['origin']}"
                    self._problem(key, ("topics", at), message)
                if topic not in RAW and topic not in self._change.raw_topics:
                    self._change.raw_topics.append(topic)
            for name in source.get("system_events", {}):
                schema = plan.by_name.get(name)
                if schema is None:
                    system = [n for s in plan.newest.values() if s.system for n in s.names]
                    message = f"the event plan has no event {name!r}{did_you_mean(name, system)}"
                    self._problem(key, ("system_events", name), message)
                elif not schema.system:
                    self._problem(
                        key, ("system_events", name), f"{name!r} is not a system event; it cannot be switched"
                    )

    def _rules(self, kept: Mapping[str, str], plan: Plan) -> None:
        conditions = {
            name.partition("/")[2]: ConditionDefinition.model_validate(value["definition"])
            for name, value in self._named_values(kept, "condition")
        }
        offers = {
            name.partition("/")[2]: OfferDefinition.model_validate(value["definition"])
            for name, value in self._named_values(kept, "offer")
        }
        try:
            compile_ruleset("", conditions, offers, plan.event_types())
        except RulesetProblems as error:
            for problem in error.problems:
                self._problem(problem.definition, problem.path, problem.message)
            return
        definitions = sorted(key for key in kept.values() if not key.startswith("source/"))
        ruleset = {"engine": ENGINE, "definitions": definitions}
        name = content_hash(ruleset)
        head = self._catalog.head
        if conditions or offers or head.ruleset:
            if name != head.ruleset:
                self._change.ruleset = name
                self._change.records[f"ruleset/{name}"] = ruleset
        else:
            name = ""
        if self._change.lines or name != head.ruleset:
            self._change.serial = head.serial + 1
            self._change.records["head"] = {
                "serial": self._change.serial,
                "ruleset": name,
                "definitions": definitions,
                "next_schema_id": self._next_id,
            }

    def _named_values(self, kept: Mapping[str, str], kind: str) -> list[tuple[str, Value]]:
        return [(name, self._value(key)) for name, key in sorted(kept.items()) if name.startswith(f"{kind}/")]

    def _values(self, kept: Mapping[str, str], kind: str) -> dict[str, Value]:
        return dict(self._named_values(kept, kind))

    def _value(self, key: str) -> Value:
        return self._change.records.get(key) or self._catalog.records[key]

    def _line(self, action: str, name: str) -> None:
        kind, _, identifier = name.partition("/")
        self._change.lines.append(Line(action, kind, identifier))

    def _problem(self, name: str, path: tuple[str | int, ...], message: str) -> None:
        definition = self._defined.get(name)
        if definition is not None:
            self._problems.append(definition.problem(path, message))
        else:
            self._problems.append(
                Problem(f"catalog/{name}", 1, path, f"{message} (in the catalog, not in this workspace)")
            )


def _name_of(key: str) -> str:
    """``offer/upgrade`` for ``offer/upgrade@3fa…``; events keep their version: ``event/Name@1``."""
    return key if key.startswith("event/") else key.rpartition("@")[0]


def json_lines(change: Change) -> list[dict[str, Any]]:
    return [{"action": line.action, "kind": line.kind, "id": line.id} for line in change.lines]

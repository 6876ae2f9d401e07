"""A workspace against the catalog: what is added, changed and removed, and the records that would make it so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from console.workspace.definitions import Definition
from console.workspace.effects import with_effects
from console.workspace.impact import Impact
from console.workspace.lines import Line, lines_between
from console.workspace.names import shared_names
from console.workspace.problems import Problem, WorkspaceProblems
from console.workspace.releases import Release, release
from console.workspace.sources import check_sources
from console.workspace.state import State, content_of, name_of, state_of, version_of
from console.workspace.traffic import LoadTraffic
from console.workspace.versions import changed_version, new_version
from offerflow.catalog.view import Catalog, Value
from offerflow.rules.compiling import RulesetProblems, Size, compile_ruleset, size_of_all, sizes_of
from offerflow.rules.definitions import ConditionDefinition, OfferDefinition, SettingsDefinition
from offerflow.rules.ids import content_hash
from offerflow.rules.ruleset import ENGINE, Ruleset
from schemas.event_types import reversal_problems
from schemas.plan import Plan, load_event_schema


@dataclass(slots=True)
class Change:
    """``records`` go to the catalog (None removes a key), ``raw_topics`` are to exist before; ``ruleset`` is the hash
    to activate, or empty if the rules stay as they are; ``state`` is everything there is afterwards;
    ``size`` what a user costs who is in every live offer, None if there is none."""

    lines: list[Line] = field(default_factory=list)
    records: dict[str, Value | None] = field(default_factory=dict)
    raw_topics: list[str] = field(default_factory=list)
    state: State = field(default_factory=dict)
    ruleset: str = ""
    serial: int = 0
    size: Size | None = None

    @property
    def sources(self) -> dict[str, Value]:
        """All sources there are afterwards, by id."""
        named = (name.partition("/") for name in self.state if name.startswith("source/"))
        return {identifier: self.state[f"source/{identifier}"] for _, _, identifier in named}


def plan_change(
    catalog: Catalog, defined: Mapping[str, Definition], *, prune: bool = False, traffic: LoadTraffic | None = None
) -> Change:
    """What applying ``defined`` would do; with ``prune`` all else is removed. ``traffic`` loads
    what was seen, so that the diff can say who really sends what it breaks. Raises WorkspaceProblems."""
    return _Planner(catalog, defined, traffic).to_files(prune)


def plan_rollback(catalog: Catalog, serial: int, *, traffic: LoadTraffic | None = None) -> Change:
    """What it takes to have again what was in force as release ``serial``, events and sources included. Raises
    OfferflowError if the catalog does not know that release, WorkspaceProblems if it would not hold any more."""
    return _Planner(catalog, {}, traffic).to_release(release(catalog, serial))


class _Planner:
    def __init__(self, catalog: Catalog, defined: Mapping[str, Definition], traffic: LoadTraffic | None) -> None:
        self._catalog = catalog
        self._defined = defined
        self._traffic = traffic
        self._change = Change()
        self._problems: list[Problem] = []
        self._ambiguous = False
        self._next_id = catalog.head.next_schema_id
        keys = (*catalog.head.definitions, *catalog.of_kind("source"))
        self._current = {name_of(key): key for key in keys}

    def to_files(self, prune: bool) -> Change:
        kept = {name: key for name, key in self._current.items() if not prune or self._stays(name)}
        for name, definition in sorted(self._defined.items(), key=_by_version):
            self._take(name, definition, kept)
        return self._finish(kept)

    def to_release(self, past: Release) -> Change:
        kept = {name_of(key): key for key in past.definitions}
        for source, content in past.sources.items():
            kept[f"source/{source}"] = f"source/{source}"
            if self._catalog.records.get(f"source/{source}") != content:
                self._change.records[f"source/{source}"] = content
        return self._finish(kept)

    def _stays(self, name: str) -> bool:
        """Whether ``--prune`` leaves it. Older versions of an event type stay beside a newer one: producers of Avro may
        still send them."""
        if name in self._defined or not name.startswith("event/"):
            return name in self._defined
        event, _, version = name.partition("/")[2].rpartition("@")
        versions = [version_of(one.content) for one in self._defined.values()
                    if one.kind == "event" and one.content["name"] == event]  # fmt: skip
        return bool(versions) and int(version) < max(versions)

    def _take(self, name: str, definition: Definition, kept: dict[str, str]) -> None:
        content = definition.content
        if definition.kind == "event":
            known = self._catalog.records.get(name)
            earlier = self._versions(content["name"])
            if known is None:
                self._problems += new_version(definition, earlier)
                self._change.records[name] = {"schema_id": self._next_id, "schema": content}
                self._next_id += 1
            elif known["schema"] != content:
                newest = max(version_of(schema) for schema in earlier)
                self._problems.append(changed_version(definition, known["schema"], newest))
                return
            kept[name] = name
        elif definition.kind == "source":
            if self._catalog.records.get(name) != content:
                self._change.records[name] = content
            kept[name] = name
        else:
            kept[name] = f"{name}@{content_hash(content)}"
            if kept[name] not in self._catalog.records:
                self._change.records[kept[name]] = {"definition": content}

    def _versions(self, event: str) -> list[dict[str, Any]]:
        """Every version of an event type that was ever applied or is about to be, but for the one asked about."""
        found = {**self._catalog.of_kind("event"), **self._change.records}
        return [value["schema"] for key, value in found.items()
                if value is not None and key.startswith(f"event/{event}@")]  # fmt: skip

    def _finish(self, kept: dict[str, str]) -> Change:
        for name, key in self._current.items():
            if name not in kept and name.startswith("source/"):
                self._change.records[key] = None
        before = state_of(self._catalog)
        after = {name: content_of(key, self._value(key)) for name, key in kept.items()}
        plan = self._plan(kept)
        # What is new comes last, so that it and not its elder is told where they contradict each other.
        names = sorted((name for name in after if name.startswith("source/")),
                       key=lambda name: (after[name] != before.get(name), name))  # fmt: skip
        sources = {name: after[name] for name in names}
        self._change.state = after
        self._change.raw_topics = check_sources(sources, plan, self._problem)
        self._change.lines = lines_between(before, after)
        compiled = self._compiles(before, after, plan)
        if self._problems:
            raise WorkspaceProblems(self._problems)
        if compiled is not None:
            self._change.size = size_of_all(compiled.offers.values()) if compiled.offers else None
            self._change.lines = with_effects(self._change.lines, before, after, self._traffic)
        self._head(kept)
        return self._change

    def _plan(self, kept: Mapping[str, str]) -> Plan:
        values = {name: self._value(key) for name, key in sorted(kept.items()) if name.startswith("event/")}
        plan = Plan([load_event_schema(value["schema"], value["schema_id"]) for value in values.values()])
        for mine, other, names in shared_names(plan, self._current):
            one, said = len(names) == 1, ", ".join(map(repr, names))
            message = f"the name{'' if one else 's'} {said} belong{'s' if one else ''} to {other.name} already"
            self._problem(mine.key, ("event",), f"{message}{self._where(other.key)}; a name means one event type")
            self._ambiguous = True
        for schema, path, message in reversal_problems(plan.newest):
            self._problem(schema.key, path, message)
        for schema in plan.newest.values():
            for name in schema.names:
                if name.startswith("offerflow."):
                    self._problem(schema.key, ("event",), f"names that start with 'offerflow.' are reserved: {name!r}")
        return plan

    def _where(self, name: str) -> str:
        """Where the other one stands, and what is to be done if that is no file of this workspace."""
        there = self._defined.get(name)
        if there is not None:
            return f" ({there.document.file}:{there.line})"
        return (
            " (in the catalog, and no file here defines it; choose another name, or --prune removes what no file has)"
        )

    def _compiles(self, before: State, after: State, plan: Plan) -> Ruleset | None:
        if self._ambiguous:  # what a rule means by such a name is anybody's guess
            return None
        conditions = {name.partition("/")[2]: ConditionDefinition.model_validate(content)
                      for name, content in sorted(after.items()) if name.startswith("condition/")}  # fmt: skip
        offers = {name.partition("/")[2]: OfferDefinition.model_validate(content)
                  for name, content in sorted(after.items()) if name.startswith("offer/")}  # fmt: skip
        written = after.get("settings/rules")
        settings = SettingsDefinition.model_validate(written) if written is not None else None
        try:
            made = compile_ruleset("", conditions, offers, plan.event_types(), settings)
        except RulesetProblems as error:
            impact = Impact(before, after, self._defined)
            self._problems += [impact.problem(problem) for problem in error.problems]
            return None
        sizes = sizes_of(made, [line.name for line in self._change.lines], conditions, offers, settings)
        self._change.lines = [replace(line, size=sizes.get(line.name)) for line in self._change.lines]
        return made

    def _head(self, kept: Mapping[str, str]) -> None:
        definitions = sorted(key for key in kept.values() if not key.startswith("source/"))
        ruleset = {"engine": ENGINE, "definitions": definitions}
        name, head = content_hash(ruleset), self._catalog.head
        if head.ruleset or any(key.startswith(("condition/", "offer/")) for key in definitions):
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

    def _value(self, key: str) -> Value:
        return self._change.records.get(key) or self._catalog.records[key]

    def _problem(self, name: str, path: tuple[str | int, ...], message: str) -> None:
        definition = self._defined.get(name)
        if definition is not None:
            self._problems.append(definition.problem(path, message))
        else:
            self._problems.append(
                Problem(f"catalog/{name}", 1, path, f"{message} (in the catalog, not in this workspace)")
            )


def _by_version(item: tuple[str, Definition]) -> tuple[str, int]:
    """Versions of an event type in order, so that each is compared with those before it and ids grow with them."""
    name, definition = item
    return (name.rpartition("@")[0], version_of(definition.content)) if definition.kind == "event" else (name, 0)


def json_lines(change: Change) -> list[dict[str, Any]]:
    """The diff in full, as ``--output json`` prints it."""
    return [line.as_json() for line in change.lines]

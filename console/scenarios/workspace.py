"""What scenarios are tried on: the definitions below some folders, checked and compiled as ``apply`` does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from console.workspace.change import plan_change
from console.workspace.definitions import Definition, read_workspace
from console.workspace.problems import Problem, WorkspaceProblems
from offerflow.catalog.view import Catalog, Source
from offerflow.rules.live import LiveRules
from offerflow.rules.ruleset import Ruleset
from offerflow.runtime.topics import CHANNELS
from schemas.catalog import plan_of, ruleset_of
from schemas.channels import Channel
from schemas.journal import EventReader
from schemas.plan import EventSchema, Plan
from schemas.step import Step

_CHANNEL_OF = {origin: name for name, origin in CHANNELS.items()}  # of the fixed ones each has one

ASKING = "scenario"
"""The source of requests, as which the API would be."""


class Workspace:
    """A catalog of its own that holds nothing but ``definitions``. Raises WorkspaceProblems."""

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        change = plan_change(Catalog(), definitions)
        catalog = Catalog({key: value for key, value in change.records.items() if value is not None})
        self.plan: Plan = plan_of(catalog)
        self.ruleset: Ruleset = ruleset_of(catalog, change.ruleset) if change.ruleset else Ruleset("")
        named = [one.id for one in definitions.values() if one.kind == "source"]  # in order of the files
        self.sources: Mapping[str, Source] = {name: catalog.sources[name] for name in named} or {
            origin: Source(origin, origin) for origin in _CHANNEL_OF
        }
        self.definitions = definitions
        self._readers: dict[int, EventReader] = {}

    @classmethod
    def read(cls, folders: Iterable[Path]) -> Workspace:
        problems: list[Problem] = []
        definitions = read_workspace(list(folders), problems, may_be_empty=True)
        if problems:
            raise WorkspaceProblems(problems)
        return cls(definitions)

    @cached_property
    def step(self) -> Step:
        """The judge of raw records. Every source sends through the topic of its origin."""
        channels = {name: Channel(name, "scenario", origin, None) for origin, name in _CHANNEL_OF.items()}
        return Step(self.plan, {**self.sources, ASKING: Source(ASKING, "backend")}, channels)

    def source_for(self, event: str) -> Source:
        """The first source that may send the event; the first of all for one that nobody may, or that is not planned:
        it will be told."""
        schema = self.plan.by_name.get(event)
        every = list(self.sources.values())
        able = [source for source in every if schema is not None and source.origin in schema.origins]
        on = [source for source in able if all(source.system_events.get(name, True) for name in schema.names)]  # type: ignore[union-attr]
        return next(iter(on or able or every))

    def topic_of(self, source: str) -> str:
        known = self.sources.get(source)
        return _CHANNEL_OF[known.origin if known else "backend"]

    def reader(self, schema_id: int, rules: LiveRules) -> EventReader | None:
        """None for events that no rule reads."""
        schema: EventSchema = self.plan.by_id[schema_id]
        reads = rules.reads.get(schema.name)
        if reads is None:
            return None
        if schema_id not in self._readers:
            self._readers[schema_id] = EventReader(schema, reads)
        return self._readers[schema_id]

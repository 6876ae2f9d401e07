"""Compiled rulesets and event readers of this worker, made once and kept: the catalog's records never change."""

from __future__ import annotations

from offerflow.catalog.follower import CatalogFollower
from offerflow.rules.ruleset import Ruleset
from offerflow.runtime import outside
from offerflow.runtime.errors import TryAgain
from offerflow.runtime.program import Program
from schemas.catalog import plan_of, ruleset_of
from schemas.folding.book import Readers
from schemas.plan import EventSchema, Plan

PATIENCE_S = 8.0


class Rulebook(Readers):
    """What the journal refers to by hash and schema id. The journal may name what this worker has not read yet, since
    two topics are read apart: then it waits for the catalog, PATIENCE_S at most, and raises TryAgain."""

    def __init__(self, follower: CatalogFollower, program: Program) -> None:
        super().__init__()
        self._follower = follower
        self._program = program
        self._rulesets: dict[str, Ruleset] = {}
        self._plan: Plan = plan_of(follower.catalog)

    def ruleset(self, name: str) -> Ruleset:
        if name not in self._rulesets:
            self._await(f"ruleset {name}", f"ruleset/{name}")
            self._rulesets[name] = ruleset_of(self._follower.catalog, name)
        return self._rulesets[name]

    def schema(self, schema_id: int) -> EventSchema:
        """The event schema of an id. Raises TryAgain if the catalog does not come to have it."""
        deadline = outside.monotonic() + PATIENCE_S
        while schema_id not in self._plan.by_id:
            self._wait(deadline, f"event schema {schema_id}")
            self._plan = plan_of(self._follower.catalog)
        return self._plan.by_id[schema_id]

    def follow(self) -> None:
        """Take what the catalog has got since."""
        if self._follower.poll():
            self._plan = plan_of(self._follower.catalog)
        self._follower.report()

    def _await(self, what: str, key: str) -> None:
        deadline = outside.monotonic() + PATIENCE_S
        while key not in self._follower.catalog.records:
            self._wait(deadline, what)

    def _wait(self, deadline: float, what: str) -> None:
        if outside.monotonic() > deadline:
            raise TryAgain(f"the journal names {what}, which the catalog does not have; waiting for it")
        self._program.pause(0.05, f"waiting for {what} in the catalog")
        self._follower.poll()

"""Names of events by the ids of their schemas, as the catalog has them."""

from __future__ import annotations

from offerflow.catalog.follower import CatalogFollower
from offerflow.runtime import outside
from offerflow.runtime.errors import Refused, TryAgain
from offerflow.runtime.program import Program
from schemas.catalog import plan_of
from schemas.plan import Plan

PATIENCE_S = 8.0


class Names:
    """Follows the catalog as far as names are asked for: it never takes an id back."""

    def __init__(self, follower: CatalogFollower, program: Program) -> None:
        self._follower = follower
        self._program = program
        follower.start()
        self._plan = self._read()

    def name_of(self, schema_id: int) -> str:
        """The display name of an event schema. The journal may name what was not read here yet, since two topics are
        read apart: then this waits for the catalog, PATIENCE_S at most, and raises TryAgain."""
        deadline = outside.monotonic() + PATIENCE_S
        while schema_id not in self._plan.by_id:
            if self._follower.poll():
                self._plan = self._read()
                continue
            if outside.monotonic() > deadline:
                raise TryAgain(f"the journal names event schema {schema_id}, which the catalog does not have")
            self._program.pause(0.05, f"waiting for event schema {schema_id} in the catalog")
        return self._plan.by_id[schema_id].names[0]

    def follow(self) -> None:
        """Take what the catalog has got since, so that the client's queue stays short."""
        if self._follower.poll():
            self._plan = self._read()

    def _read(self) -> Plan:
        try:
            return plan_of(self._follower.catalog)
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(
                "catalog",
                f"the event plan in the catalog cannot be read ({type(error).__name__}: {error}): a newer version of"
                " offerflow or another tool wrote it. Run that version, or go back with `offerflow rulesets rollback`",
            ) from None

    def close(self) -> None:
        self._follower.close()

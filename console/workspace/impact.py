"""Who would break: problems of rules that stay as they are while the event plan under them changes, told at what the
person is changing and with the offers that would suffer."""

from __future__ import annotations

from collections.abc import Mapping

from console.workspace.definitions import Definition
from console.workspace.problems import Problem
from console.workspace.state import State, newest_events, version_of
from console.workspace.uses import Uses
from offerflow.rules.compiling import Problem as RuleProblem


class Impact:
    """Judges what ``compile_ruleset`` found, given both states and what the workspace defines."""

    def __init__(self, before: State, after: State, defined: Mapping[str, Definition]) -> None:
        self._before, self._after, self._defined = before, after, defined
        self._uses = Uses(after, before)

    def problem(self, found: RuleProblem) -> Problem:
        """In words for the person who applies."""
        definition = self._defined.get(found.definition)
        changed = self._changed_event(found.definition)
        removed = self._removed_event(found.definition)
        if definition is not None and definition.content != self._before.get(found.definition):
            return definition.problem(found.path, found.message)
        who, there = self._who(found.definition), ".".join(map(str, found.path))
        what = f"{there}: {found.message}" if there else found.message
        if changed is not None:
            message = f"{who} would break: {what}; keep what it uses, or change it in the same apply"
            return changed.problem((), message)
        if definition is not None:
            hint = f"; no file defines {removed} and --prune would remove it, yet {who} uses it" if removed else ""
            return definition.problem(found.path, found.message + hint)
        uses = f"; {who} uses it" if found.definition.startswith("condition/") else ""
        return Problem(
            f"catalog/{found.definition}", 1, found.path,
            f"{found.message}{uses} (in the catalog, not in this workspace)",
        )  # fmt: skip

    def _who(self, name: str) -> str:
        """``live offer o (condition c)``."""
        offers = self._uses.offers_of([name])
        kind, _, identifier = name.partition("/")
        if not offers:
            return f"{kind} {identifier}"
        said = f"live offer{'s' if len(offers) > 1 else ''} {', '.join(offers)}"
        return said if kind == "offer" else f"{said} ({kind} {identifier})"

    def _changed_event(self, name: str) -> Definition | None:
        """The new version of an event type that the definition uses, if the workspace brings one."""
        old, new = newest_events(self._before), newest_events(self._after)
        for use in self._uses.all:
            if use.definition == name and use.event in old and use.event in new and old[use.event] != new[use.event]:
                found = self._defined.get(f"event/{use.event}@{version_of(new[use.event])}")
                if found is not None:
                    return found
        return None

    def _removed_event(self, name: str) -> str | None:
        old, new = newest_events(self._before), newest_events(self._after)
        gone = [use.event for use in self._uses.all if use.definition == name and use.event in old]
        return next((f"event {event}" for event in gone if event not in new), None)

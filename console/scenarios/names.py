"""Names in scenarios that the definitions do not have: told before anything runs, with the nearest."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from console.scenarios.happenings import REWARDS
from console.scenarios.model import Ask, Expected, Scenario, Send, Step
from console.scenarios.workspace import Workspace
from console.workspace.problems import Path, Problem
from offerflow.rules.nearest import did_you_mean
from offerflow.rules.offers import HOLDOUT, Offer

_NOBODYS = ("unknown_offer", "unknown_code", "no_such_reward")
"""Reasons of refusals that name no offer."""


def unknown_names(workspace: Workspace, scenarios: Iterable[Scenario]) -> list[Problem]:
    """In order of scenario and line."""
    found: list[Problem] = []
    for scenario in scenarios:
        _Names(workspace, scenario, found).look()
    return found


class _Names:
    def __init__(self, workspace: Workspace, scenario: Scenario, found: list[Problem]) -> None:
        self._workspace = workspace
        self._offers = workspace.ruleset.offers
        self._scenario = scenario
        self._found = found

    def look(self) -> None:
        for at, name in enumerate(self._scenario.offers):
            self._offer(name, ("offers", at))
        for name, arm in self._scenario.arms.items():
            self._offer(name, ("arms", name))
            if name in self._offers:
                self._known(arm, f"arm of {name}", _arms(self._offers[name]), ("arms", name))
        for event in self._scenario.defaults:
            self._known(event, "event in the plan", self._workspace.plan.by_name, ("defaults", event))
            self._planned(event, self._scenario.defaults[event], ("defaults", event))
        for step in self._scenario.steps:
            if isinstance(step.action, Ask):
                self._asked(step.action, step)
            elif isinstance(step.action, Send):
                common = self._scenario.defaults.get(step.action.event, {})
                own = {name: value for name, value in step.action.properties.items() if name not in common}
                self._planned(step.action.event, own, (*step.path, "with"))
            for one in step.expected or ():
                self._expected(one)

    def _asked(self, asked: Ask, step: Step) -> None:
        """A way in that there is not, unless just that is what the step is about."""
        path = (*step.path, asked.kind)
        refusals = {one.wants.get("reason") for one in step.expected or () if one.kind == "refused"}
        if asked.kind == "code" and "unknown_code" not in refusals:
            codes = {offer.entry.code.upper(): offer for offer in self._offers.values() if offer.entry.code is not None}
            self._known(asked.name.upper(), "code", codes, path)
        elif asked.kind == "enter" and "unknown_offer" not in refusals:
            self._offer(asked.name, path)
            if asked.name in self._offers and not self._offers[asked.name].entry.api:
                wanted = f"it needs entry: {{api: true}}, or the step refused: {{{asked.name}: unknown_offer}}"
                self._tell(path, f"offer {asked.name!r} is not entered by systems; {wanted}")

    def _planned(self, event: str, properties: Iterable[str], path: Path) -> None:
        """Properties that the plan leaves out in silence; where it refuses them, playing tells."""
        schema = self._workspace.plan.by_name.get(event)
        if schema is None or schema.unplanned != "strip":
            return
        for name in properties:
            if name not in schema.known:
                near = did_you_mean(name, schema.known) or f"; it has {', '.join(sorted(schema.known)) or 'none'}"
                self._tell((*path, name), f"{event} has no property {name!r}, so it would be left out{near}")

    def _expected(self, one: Expected) -> None:
        if one.kind in REWARDS:
            offers = self._offers.values()
            rewards = {v.reward.id for offer in offers for v in offer.variants if v.reward is not None}
            self._known(one.name, "reward", rewards, one.path)
        elif one.kind not in ("ignored", "dead_letter") and one.wants.get("reason") not in _NOBODYS:
            self._offer(one.name, one.path)

    def _offer(self, name: str, path: Path) -> None:
        if name not in self._offers and f"offer/{name}" in self._workspace.definitions:
            self._tell(path, f"offer {name!r} is a draft, so nothing becomes of it; make it live or paused to try it")
        else:
            self._known(name, "offer", self._offers, path)

    def _known(self, name: str, what: str, known: Collection[str], path: Path) -> None:
        if name not in known:
            some = ", ".join(sorted(known)[:5]) or "none"
            near = did_you_mean(name, known) or f"; expected one such as {some}"
            self._tell(path, f"there is no {what} {name!r}{near}")

    def _tell(self, path: Path, message: str) -> None:
        document = self._scenario.document
        self._found.append(Problem(document.file, document.line(path), path, message))


def _arms(offer: Offer) -> list[str]:
    return [*(variant.id for variant in offer.variants), *([HOLDOUT] if offer.holdout else [])]

"""Names in scenarios that the definitions do not have: told before anything runs, with the nearest."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from console.scenarios.happenings import REWARDS
from console.scenarios.model import Expected, Scenario
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
        for step in self._scenario.steps:
            for one in step.expected or ():
                self._expected(one)

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

"""Runs a scenario and says where it went another way than expected."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from console.scenarios.happenings import REWARDS
from console.scenarios.matching import Miss, compare
from console.scenarios.model import Expected, Scenario, Step, Wait
from console.scenarios.people import NoSuchPersonError
from console.scenarios.workspace import Workspace
from console.scenarios.world import World
from console.workspace.problems import Path
from offerflow.rules.explained import NodeExplained, OfferExplained

LOOKED_AT = ("progress", "status")


@dataclass(frozen=True, slots=True)
class Failure:
    """One step that went another way. ``path`` leads to the first expectation that was not met, or to the step where
    there was none; ``explained``: the offers concerned, as they are after the step."""

    scenario: Scenario
    step: Step
    path: Path
    misses: tuple[Miss, ...]
    hint: str = ""
    explained: tuple[OfferExplained, ...] = ()

    @property
    def place(self) -> str:
        """``tests/upgrade.yaml:14``."""
        return self.scenario.at(self.path)

    def line(self, miss: Miss) -> int:
        """Where the expectation stands, or the step that should have had one."""
        return self.scenario.document.line(miss.expected.path if miss.expected else self.step.path)


@dataclass(slots=True)
class Result:
    scenario: Scenario
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.failures


def run(workspace: Workspace, scenario: Scenario) -> Result:
    """Every step is played, also after one that failed."""
    result = Result(scenario)
    began = time.perf_counter()
    watched = watched_offers(workspace, scenario)
    world = World(workspace, scenario, watched)
    told: set[str] = set()
    for step in scenario.steps:
        try:
            happened = world.do(step.action)
        except NoSuchPersonError as error:
            result.failures.append(Failure(scenario, step, ("arms",), (), str(error)))
            break
        expected = step.expected or ()
        misses = compare(
            [one for one in expected if one.kind not in LOOKED_AT], happened, watched, allow_other=scenario.allow_other
        )
        for one in expected:
            if one.kind in LOOKED_AT:
                got = _looked(one, world.explain(step.action.who, one.name))
                if got is not None:
                    misses.append(Miss(one, got, one.name))
        if misses:
            concerned = sorted({offer for miss in misses for offer in _offers(workspace, miss)} - told)
            told.update(concerned)
            explained = [world.explain(step.action.who, offer) for offer in concerned]
            first = next((miss.expected.path for miss in misses if miss.expected is not None), step.path)
            result.failures.append(Failure(
                scenario, step, first, tuple(misses), _hint(scenario, world, step, misses),
                tuple(one for one in explained if one is not None),
            ))  # fmt: skip
    result.seconds = time.perf_counter() - began
    return result


def watched_offers(workspace: Workspace, scenario: Scenario) -> frozenset[str] | None:
    """The offers that the scenario names, in whatever way; None, for all of them, if it names none."""
    if scenario.every_offer:
        return None
    named = {*scenario.offers, *scenario.arms}
    for step in scenario.steps:
        for one in step.expected or ():
            if one.kind in REWARDS:
                named |= _paying(workspace, one.name)
            elif one.kind not in ("ignored", "dead_letter"):
                named.add(one.name)
    return frozenset(named) or None


def _paying(workspace: Workspace, reward: str) -> set[str]:
    return {
        offer.id for offer in workspace.ruleset.offers.values()
        if any(variant.reward is not None and variant.reward.id == reward for variant in offer.variants)
    }  # fmt: skip


def _offers(workspace: Workspace, miss: Miss) -> set[str]:
    if miss.expected is None:
        return set()  # what happened needs no telling why it did not
    if miss.expected.kind in REWARDS:
        return {miss.offer} if miss.offer else _paying(workspace, miss.expected.name)
    return {miss.expected.name} if miss.expected.kind not in ("ignored", "dead_letter") else set()


def _looked(expected: Expected, explained: OfferExplained | None) -> str | None:
    """What is there instead, None if it is as expected."""
    if explained is None:
        return "no such offer"
    if expected.kind == "status":
        got = str(explained.status)
        return None if got == expected.wants["status"] else f"status {expected.name}: {got}"
    open_ones = [instance for instance in explained.instances if instance.status == "in"]
    tree = open_ones[-1].completion if open_ones else explained.entry
    found = list(dict.fromkeys(progress_of(tree))) if tree else []
    wanted = expected.wants["progress"]
    return None if wanted in found else f"progress {expected.name}: {', '.join(found) or 'none to tell'}"


def progress_of(node: NodeExplained) -> Iterable[str]:
    if node.progress is not None:
        yield node.progress
    for child in node.nodes:
        yield from progress_of(child)


def _hint(scenario: Scenario, world: World, step: Step, misses: list[Miss]) -> str:
    """Where time may be what is missing: when the next timer fires."""
    fire_at = world.next_timer(step.action.who) if isinstance(step.action, Wait) else None
    if fire_at is None or all(miss.expected is None for miss in misses):
        return ""
    now, then = scenario.calendar.text(world.now), scenario.calendar.text(fire_at)
    return f"it is {now}; the next timer of {step.action.who.name} fires at {then}"

"""Definitions to a ruleset: references resolved, types checked, expressions made closures. Nothing here runs per event.

What is refused, and why, is in docs/rules.md, What is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from offerflow.rules.compiling.leaves import Slot
from offerflow.rules.compiling.nodes import Conditions
from offerflow.rules.compiling.offers import OfferCompiler, check_currencies, depends_on
from offerflow.rules.compiling.order import ranks
from offerflow.rules.compiling.plan import Plan
from offerflow.rules.compiling.problems import Problem, RulesetProblems
from offerflow.rules.compiling.sizes import Size, size_of, size_of_all, size_of_offer
from offerflow.rules.definitions import ConditionDefinition, OfferDefinition, SettingsDefinition
from offerflow.rules.events import EventType
from offerflow.rules.offers import Offer
from offerflow.rules.ruleset import Ruleset, Settings
from offerflow.rules.zones import zone

__all__ = ["Problem", "RulesetProblems", "Size", "check_currencies", "compile_ruleset", "size_of_all", "sizes_of"]


def compile_ruleset(
    name: str,
    conditions: Mapping[str, ConditionDefinition],
    offers: Mapping[str, OfferDefinition],
    event_types: Iterable[EventType],
    settings: SettingsDefinition | None = None,
) -> Ruleset:
    """The ruleset ``name`` of these definitions. Drafts are checked and left out. Raises RulesetProblems with
    everything that is wrong."""
    zone_of_all = zone(settings.timezone if settings is not None else "UTC")
    problems: list[Problem] = []
    plan = Plan(event_types)
    compiler = Conditions(conditions, offers, plan, problems)
    for condition in conditions.values():
        compiler.check(condition, Slot(zone_of_all, None))
    compiled = [OfferCompiler(offers[one], compiler, conditions, plan, zone_of_all).compiled()
                for one in sorted(offers)]  # fmt: skip
    ready = {offer.id: offer for offer in compiled if offer is not None}
    problems += _same_code(offers)
    there = {one: offer for one, offer in ready.items() if offers[one].status != "draft"}
    depths, circles = ranks({one: depends_on(offer) & there.keys() for one, offer in there.items()})
    for circle in circles:
        said = " -> ".join([*circle, circle[0]])
        message = f"in_offer and completed_offer make a circle, in which nobody could be first: {said}"
        problems.append(Problem(f"offer/{circle[0]}", ("entry",), message))
    if problems:
        raise RulesetProblems(problems)
    live = [replace(offer, rank=depths[one]) for one, offer in there.items()]
    return Ruleset.of(name, live, settings_of(settings), plan.types)


def sizes_of(
    made: Ruleset,
    names: Iterable[str],
    conditions: Mapping[str, ConditionDefinition],
    offers: Mapping[str, OfferDefinition],
    settings: SettingsDefinition | None = None,
) -> dict[str, Size]:
    """Bytes of state per user of definitions such as ``condition/c`` or ``offer/o`` that compiled into ``made``; drafts
    have none."""
    slot = Slot(zone(settings.timezone if settings is not None else "UTC"), None)
    compiler = Conditions(conditions, offers, Plan(made.event_types.values()), [])
    found: dict[str, Size] = {}
    for name in names:
        kind, _, identifier = name.partition("/")
        if kind == "condition" and identifier in conditions:
            found[name] = size_of([compiler.check(conditions[identifier], slot)])
        elif kind == "offer" and identifier in made.offers:
            found[name] = size_of_offer(made.offers[identifier])
    return found


def settings_of(written: SettingsDefinition | None) -> Settings:
    """What is written, or the defaults."""
    if written is None:
        return Settings()
    return Settings(written.allowed_lateness.milliseconds, written.grace.milliseconds)


def _same_code(offers: Mapping[str, OfferDefinition]) -> list[Problem]:
    """Codes that two live offers have, whatever the case of their letters."""
    owners: dict[str, str] = {}
    found = []
    for name in sorted(offers):
        code = offers[name].entry.code
        if code is None or offers[name].status == "draft":
            continue
        owner: Offer | str = owners.setdefault(code.upper(), name)
        if owner != name:
            message = f"offer {owner!r} has the code {code} already, whatever the case of its letters"
            found.append(Problem(f"offer/{name}", ("entry", "code"), message))
    return found

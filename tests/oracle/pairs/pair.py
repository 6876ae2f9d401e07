"""A ruleset or several, and a journal: made from a seed, written down for people, read back."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from io import StringIO
from random import Random
from typing import Any

from ruamel.yaml import YAML

from tests.oracle.pairs.focus import FOCUSES
from tests.oracle.pairs.journals import Entry, journal
from tests.oracle.pairs.plan import PLAN, EventPlan
from tests.oracle.pairs.rulesets import OFFERS, Ruleset, rulesets
from tests.oracle.workspace import Workspace


@dataclass
class Pair:
    rulesets: list[Ruleset]
    journal: list[Entry]


def make(random: Random, focus: str = "mixed") -> Pair:
    made = rulesets(random, FOCUSES[focus])
    return Pair(made, journal(random, len(made), OFFERS, FOCUSES[focus]))


def of_seed(seed: int, number: int) -> Pair:
    """The pair of that number in the run of that seed, always the same one."""
    return make(Random(f"{seed}/{number}"), sorted(FOCUSES)[number % len(FOCUSES)])


def workspace(ruleset: Ruleset, plan: EventPlan = PLAN) -> Workspace:
    """The definitions as the oracle takes them."""
    found = Workspace(dict(plan.types), versions={(one.name, 1): one for one in plan.types.values()})
    for one in ruleset:
        plain = {key: value for key, value in one.items() if key not in ("kind", "id")}
        match one["kind"]:
            case "condition":
                found.conditions[one["id"]] = plain
            case "offer":
                found.offers[one["id"]] = one
            case "settings":
                found.settings = one
    return found


def written(pair: Pair) -> str:
    """YAML of the rulesets and a table of the journal."""
    out = StringIO()
    yaml = YAML()
    yaml.width, yaml.default_flow_style = 110, False
    for number, ruleset in enumerate(pair.rulesets):
        out.write(f"# ruleset {number}\n")
        yaml.dump_all(ruleset, out)
    start = min((one.time for one in pair.journal if one.time), default=0)
    out.write(f"\n# journal, times from {datetime.fromtimestamp(start / 1000, UTC):%Y-%m-%d %H:%M:%S}\n")
    return out.getvalue() + "\n".join(line(one, start) for one in pair.journal)


def line(one: Entry, start: int) -> str:
    """One record as a row of the table."""
    if one.what == "activate":
        return f"{one.offset:4} activate ruleset {one.ruleset}"
    if one.what == "tick":
        return f"{one.offset:4} tick     {after(one.time, start)}"
    given = {key: value for key, value in one.properties.items() if value is not None}
    if one.reward is not None:
        given["reward"] = one.reward
    told = f"{one.offset:4} {one.entity:8} {after(one.time, start):>14} {one.name:12} {one.id:5} {given}"
    return told + " exempt" * one.exempt + f" received {after(one.received_at, start)}"


def after(time: int, start: int) -> str:
    """``1d 02:00:00.001``, counted from the first time of the journal."""
    days, rest = divmod(time - start, 86_400_000)
    seconds, ms = divmod(rest, 1000)
    text = f"{days}d {seconds // 3600:02}:{seconds // 60 % 60:02}"
    return text + (f":{seconds % 60:02}.{ms:03}" if ms or seconds % 60 else "")


def as_json(pair: Pair) -> dict[str, Any]:
    """For keeping a pair in a file."""
    names = [one.name for one in fields(Entry)]
    return {
        "rulesets": pair.rulesets,
        "journal": [{name: getattr(one, name) for name in names} for one in pair.journal],
    }


def from_json(given: dict[str, Any]) -> Pair:
    return Pair(given["rulesets"], [Entry(**one) for one in given["journal"]])

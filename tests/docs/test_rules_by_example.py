"""docs/rules-by-example.md, played: every case to the engine and to the oracle, which share no code."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from offerflow.rules.fold import Failure
from tests.docs.rules_cases import MONDAY, Case, cases, plan
from tests.oracle.expression import Stamp, holds
from tests.oracle.model import Event, Placed
from tests.oracle.pairs.agree import Both
from tests.oracle.pairs.engine import RulesetProblems, compiled
from tests.oracle.pairs.journals import Entry
from tests.oracle.pairs.pair import Pair
from tests.oracle.pairs.plan import EventPlan
from tests.oracle.pairs.told import Told, plain
from tests.oracle.rules.instance import value_of
from tests.oracle.rules.record import Outcome

DOCS = Path(__file__).resolve().parents[2] / "docs"
CASES = cases()
PLAN = EventPlan(plan())
VERDICTS = {"too_late": "too late", "duplicate": "repeat", "conflict": "conflict", "unread": "not read",
            "rule_error": "rule error"}  # fmt: skip


def of_kind(kind: str) -> Any:
    found = [one for one in CASES if one.kind == kind]
    return pytest.mark.parametrize("case", found, ids=[one.id for one in found])


@of_kind("story")
def test_story(case: Case) -> None:
    """Row by row, engine and oracle agree, and say what stands in the third column and nothing else."""
    for row in case.rows:
        row.entry.properties = _filled(row.entry)
    both = Both(Pair(case.blocks, [row.entry for row in case.rows]), None, PLAN)
    spoken = Told(_when)
    for row in case.rows:
        found = [
            line for entity, told, outcome in both.step(row.entry) for line in _lines(entity, told, outcome, spoken)
        ]
        if row.entry.what == "tick":
            found = [(text if who == "u:ann" else f"{who[2:]}: {text}", details) for who, text, details in found]
        else:
            found = [(text, details) for _, text, details in found]
        due = [one.split(", ") for one in row.due]
        shown = "; ".join(text for text, _ in found) or "nothing"
        assert [text for text, _ in found] == [text for text, *_ in due], f"line {row.line}: {shown}"
        for (text, details), (_, *wanted) in zip(found, due, strict=True):
            assert set(wanted) <= details, f"line {row.line}: {text}, {sorted(details)}"


@of_kind("expressions")
def test_expression(case: Case) -> None:
    """Each expression is as true as the table says, for the engine as a leaf's ``where`` and for the oracle."""
    described = re.search(r"Of `(\w+)(?: (\{.*?\}))?`", _body(case))
    assert described
    name, given = described[1], YAML(typ="safe", pure=True).load(described[2] or "{}")
    if "paid_at" in given:
        given["paid_at"] = round(given["paid_at"].timestamp() * 1000)
    for expression, expected in case.table:
        text = expression.strip("`")
        entry = Entry("event", 10, "u:ann", name, "e1", MONDAY, MONDAY, properties=given)
        entry.properties = _filled(entry)
        offer = {"kind": "offer", "id": "o", "entry": {"event": name, "where": text}}
        both = Both(Pair([[offer]], [Entry("activate", 0), entry]), None, PLAN)
        both.step(both.pair.journal[0])
        ((_, told, _),) = both.step(entry)
        assert not isinstance(told, Failure)
        assert bool(told.outputs) == (expected == "yes"), text
        known = {key: Stamp(Decimal(value)) if key == "paid_at" and value else value
                 for key, value in entry.properties.items()}  # fmt: skip
        assert holds(text, known, {"source": "shop"}) == (expected == "yes"), text


@of_kind("values")
def test_value(case: Case) -> None:
    """Each value comes out as the table says, for the engine as an immediate reward and for the oracle."""
    yaml = YAML(typ="safe", pure=True)
    for said, event, expected in case.table:
        value, given = yaml.load(said.strip("`")), yaml.load(event.strip("`"))
        offer = {"kind": "offer", "id": "o", "entry": {"event": "Bought"}, "completion": "immediate",
                 "reward": {"id": "r", "value": value}}  # fmt: skip
        entry = Entry("event", 10, "u:ann", "Bought", "e1", MONDAY, MONDAY, properties=given)
        entry.properties = _filled(entry)
        both = Both(Pair([[offer]], [Entry("activate", 0), entry]), None, PLAN)
        both.step(both.pair.journal[0])
        ((_, told, _),) = both.step(entry)
        assert not isinstance(told, Failure)
        (worth,) = [Told(_when).output("RewardSatisfied", msgspec.structs.asdict(one))[0] for one in told.outputs
                    if type(one).__name__ == "RewardSatisfied"]  # fmt: skip
        assert worth == f"earns r {expected}", said
        event_ = Event("Bought", 1, "e1", "ann", None, 0, 0, "shop", "backend", entry.properties)
        amount, currency = value_of({"value": value}, Placed(event_, 0, 0))
        assert amount is not None
        assert f"{plain(amount)} {currency}" == f"{plain(Decimal(expected.split()[0]))} {expected.split()[1]}"


@of_kind("refused")
def test_refused(case: Case) -> None:
    """The definitions are refused, in words that name what is wrong."""
    with pytest.raises((RulesetProblems, ValidationError)) as refused:
        compiled("r", case.blocks[0], PLAN.schemas)
    for word in case.words:
        assert word in str(refused.value)


def test_every_section_has_cases() -> None:
    """Each section of docs/rules.md that says what rules mean has its cases, under the same heading."""
    page = (DOCS / "rules.md").read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    there = {one.section for one in CASES}
    assert [one for one in headings if one not in there] == ["Rules", "Exactly"]
    assert not there - set(headings)
    assert len(CASES) > 130


def test_nothing_is_compared_with_itself() -> None:
    """A case whose table says something else than what happens fails: the comparison can tell."""
    wrong = next(one for one in cases() if one.kind == "story" and one.rows[-1].due)
    wrong.rows[-1].due = ["enters elsewhere"]
    with pytest.raises(AssertionError):
        test_story(wrong)


def _filled(entry: Entry) -> dict[str, Any]:
    """The properties with what a row does not say."""
    if entry.what != "event":
        return entry.properties
    own = {"order": f"order-{entry.offset}", "amount": 10.0, "currency": "EUR", "invoice": f"invoice-{entry.offset}"}
    names = [one["name"] for one in PLAN.types[entry.name].fields]
    given = {name: entry.properties.get(name, own.get(name)) for name in names}
    assert not entry.properties.keys() - given.keys(), entry.properties
    return {name: float(value) if name == "amount" else value for name, value in given.items()}


def _lines(entity: str, told: Any, outcome: Outcome, spoken: Told) -> list[tuple[str, str, set[str]]]:
    """Verdict, outputs and refusals of a record as texts with their details."""
    lines: list[tuple[str, set[str]]] = []
    verdict = outcome.verdict.split()[0]
    if verdict != "folded":
        lines.append((VERDICTS[verdict], set()))
    if not isinstance(told, Failure):
        lines += [spoken.output(type(one).__name__, msgspec.structs.asdict(one)) for one in told.outputs]
        lines += [(_refused(offer, reason), set()) for offer, reason in outcome.refusals]
    return [(entity, *line) for line in lines]


def _refused(offer: str, reason: str) -> str:
    if reason == "no_such_reward":
        return "does not apply"
    return f"not into {offer}: {reason}" if offer else f"refused: {reason}"


def _when(time: int) -> str:
    days, rest = divmod(time - MONDAY, 86_400_000)
    hours, minutes = divmod(rest // 60_000, 60)
    return f"day {days + 1}" + (f" {hours:02}:{minutes:02}" if rest else "")


def _body(case: Case) -> str:
    lines = (DOCS / "rules-by-example.md").read_text(encoding="utf-8").splitlines()
    return " ".join(lines[case.line - 1 : case.line + 3])

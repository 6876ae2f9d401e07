"""Both sides on one pair, record by record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec
from pydantic import ValidationError

from offerflow.rules.fold import Failure
from offerflow.rules.outcomes import Decision
from tests.oracle.compare import judge_evidence
from tests.oracle.model import Event, Output, Placed
from tests.oracle.pairs.engine import PARTITION, Engine, RulesetProblems, compiled
from tests.oracle.pairs.journals import Entry
from tests.oracle.pairs.pair import Pair, workspace
from tests.oracle.pairs.plan import PLAN, EventPlan
from tests.oracle.pairs.rulesets import words
from tests.oracle.rules.partition import Partition
from tests.oracle.rules.record import Outcome

REASONS = {"reward_state": "no_such_reward"}
"""What does not apply to a reward is counted under two reasons, which may change as old rewards are forgotten."""


class Refused(Exception):
    """The compiler refuses a ruleset of the pair."""


class Disagreement(AssertionError):
    """The two sides differ at a record of the journal."""


@dataclass
class Both:
    """One pair under way. ``reached`` counts what happened in it."""

    pair: Pair
    settles: Random | None = None
    plan: EventPlan = PLAN
    reached: Counter[str] = field(default_factory=Counter)
    said: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = [f"r{number}" for number in range(len(self.pair.rulesets))]
        try:
            made = {
                name: compiled(name, one, self.plan.schemas)
                for name, one in zip(names, self.pair.rulesets, strict=True)
            }
        except (RulesetProblems, ValidationError) as problems:
            raise Refused(str(problems)) from None
        self.engine = Engine(made, self.settles)
        self.oracle = Partition(PARTITION)
        self._plans = [workspace(one, self.plan) for one in self.pair.rulesets]

    def run(self) -> None:
        """Raises Disagreement at the first record on which they differ."""
        for at, entry in enumerate(self.pair.journal):
            try:
                self.step(entry)
            except AssertionError as error:
                raise Disagreement(f"record {at}, offset {entry.offset}: {error}") from error

    def step(self, entry: Entry) -> list[tuple[str, Decision | Failure, Outcome]]:
        """Fold one record on both sides: (entity, what the engine says, what the oracle says)."""
        found = self._step(entry)
        for _, told, outcome in found:
            self._count(outcome, " by a timer" if entry.what == "tick" else "")
            self._same(told, outcome)
        return found

    def _step(self, entry: Entry) -> list[tuple[str, Decision | Failure, Outcome]]:
        if entry.what == "activate":
            self.engine.activate(f"r{entry.ruleset}")
            self.oracle.activate(f"r{entry.ruleset}", self._plans[entry.ruleset], entry.offset)
            return []
        if entry.what == "tick":
            fired, failed = self.engine.tick(entry.time, entry.offset)
            assert not failed, failed
            return _paired(fired, self.oracle.tick(entry.time, entry.offset))
        properties = dict(entry.properties)
        if entry.reward is not None:
            properties["reward_id"] = self._reward(entry)
        given = {"event_id": entry.id, "time": entry.time, "received_at": entry.received_at, "offset": entry.offset,
                 "exempt": entry.exempt, "properties": properties}  # fmt: skip
        if entry.what == "request":
            told = self.engine.request(entry.entity, entry.name, given)
            return [(entry.entity, told, self._expected(entry, entry.name, properties))]
        kind = self.plan.types[entry.name]
        answer = self.engine.event(entry.entity, given, kind)
        return [(entry.entity, answer, self._expected(entry, kind.name, properties))]

    def _reward(self, entry: Entry) -> str:
        owner = self.oracle.entities.get(entry.entity)
        earned = [one.reward.id for one in owner.instances if one.reward] if owner else []
        return earned[(entry.reward or 0) % len(earned)] if earned else "none"

    def _expected(self, entry: Entry, kind: str, properties: dict[str, Any]) -> Outcome:
        side, _, who = entry.entity.partition(":")
        event = Event(kind, 1, entry.id, who if side == "u" else None, who if side == "a" else None, entry.time,
                      entry.received_at, "shop", "backend", properties,
                      "ignore" if entry.exempt else "normal")  # fmt: skip
        return self.oracle.take(entry.entity, Placed(event, PARTITION, entry.offset))

    def _same(self, told: Decision | Failure, expected: Outcome) -> None:
        if isinstance(told, Failure):
            assert expected.verdict.startswith("rule_error"), f"the engine failed: {told.error}, {expected}"
            return
        assert told.verdict.value == expected.verdict, f"{told.verdict.value}, expected {expected.verdict}"
        shown = [(type(one).__name__, _short(msgspec.structs.asdict(one))) for one in told.outputs]
        due = [(one.record, _short(one.fields)) for one in expected.outputs]
        assert [one[0] for one in shown] == [one[0] for one in due], f"outputs {shown}\n  expected {due}"
        for output, one in zip(told.outputs, expected.outputs, strict=True):
            differences = list(_differences(msgspec.structs.asdict(output), one))
            assert not differences, f"{one.record}: {'; '.join(differences)}"
        refused = [("" if one.reason.startswith("unknown") else one.offer, REASONS.get(one.reason, one.reason))
                   for one in told.refusals]  # fmt: skip
        assert refused == expected.refusals, f"refusals {refused}, expected {expected.refusals}"
        self.said.append(told)

    def _count(self, outcome: Outcome, how: str) -> None:
        self.reached[outcome.verdict.split()[0]] += 1
        self.reached.update(f"refused {reason}" for _, reason in outcome.refusals)
        for one in outcome.outputs:
            self.reached[one.record + how] += 1
            for name in ("reason", "via"):
                if name in one.fields:
                    self.reached[f"{one.record} {one.fields[name]}{how}"] += 1
            self.reached["late completion"] += bool(one.fields.get("late"))
            self.reached["holdout"] += bool(one.fields.get("holdout"))
            rules = self.oracle.force.rules
            if one.record == "OfferEntered" and rules and one.fields["offer"] in rules.offers:
                self.reached.update(f"said {word}" for word in words(rules.offers[one.fields["offer"]].raw))


def run(pair: Pair, settles: Random | None = None) -> Counter[str]:
    """What the pair reached. Raises Disagreement, or Refused."""
    both = Both(pair, settles)
    both.run()
    return both.reached


def _paired(
    told: list[tuple[str, Decision]], expected: list[tuple[str, Outcome]]
) -> list[tuple[str, Decision | Failure, Outcome]]:
    """What a tick led to, entity by entity in order; firings that led to nothing do not matter."""
    said = [(name, one) for name, one in told if one.outputs or one.refusals]
    due = [(name, one) for name, one in expected if one.outputs or one.refusals]
    for (name, one), (other, outcome) in zip(said, due, strict=False):
        assert name == other, f"the tick fired {name}'s {one}, expected {other}'s {outcome}"
    assert len(said) == len(due), f"the tick led to {said}\n  expected {due}"
    return [(name, one, outcome) for (name, one), (_, outcome) in zip(said, due, strict=True)]


def _differences(told: dict[str, Any], expected: Output) -> Iterable[str]:
    if told["id"] != expected.id:
        yield f"id {told['id']}, expected {expected.id}"
    for name, value in expected.fields.items():
        if told[name] != value:
            yield f"{name} {told[name]}, expected {value}"
    if "ruleset" in told and told["ruleset"] != expected.ruleset:
        yield f"ruleset {told['ruleset']}, expected {expected.ruleset}"
    if "evidence" in told:
        items = [msgspec.structs.asdict(one) for one in told["evidence"]]
        yield from judge_evidence(items, told.get("evidence_count"), expected)


def _short(fields: Any) -> dict[str, Any]:
    kept = (
        "offer",
        "reason",
        "entered_at",
        "exited_at",
        "satisfied_at",
        "reversed_at",
        "fulfilled_at",
        "via",
        "variant",
    )
    return {name: fields[name] for name in kept if name in fields}

"""One scenario's world: a journal partition in memory, judged and folded by what runs in production.

Nothing here knows what rules mean. Time passes in ticks, as the partition's owner would write them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from console.scenarios.happenings import Happening, Witness
from console.scenarios.model import Action, Ask, Scenario, Send, Wait, Who
from console.scenarios.people import id_for
from console.scenarios.workspace import ASKING, Workspace
from offerflow.rules.explain import explain
from offerflow.rules.explained import OfferExplained
from offerflow.rules.fold import Failure, Fold
from offerflow.rules.outcomes import Decision, Verdict
from offerflow.rules.state import PartitionState
from offerflow.rules.states import MemoryStates, pass_time
from schemas.codec import schema_id_of
from schemas.dead_letter import DeadLetter
from schemas.requests import PREFIX, REQUESTS
from schemas.step import Emit

PARTITION = 0


class _Raw:
    """A raw record as a consumer would hand it to validation."""

    def __init__(self, topic: str, value: bytes, appended: int, offset: int) -> None:
        self._topic, self._value, self._appended, self._offset = topic, value, appended, offset

    def topic(self) -> str:
        return self._topic

    def value(self) -> bytes:
        return self._value

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, self._appended

    def partition(self) -> int:
        return PARTITION

    def offset(self) -> int:
        return self._offset


class World:
    """``watched``: the offers that the scenario is about, whose holdout its users stay out of."""

    def __init__(self, workspace: Workspace, scenario: Scenario, watched: frozenset[str] | None) -> None:
        self._workspace = workspace
        self._arms = scenario.arms
        self._offers = [
            offer for offer in workspace.ruleset.offers.values()
            if watched is None or offer.id in watched or offer.id in scenario.arms
        ]  # fmt: skip
        self._states = MemoryStates()
        self._fold = Fold(PARTITION, PartitionState(), lambda _: workspace.ruleset, self._states)
        self._fold.activate(workspace.ruleset.hash)
        self._offset = 0
        self._sent: Counter[str] = Counter()
        self._ids: dict[tuple[str, str], str] = {}
        self._names: dict[str, str] = {}
        self._witness = Witness(scenario.calendar, lambda entity: self._names.get(entity, entity[2:]))
        self.now = 0

    def do(self, action: Action) -> list[Happening]:
        """Everything that happened by it, in order; time passes to where it stands first."""
        match action:
            case Wait():
                found = list(self._until(action.until))
            case Ask():
                found = [*self._until(action.at), *self._ask(action)]
            case Send():
                found = []
                for number, (at, arrival) in enumerate(action.times_at, start=1):
                    found += [*self._until(arrival), *self._send(action, number, at, arrival)]
        self._fold.settle()
        return found

    def explain(self, who: Who, offer: str) -> OfferExplained | None:
        """None for an offer that is not there."""
        entity = self._entity(who)
        found = explain(self._fold.rules, self._states.get(entity), offer, self.now)
        return found[0] if found else None

    def next_timer(self, who: Who) -> int | None:
        """When, by stream time, the first timer of somebody fires."""
        return self._states.timers.get(self._entity(who))

    # -- what comes in ----------------------------------------------------------------------------------------------

    def _until(self, moment: int) -> Iterator[Happening]:
        self._fold.settle()
        for _, passed in pass_time(self._fold, self._states, moment, self._offset):
            self._offset += 1
            for failure in passed.failures:
                yield self._failed(failure)
            for entity, decision in passed.decisions:
                yield from self._decided(entity, decision)
        self.now = max(self.now, moment)

    def _send(self, action: Send, number: int, at: int, arrival: int) -> Iterator[Happening]:
        self._sent[action.event] += 1
        event_id = f"{action.event} {self._sent[action.event]}"
        envelope: dict[str, Any] = {
            "event": action.event,
            "event_id": event_id if action.event_id is None else numbered(action.event_id, number),
            "time": at,
            "source": action.source or self._workspace.source_for(action.event).id,
            "properties": numbered(action.properties, number),
        }
        return self._raw(envelope, action.who, arrival)

    def _ask(self, action: Ask) -> Iterator[Happening]:
        asked: dict[str, Any] = {}
        match action.kind:
            case "enter" | "code":
                name = "EnterOffer"
                asked = {"offer" if action.kind == "enter" else "code": action.name}
                if action.key is not None:
                    asked["key"] = action.key
            case "fulfil" | "reverse":
                name = "FulfilReward" if action.kind == "fulfil" else "ReverseReward"
                reward = self._witness.last_reward(self._entity(action.who)[2:], action.name)
                if reward is None:
                    detail = f"{action.who.name} was given no reward {action.name!r} so far"
                    yield Happening("dead_letter", "unknown_reward", action.who.name, detail=detail)
                    return
                asked = {"reward_id": reward} | ({"by": action.by or ASKING} if action.kind == "fulfil" else {})
        envelope = {"event": f"{PREFIX}{name}", "time": action.at, "source": ASKING, "properties": asked}
        for happening in self._raw(envelope, action.who, action.at):
            # What is refused may be no offer: then it is told by what was asked for.
            yield happening if happening.name else replace(happening, name=action.name)

    def _raw(self, envelope: dict[str, Any], who: Who, arrival: int) -> Iterator[Happening]:
        """A raw record, judged and, if it is valid, folded."""
        value = msgspec.json.encode({**envelope, **self._person(who)})
        raw = _Raw(self._workspace.topic_of(envelope["source"]), value, arrival, self._offset)
        outcome = self._workspace.step(raw)  # type: ignore[arg-type]
        if isinstance(outcome, DeadLetter):
            yield Happening("dead_letter", outcome.reason, who.name, detail=outcome.detail)
            return
        if not isinstance(outcome, Emit):
            detail = f"source {envelope['source']} has it switched off"
            yield Happening("ignored", "switched_off", who.name, detail=detail)
            return
        offset = self._offset
        self._offset += 1
        entity, schema_id = outcome.key.decode(), schema_id_of(outcome.value)
        asks = REQUESTS.get(schema_id)
        if asks is not None:
            came = self._fold.request(entity, asks(outcome.value, PARTITION, offset))
            yield from self._folded(entity, who.name, came)
            return
        reads = self._workspace.reader(schema_id, self._fold.rules)
        if reads is None:
            yield Happening("ignored", Verdict.UNREAD, who.name, detail=f"no rule reads {outcome.event}")
            return
        event = reads(outcome.value, PARTITION, offset)
        yield from self._folded(
            entity, who.name, self._fold.event(entity, event, self._fold.rules.types[reads.event_type.name])
        )

    # -- what came of it --------------------------------------------------------------------------------------------

    def _folded(self, entity: str, who: str, outcome: Decision | Failure) -> Iterator[Happening]:
        if isinstance(outcome, Failure):
            yield self._failed(outcome)
            return
        yield from self._decided(entity, outcome)
        if outcome.verdict is Verdict.CONFLICT:
            yield Happening("dead_letter", "duplicate_conflict", who, detail=outcome.detail)
        elif outcome.verdict is not Verdict.FOLDED:
            yield Happening("ignored", outcome.verdict, who, detail=outcome.detail)

    def _decided(self, entity: str, decision: Decision) -> Iterator[Happening]:
        yield from self._witness.saw(decision.outputs)
        yield from self._witness.refused(entity, decision.refusals)

    def _failed(self, failure: Failure) -> Happening:
        who = self._names.get(failure.entity, failure.entity)
        what = f"{failure.what}: " if failure.what else ""
        return Happening("dead_letter", "rule_error", who, detail=f"{what}the rules failed: {failure.error}")

    # -- who --------------------------------------------------------------------------------------------------------

    def _person(self, who: Who) -> dict[str, str]:
        """The members of the envelope that name somebody."""
        found = {}
        for field, prefix, name in (("user_id", "u:", who.user), ("anonymous_id", "a:", who.anonymous)):
            if name is not None:
                found[field] = self._id(prefix, name)
        return found

    def _id(self, prefix: str, name: str) -> str:
        if (prefix, name) not in self._ids:
            found = self._ids[prefix, name] = id_for(name, prefix, self._offers, self._arms)
            self._names[prefix + found] = name if prefix == "u:" else f"{name} (anonymous)"
        return self._ids[prefix, name]

    def _entity(self, who: Who) -> str:
        person = self._person(who)
        return f"u:{person['user_id']}" if "user_id" in person else f"a:{person['anonymous_id']}"


def numbered(value: Any, number: int) -> Any:
    """With ``{n}`` in texts replaced, so that repetitions of an event can differ."""
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    if isinstance(value, Mapping):
        return {key: numbered(item, number) for key, item in value.items()}
    return [numbered(item, number) for item in value] if isinstance(value, list) else value

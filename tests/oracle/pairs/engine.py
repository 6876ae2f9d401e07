"""The engine, folding the records of a pair. States travel packed, as they do in Redis."""

from __future__ import annotations

import json
import zlib
from functools import cache
from random import Random
from typing import Any

from offerflow.rules.compiling import RulesetProblems, compile_ruleset
from offerflow.rules.definitions import ConditionDefinition, OfferDefinition, SettingsDefinition
from offerflow.rules.events import Event
from offerflow.rules.fold import Failure, Fold
from offerflow.rules.outcomes import Decision
from offerflow.rules.requests import EnterOffer, FulfilReward, Request, ReverseReward
from offerflow.rules.ruleset import Ruleset
from offerflow.rules.state import EntityState, PartitionState, pack, unpack_entity
from offerflow.rules.states import MemoryStates
from schemas.plan import Plan, parse_event_schema
from tests.oracle.workspace import EventType

PARTITION = 3
_CLASSES: dict[str, type[EnterOffer] | type[FulfilReward] | type[ReverseReward]] = {
    "EnterOffer": EnterOffer, "FulfilReward": FulfilReward, "ReverseReward": ReverseReward,
}  # fmt: skip


@cache
def _types(schemas: str) -> list[Any]:
    return list(Plan(parse_event_schema(one, 1000 + n) for n, one in enumerate(json.loads(schemas))).event_types())


def compiled(name: str, definitions: list[dict[str, Any]], schemas: list[dict[str, Any]]) -> Ruleset:
    """The ruleset of definitions as people write them. Raises RulesetProblems."""
    conditions = [ConditionDefinition.model_validate(one) for one in definitions if one["kind"] == "condition"]
    offers = [OfferDefinition.model_validate(one) for one in definitions if one["kind"] == "offer"]
    (settings, *_) = *[SettingsDefinition.model_validate(one) for one in definitions if one["kind"] == "settings"], None
    return compile_ruleset(
        name,
        {one.id: one for one in conditions},
        {one.id: one for one in offers},
        _types(json.dumps(schemas)),
        settings,
    )


__all__ = ["Engine", "RulesetProblems", "compiled"]


class _Packed(MemoryStates):
    """Keeps bytes, so that what is not packed is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.packed: dict[str, bytes] = {}

    def get(self, entity: str) -> EntityState:
        return unpack_entity(self.packed.get(entity))

    def put(self, entity: str, state: EntityState, fire_at: int | None, is_open: bool) -> None:
        super().put(entity, state, fire_at, is_open)
        self.packed[entity] = pack(state)


class Engine:
    """``settles`` says after which records a batch ends."""

    def __init__(self, rulesets: dict[str, Ruleset], settles: Random | None) -> None:
        self.states = _Packed()
        self._types = {one.name: one for one in next(iter(rulesets.values())).event_types.values()}
        self._fold = Fold(PARTITION, PartitionState(), rulesets.__getitem__, self.states)
        self._settles = settles

    def activate(self, ruleset: str) -> None:
        self._fold.activate(ruleset)

    def event(self, entity: str, given: dict[str, Any], kind: EventType) -> Decision | Failure:
        content = zlib.crc32(repr((kind.name, sorted(given["properties"].items()))).encode())
        event = Event(type=kind.name, origin="backend", content_hash=content, **_common(entity, given))
        event.properties = given["properties"]
        return self._settled(self._fold.event(entity, event, self._types[kind.name]))

    def request(self, entity: str, name: str, given: dict[str, Any]) -> Decision | Failure:
        common = _common(entity, given)
        properties = common.pop("properties")
        content = zlib.crc32(repr((name, properties)).encode())
        request: Request = _CLASSES[name](content_hash=content, **common, **properties)
        return self._settled(self._fold.request(entity, request))

    def tick(self, due: int, offset: int) -> tuple[list[tuple[str, Decision]], list[Failure]]:
        passed = self._fold.tick(due, due, offset)
        return passed.decisions, passed.failures

    def state(self) -> tuple[dict[str, bytes], bytes]:
        """Everything that is kept, for comparing folds with one another."""
        self._fold.settle()
        return self.states.packed, pack(self._fold.state)

    def _settled(self, decision: Decision | Failure) -> Decision | Failure:
        if self._settles is None or self._settles.randrange(3) == 0:
            self._fold.settle()
        return decision


def _common(entity: str, given: dict[str, Any]) -> dict[str, Any]:
    kind, _, who = entity.partition(":")
    return {
        "user_id": who if kind == "u" else None, "anonymous_id": who if kind == "a" else None, "source": "shop",
        "partition": PARTITION, **given,
    }  # fmt: skip

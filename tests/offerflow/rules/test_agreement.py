"""The fold against tests.oracle, which asks every condition of the whole list of events after each of them."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from offerflow.rules.outcomes import Conflict, Folded, OfferEntered, Output, RewardSatisfied
from tests.offerflow.rules import strategies
from tests.offerflow.rules.samples import TYPES, Definition, Entity, offer
from tests.oracle import model
from tests.oracle.fold import Entity as Oracle
from tests.oracle.rules import in_force
from tests.oracle.workspace import EventType, Workspace

ORACLE_TYPES = {
    name: EventType(one.name, 1, one.names, ("backend",), "strip", one.unique, False, {})
    for one in TYPES.values()
    for name in one.names
}


EVERYTHING = offer("z", {"all": [{"event": name, "count": {"at_least": 1000}} for name in strategies.NAMES]})
"""Reads every event, so that both remember the same ids: which rules of old still read is another question."""


def plan_of(definitions: list[Definition]) -> Workspace:
    conditions = {one["id"]: one for one in definitions if one["kind"] == "condition"}
    stripped = {name: {key: one[key] for key in one if key not in ("kind", "id")} for name, one in conditions.items()}
    return Workspace(ORACLE_TYPES, {}, stripped, {one["id"]: one for one in definitions if one["kind"] == "offer"})


def placed(entity: str, arrival: dict[str, Any], offset: int) -> model.Placed:
    kind, _, name = entity.partition(":")
    event = model.Event(
        arrival["name"], 1, arrival["event_id"] or f"e{offset}", name if kind == "u" else None,
        name if kind == "a" else None, arrival["time"], arrival["time"], arrival["source"], "backend",
        arrival["properties"],
    )  # fmt: skip
    return model.Placed(event, 3, offset)


def same(mine: Output, expected: model.Output, proof: bool) -> None:
    """Every field the oracle vouches for, and evidence: only what counted, and enough of it if ``proof``."""
    assert type(mine).__name__ == expected.record
    for name, value in expected.fields.items():
        assert getattr(mine, name) == value, name
    if isinstance(mine, OfferEntered | RewardSatisfied):
        assert mine.evidence[-1].journal_offset == expected.deciding.offset
        for item in mine.evidence:
            counted = expected.hits.get(item.event_id)
            assert counted == msgspec.structs.asdict(item) or item is mine.evidence[-1]
        assert expected.proves(frozenset(item.event_id for item in mine.evidence)) or not proof


@settings(deadline=None, max_examples=80)
@given(
    rulesets=st.lists(strategies.rulesets(), min_size=1, max_size=3),
    arrivals=st.lists(strategies.arrivals, min_size=15, max_size=25),
    every=st.integers(4, 12),
    name=st.sampled_from(["u:ann", "a:cookie"]),
)
@example(
    rulesets=[[offer("o", {"event": "A"}, {"event": "A"}, reward={"id": "r", "value": "10 EUR"})]],
    arrivals=[{"name": "A", "properties": {"key": "k1"}, "event_id": None, "time": 0, "source": "shop"}] * 3,
    every=9,
    name="u:ann",
)
def test_agrees_with_the_oracle(
    rulesets: list[list[Definition]], arrivals: list[dict[str, Any]], every: int, name: str
) -> None:
    """Random events, repeats and conflicts among them, under random offers that change on the way: the same outputs
    with the same fields and ids, in the announced order, and the same conflicts."""
    rulesets = [[*one, EVERYTHING] for one in rulesets]
    # An activation lies before the event whose offset follows its own.
    activations = [(at * every - 1, f"r{at + 1}") for at in range(len(rulesets))]
    rules = in_force([plan_of(one) for one in rulesets], activations)
    entity, oracle = Entity(*rulesets[0], name=name), Oracle(name)
    # What is absent of the absent is no evidence, though it counts: none of none of A.
    proof = repr(rulesets).count("'none'") < 2
    for offset, arrival in enumerate(arrivals):
        if offset and offset % every == 0 and offset // every < len(rulesets):
            entity.activate(*rulesets[offset // every])
        in_power = [one for start, one in rules if start < offset][-1]
        expected = oracle.take(placed(name, arrival, offset), in_power)
        given = {key: arrival[key] for key in ("time", "source")} | arrival["properties"]
        verdict = entity.take(arrival["name"], event_id=arrival["event_id"] or f"e{offset}", **given)
        assert isinstance(verdict, Conflict) == any(isinstance(one, model.Conflict) for one in expected)
        outputs = list(verdict.outputs) if isinstance(verdict, Folded) else []
        by_id = {one.id: one for one in expected if isinstance(one, model.Output)}
        assert sorted(one.id for one in outputs) == sorted(by_id)
        for output in outputs:
            same(output, by_id[output.id], proof)
        assert [type(one).__name__ for one in outputs] == [one.record for one in by_id.values()]
        entries = [one.offer for one in outputs if isinstance(one, OfferEntered)]
        assert entries == sorted(entries)

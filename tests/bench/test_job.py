"""The records that everything is measured with are what they are said to be."""

from __future__ import annotations

import json

from bench.job import TOPIC, WORKSPACE, bad, events, framed
from bench.pure import Message
from offerflow.catalog.view import Source
from schemas.channels import Channel
from schemas.dead_letter import DeadLetter
from schemas.plan import Plan, parse_event_schema
from schemas.step import Emit, Step

COUNT = 200


def _step() -> tuple[Step, Plan]:
    written = [json.loads(path.read_text()) for path in sorted(WORKSPACE.glob("*.avsc"))]
    plan = Plan(parse_event_schema(schema, 1000 + number) for number, schema in enumerate(written))
    source = Source("bench", "backend", (TOPIC,))
    return Step(plan, {"bench": source}, {TOPIC: Channel(TOPIC, "id", "backend", "bench")}), plan


def test_good_records_are_good() -> None:
    """As JSON and as Avro the same events come to the same journal records."""
    step, plan = _step()
    schemas = {one.id: one.definition for one in plan.by_id.values()}
    as_json = [step(Message(n, *record)) for n, record in enumerate(events(COUNT))]
    as_avro = [step(Message(n, *record)) for n, record in enumerate(framed(COUNT, schemas))]
    assert all(isinstance(outcome, Emit) for outcome in as_json)
    assert as_avro == as_json


def test_bad_records_are_bad() -> None:
    """Every one is a dead letter, of at least five reasons."""
    step, _ = _step()
    outcomes = [step(Message(n, *record)) for n, record in enumerate(bad(COUNT))]
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, DeadLetter)}
    assert all(isinstance(outcome, DeadLetter) for outcome in outcomes)
    assert len(reasons) >= 5

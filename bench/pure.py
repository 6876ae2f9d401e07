"""The pieces without broker and Redis, on one core: judging a record, folding an event, fastavro beside them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from functools import partial
from io import BytesIO
from typing import Any

import fastavro
import msgspec
from ruamel.yaml import YAML

from bench import folding
from bench.job import TOPIC, WORKSPACE, events, standard_purchases, whole
from offerflow.catalog.view import Source
from offerflow.rules.compiling import compile_ruleset
from offerflow.rules.decide import decide
from offerflow.rules.definitions import OfferDefinition
from offerflow.rules.live import LiveRules, activate
from offerflow.rules.state import EntityState, PartitionState, pack, unpack_entity
from schemas.channels import Channel
from schemas.codec import FRAME, schema_id_of
from schemas.journal import EventReader
from schemas.plan import EventSchema, Plan, parse_event_schema
from schemas.step import Emit, Step

NOW = 1_790_000_000_000


class Message:
    """A consumed record, as the step asks for it."""

    def __init__(self, offset: int, key: bytes, value: bytes) -> None:
        self._offset, self._key, self._value = offset, key, value

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes:
        return self._value

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 2, NOW


def pure(count: int) -> dict[str, Any]:
    """Rates per second of one core over ``count`` records of the job."""
    schemas = [
        parse_event_schema(json.loads(path.read_text()), 1000 + n)
        for n, path in enumerate(sorted(WORKSPACE.glob("*.avsc")))
    ]
    plan = Plan(schemas)
    step = _step(plan)
    raws = [Message(n, key, value) for n, (key, value) in enumerate(events(count))]
    judged: list[Emit] = []
    rates = {"validation step": _rate(lambda: judged.extend(_emitted(step, raws)), count)}
    rates["  msgspec: JSON alone"] = _rate(lambda: [msgspec.json.decode(raw.value()) for raw in raws], count)
    rates |= _avro(count)
    rates |= _fastavro(plan, judged)
    rates |= _rules(plan, schemas, judged)
    rates |= folding.rates(count)
    return {"records": count, "per_second_and_core": {name: round(rate) for name, rate in rates.items()}}


def _step(plan: Plan) -> Step:
    return Step(
        plan, {"bench": Source("bench", "backend", (TOPIC,))}, {TOPIC: Channel(TOPIC, "id", "backend", "bench")}
    )


def judged_by(plan: Plan, raws: Iterable[Any]) -> list[Emit]:
    """What validation writes of these records."""
    return _emitted(_step(plan), raws)


def _avro(count: int) -> dict[str, float]:
    """The step on framed Avro of the standard plan: plain values are passed on, others are read and written anew."""
    file = WORKSPACE.parents[1] / "schemas" / "events" / "PurchaseCompleted.avsc"
    schema = parse_event_schema(json.loads(file.read_text()), 1000)
    step = _step(Plan([schema]))
    rates = {}
    for values, more in {
        "plain": {}, "with an array": {"product_ids": ["p-1", "p-2"]}, "with pii": {"email": "ann@example.org"},
    }.items():  # fmt: skip
        raws = [
            Message(n, b"", value) for n, value in enumerate(standard_purchases(count // 4, schema.definition, more))
        ]
        judged: list[Emit] = []
        rates[f"validation step, Avro {values}"] = _rate(partial(_extend, judged, step, raws), len(raws))
        assert len(judged) == len(raws)
    return rates


def _extend(judged: list[Emit], step: Step, raws: Iterable[Any]) -> None:
    judged.extend(_emitted(step, raws))


def _emitted(step: Step, raws: Iterable[Any]) -> list[Emit]:
    outcomes = [step(raw) for raw in raws]
    return [outcome for outcome in outcomes if isinstance(outcome, Emit)]


def _fastavro(plan: Plan, judged: list[Emit]) -> dict[str, float]:
    """fastavro alone on the same journal records, whole: what it costs to read and to write them."""
    parsed = {schema.id: fastavro.parse_schema(whole(schema.definition)) for schema in plan.by_id.values()}
    values = [(parsed[schema_id_of(one.value)], one.value[FRAME:]) for one in judged]
    read: list[Any] = []

    def write() -> None:
        for (schema, _), record in zip(values, read, strict=True):
            fastavro.schemaless_writer(BytesIO(), schema, record)

    reading = _rate(
        lambda: read.extend(fastavro.schemaless_reader(BytesIO(body), schema, None) for schema, body in values),
        len(values),
    )
    return {"  fastavro: write the journal record": _rate(write, len(values)), "  fastavro: read it": reading}


def _rules(plan: Plan, schemas: list[EventSchema], judged: list[Emit]) -> dict[str, float]:
    documents = YAML(typ="safe", pure=True).load_all((WORKSPACE / "plan.yaml").read_text())
    offers = {one["id"]: OfferDefinition.model_validate(one) for one in documents}
    ruleset = compile_ruleset("bench", {}, offers, plan.event_types())
    live = LiveRules(activate(PartitionState(), ruleset), lambda _: ruleset)
    readers = {one.id: EventReader(one, live.reads[one.name]) for one in schemas if one.name in live.reads}
    framed = [(one, readers[schema_id_of(one.value)]) for one in judged if schema_id_of(one.value) in readers]
    decoded: list[Any] = []

    def read() -> None:
        for offset, (one, reader) in enumerate(framed):
            decoded.append((one.key.decode(), reader.event_type, reader(one.value, 0, offset)))

    states: dict[str, EntityState] = {}

    def fold() -> None:
        for entity, event_type, event in decoded:
            state = states.get(entity)
            if state is None:
                state = states[entity] = EntityState()
            decide(live, entity, state, event, event_type, 0)

    def repack() -> None:
        for state in states.values():
            unpack_entity(pack(state))

    return {
        "read an event for the rules": _rate(read, len(framed)),
        "decide": _rate(fold, len(framed)),
        "pack and unpack a state": _rate(repack, len(states) or 1) if states else 0.0,
    }


def _rate(action: Callable[[], object], count: int) -> float:
    began = time.process_time()
    action()
    return count / max(time.process_time() - began, 1e-9)

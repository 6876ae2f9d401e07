"""The journal of a deployment folded once more, in memory and in one piece: what its outputs and its Redis must be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from offerflow.catalog.follower import CatalogFollower
from offerflow.rules.fold import Failure, Fold
from offerflow.rules.outcomes import Decision
from offerflow.rules.ruleset import Ruleset
from offerflow.rules.state import PartitionState, pack
from offerflow.rules.states import MemoryStates
from offerflow.runtime.settings import KafkaSettings, Settings
from schemas.catalog import plan_of, ruleset_of
from schemas.journal import RULESET_ACTIVATED, TICK, EventReader
from schemas.requests import REQUESTS
from tests.deployment import Deployment
from tests.oracle.model import Record

Kept = tuple[dict[str, bytes], dict[str, int], set[str]]
"""States, timers and open offers of a partition."""


@dataclass
class Refold:
    """``outputs``: ids of what should have been announced. ``kept``: what Redis should hold of each partition."""

    outputs: Counter[str] = field(default_factory=Counter)
    kept: dict[int, Kept] = field(default_factory=dict)
    ticks: int = 0


def refold(deployment: Deployment) -> Refold:
    kafka = KafkaSettings(bootstrap_servers=deployment.services.kafka)
    follower = CatalogFollower(Settings(kafka=kafka, topic_prefix=deployment.prefix), "refold")
    catalog = follower.start()
    follower.close()
    plan, rulesets = plan_of(catalog), dict[str, Ruleset]()
    found = Refold()

    def compiled(name: str) -> Ruleset:
        if name not in rulesets:
            rulesets[name] = ruleset_of(catalog, name)
        return rulesets[name]

    def decided(fold: Fold, record: Record) -> list[Decision | Failure]:
        value, offset, partition = record.value or b"", record.offset, record.partition
        schema_id, entity = int.from_bytes(value[1:5], "big"), (record.key or b"").decode()
        if schema_id == RULESET_ACTIVATED.id:
            fold.activate(RULESET_ACTIVATED.decode(value)["ruleset"])
            return []
        if schema_id == TICK.id:
            found.ticks += 1
            passed = fold.tick(TICK.decode(value)["due"], record.timestamp, offset)
            return [*passed.failures, *(decision for _, decision in passed.decisions)]
        if schema_id in REQUESTS:
            return [fold.request(entity, REQUESTS[schema_id](value, partition, offset))]
        schema = plan.by_id[schema_id]
        read = EventReader(schema, frozenset(fold.rules.reads.get(schema.name, ())))
        return [fold.event(entity, read(value, partition, offset), read.event_type)]

    states = {partition: MemoryStates() for partition in range(deployment.partitions)}
    folds = {number: Fold(number, PartitionState(), compiled, one) for number, one in states.items()}
    for record in deployment.read("journal"):
        for decision in decided(folds[record.partition], record):
            assert not isinstance(decision, Failure), decision
            found.outputs.update(output.id for output in decision.outputs)
    for number, fold in folds.items():
        fold.settle()
        one = states[number]
        packed = {entity: pack(state) for entity, state in one.entities.items()}
        found.kept[number] = packed, one.timers, one.opened
    return found

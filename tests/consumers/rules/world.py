"""A catalog, a journal written by hand, and a worker that folds it in batches, without broker and Redis."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from consumers.rules.partition import Partition, Work
from offerflow.catalog.view import Catalog
from offerflow.rules.outcomes import Output
from offerflow.rules.ruleset import ENGINE, Ruleset
from schemas.announce import Announcer
from schemas.catalog import plan_of, ruleset_of
from schemas.codec import EventEncoder
from schemas.dead_letter import DeadLetter
from schemas.journal import RULESET_ACTIVATED, TICK, EventReader
from schemas.judge import judge
from schemas.plan import EventSchema
from tests.offerflow.rules.samples import NOON, Definition

NUMBER = 3
JOURNAL = "t.journal"


def schema_of(name: str, *names: str, unique: tuple[str, ...] = (), version: int = 1) -> dict[str, Any]:
    """An event schema with the properties that tests.offerflow.rules.strategies uses, in an order of its own."""
    optional = {"x": "double", "n": "long", "s": "string", "b": "boolean"}
    fields = [{"name": key, "type": ["null", kind], "default": None} for key, kind in optional.items()]
    fields.insert(2, {"name": "key", "type": "string", "default": "-"})
    return {
        "type": "record", "namespace": "events", "name": name, "event": [name, *names], "version": version,
        "unique": list(unique), "fields": [{"name": "meta", "type": "events.Meta"}, *fields],
    }  # fmt: skip


SCHEMAS = (schema_of("A", "A again"), schema_of("B"), schema_of("U", unique=("key",)), schema_of("Unread"))


@dataclass(frozen=True)
class Journalled:
    """A journal record as the Kafka client gives it."""

    at: int
    data: bytes | None
    entity: bytes | None = None

    def topic(self) -> str:
        return JOURNAL

    def partition(self) -> int:
        return NUMBER

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.entity

    def value(self) -> bytes | None:
        return self.data

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (1, NOON)


class Book:
    """What a Rulebook is to a partition, of a catalog that is all there."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._plan = plan_of(catalog)
        self._rulesets: dict[str, Ruleset] = {}

    def ruleset(self, name: str) -> Ruleset:
        if name not in self._rulesets:
            self._rulesets[name] = ruleset_of(self._catalog, name)
        return self._rulesets[name]

    def schema(self, schema_id: int) -> EventSchema:
        return self._plan.by_id[schema_id]

    def reader(self, schema: EventSchema, reads: frozenset[str]) -> EventReader:
        return EventReader(schema, reads)


def catalog_of(rulesets: Sequence[list[Definition]], schemas: Sequence[dict[str, Any]] = SCHEMAS) -> Catalog:
    """Rulesets named r0, r1, …, and the event plan with ids from 1000."""
    events = {f"event/{one['name']}@{one['version']}": {"schema_id": 1000 + at, "schema": one}
              for at, one in enumerate(schemas)}  # fmt: skip
    records: dict[str, Any] = dict(events)
    for at, definitions in enumerate(rulesets):
        keys = {f"{one['kind']}/{one['id']}@{at}": {"definition": one} for one in definitions}
        records |= keys
        records[f"ruleset/r{at}"] = {"engine": ENGINE, "definitions": [*events, *keys]}
    records["head"] = {"serial": 1, "ruleset": "r0", "definitions": [*events], "next_schema_id": 2000}
    return Catalog(records)


def activation(at: int, ruleset: int) -> Journalled:
    return Journalled(at, RULESET_ACTIVATED.encode({"ruleset": f"r{ruleset}"}))


def tick(at: int) -> Journalled:
    return Journalled(at, TICK.encode({"due": NOON}))


def happened(at: int, book: Book, entity: str, arrival: dict[str, Any], schema_id: int | None = None) -> Journalled:
    """An event of ``entity`` as validation would have written it."""
    schema_id = schema_id or 1000 + [one["name"] for one in SCHEMAS].index(arrival["name"])
    kind, _, name = entity.partition(":")
    body = judge(book.schema(schema_id), arrival.get("properties", {}), lambda _: None)
    value = EventEncoder(schema_id).encode(
        arrival.get("event_id") or f"e{at}", name if kind == "u" else None, name if kind == "a" else None,
        arrival.get("time", NOON), NOON, arrival.get("source", "shop"), "backend", body,
    )  # fmt: skip
    return Journalled(at, value, entity.encode())


@dataclass
class Outcome:
    """What folding a journal came to. ``states`` and ``fold`` are what Redis would hold."""

    states: dict[str, bytes] = field(default_factory=dict)
    fold: bytes | None = None
    outputs: list[Output] = field(default_factory=list)
    refusals: list[Any] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    dead: list[tuple[int, DeadLetter]] = field(default_factory=list)
    replayed: int = 0
    suppressed: int = 0

    def take(self, work: Work) -> None:
        self.states |= work.states
        self.fold = work.fold or self.fold
        self.outputs += work.outputs
        self.refusals += work.refusals
        self.duplicates += work.duplicates
        self.dead += [(record.offset(), letter) for record, letter in work.dead_letters]
        self.replayed += work.replayed
        self.suppressed += work.suppressed


def fold(
    book: Book, journal: Sequence[Journalled], sizes: Iterable[int] = (), *, committed: int = 0,
    claim_again: random.Random | None = None, start: Outcome | None = None,
) -> Outcome:  # fmt: skip
    """Fold a journal as the stage does: cut, load, fold, apply, batch by batch of ``sizes`` (then all the rest).

    States are loaded from what was applied, packed. With ``claim_again`` the partition is now and then made anew from
    it. ``start`` goes on from an earlier outcome."""
    found, place = start or Outcome(), 0
    upcoming = iter(sizes)
    partition = Partition(NUMBER, 0, committed, found.fold, {}, book)  # type: ignore[arg-type]
    while place < len(journal):
        taken = partition.cut(list(journal[place : place + next(upcoming, len(journal))]))
        loaded = {entity: found.states.get(entity) for entity in partition.entities(taken)}
        partition.next = taken[0].offset()
        found.take(partition.fold(taken, loaded, taken[-1].offset() + 1))
        place += len(taken)
        if claim_again is not None and claim_again.random() < 0.3:
            partition = Partition(NUMBER, 0, committed, found.fold, {}, book)  # type: ignore[arg-type]
    return found


def written(announce: Announcer, outputs: Iterable[Output]) -> list[Any]:
    """The outputs byte for byte, as they would be published."""
    return [(one.topic, one.key, one.value, one.headers) for one in map(announce, outputs)]

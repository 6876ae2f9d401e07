"""A catalog, a journal written by hand, and a worker that folds it in batches, without broker and Redis."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from offerflow.catalog.view import Catalog
from offerflow.rules.outcomes import Output
from offerflow.rules.ruleset import ENGINE
from offerflow.runtime.redis.store import Loaded, Reach
from schemas.announce import Announcer
from schemas.codec import EventEncoder
from schemas.dead_letter import DeadLetter
from schemas.folding.book import CatalogBook
from schemas.folding.partition import FOLD_S, Partition, Work
from schemas.journal import RULESET_ACTIVATED, TICK
from schemas.judge import judge
from schemas.requests import REQUESTS_BY_NAME

NOON = 1_790_000_000_000
MINUTE = 60_000
NUMBER = 3
JOURNAL = "t.journal"
Definition = dict[str, Any]


def offer(name: str, entry: Definition, completion: Any = None, **more: Any) -> Definition:
    made = {"kind": "offer", "id": name, "entry": entry, **more}
    return made if completion is None else {**made, "completion": completion}


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
    appended: int = NOON

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
        return (1, self.appended)


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


def tick(at: int, due: int = NOON, appended: int | None = None) -> Journalled:
    return Journalled(at, TICK.encode({"due": due}), appended=due if appended is None else appended)


def happened(
    at: int, book: CatalogBook, entity: str, arrival: dict[str, Any], schema_id: int | None = None
) -> Journalled:
    """An event or a request of ``entity`` as validation would have written it."""
    request = REQUESTS_BY_NAME.get(arrival["name"])
    if request is None:
        schema_id = schema_id or 1000 + [one["name"] for one in SCHEMAS].index(arrival["name"])
    schema = request or book.schema(schema_id or 0)
    kind, _, name = entity.partition(":")
    body = judge(schema, arrival.get("properties", {}), lambda _: None)
    time = arrival.get("time", NOON)
    value = EventEncoder(schema.id).encode(
        arrival.get("event_id") or f"e{at}", name if kind == "u" else None, name if kind == "a" else None,
        time, arrival.get("received_at", max(time, NOON)), arrival.get("source", "shop"), "backend", body,
    )  # fmt: skip
    return Journalled(at, value, entity.encode())


@dataclass
class Outcome:
    """What folding a journal came to. ``states``, ``timers``, ``opened`` and ``fold`` are what Redis would hold."""

    states: dict[str, bytes] = field(default_factory=dict)
    timers: dict[str, int] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    fold: bytes | None = None
    outputs: list[Output] = field(default_factory=list)
    refusals: list[Any] = field(default_factory=list)
    rewards: list[tuple[str, str]] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    dead: list[tuple[int, DeadLetter]] = field(default_factory=list)
    ticks: int = 0
    cuts: int = 0
    failed: list[int] = field(default_factory=list)
    replayed: int = 0
    suppressed: int = 0

    @property
    def kept(self) -> tuple[Any, ...]:
        """What Redis would hold."""
        return self.states, self.timers, self.opened, self.fold

    @property
    def told(self) -> tuple[Any, ...]:
        """What is counted or set aside."""
        return self.refusals, self.rewards, self.duplicates, self.late, self.dead, self.ticks

    def load(self, entities: Iterable[str], reach: Reach | None) -> Loaded:
        """As the store does."""
        loaded = Loaded(0, None, None, None, {entity: self.states.get(entity) for entity in entities})
        if reach is not None:
            firing = sorted((at, entity) for entity, at in self.timers.items() if at <= reach.until)
            loaded.due = firing[: reach.timers]
            loaded.open = [entity for entity in sorted(self.opened) if entity > reach.cursor][: reach.swept]
            names = [*loaded.open, *(entity for _, entity in loaded.due)]
            loaded.states |= {entity: self.states[entity] for entity in names}
        return loaded

    def take(self, work: Work) -> None:
        self.states |= work.states
        self.timers = {entity: at for entity, at in {**self.timers, **work.timers}.items() if at is not None}
        self.opened = {entity for entity in {*self.opened, *work.opened} if work.opened.get(entity, True)}
        self.fold = work.fold or self.fold
        self.outputs += work.outputs
        self.refusals += work.refusals
        self.rewards += work.rewards
        self.duplicates += work.duplicates
        self.late += [*work.late, *work.too_late]
        self.dead += [(record.offset(), letter) for record, letter in work.dead_letters]
        self.ticks += work.ticks
        self.cuts += work.cut
        self.failed += [record.offset() for record in work.failed]
        self.replayed += work.replayed
        self.suppressed += work.suppressed


def fold(
    book: CatalogBook, journal: Sequence[Journalled], sizes: Iterable[int] = (), *, committed: int = 0,
    claim_again: random.Random | None = None, start: Outcome | None = None, seconds: float = FOLD_S,
) -> Outcome:  # fmt: skip
    """Fold a journal as the stage does: cut, load, fold, apply, batch by batch of ``sizes`` (then all the rest).

    States are loaded from what was applied, packed. With ``claim_again`` the partition is now and then made anew from
    it. ``start`` goes on from an earlier outcome, ``seconds`` is the time for a batch."""
    found, place = start or Outcome(), 0
    upcoming = iter(sizes)
    partition = Partition(NUMBER, 0, committed, found.fold, {}, book)
    while place < len(journal):
        taken = partition.cut(list(journal[place : place + next(upcoming, len(journal))]))
        reach = partition.reach(taken)
        loaded = found.load(partition.entities(taken), reach)
        partition.next = taken[0].offset()
        work = partition.fold(taken, loaded, reach, taken[-1].offset() + 1, seconds)
        found.take(work)
        place += sum(record.offset() < work.to for record in taken)
        if claim_again is not None and claim_again.random() < 0.3:
            partition = Partition(NUMBER, 0, committed, found.fold, {}, book)
    return found


def written(announce: Announcer, outputs: Iterable[Output]) -> list[Any]:
    """The outputs byte for byte, as they would be published."""
    return [(one.topic, one.key, one.value, one.headers) for one in map(announce, outputs)]

"""One claimed journal partition, and the fold of a batch of its records. No I/O happens here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from consumers.rules.rulebook import Rulebook
from offerflow.rules.decide import decide
from offerflow.rules.live import LiveRules, activate
from offerflow.rules.outcomes import Conflict, Duplicate, Output, Refusal, Unread
from offerflow.rules.state import EntityState, PartitionState, pack, unpack_entity, unpack_partition
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.logs import get_logger
from schemas.codec import FIRST_EVENT_ID, FRAME
from schemas.dead_letter import DeadLetter
from schemas.journal import RULESET_ACTIVATED, TICK, EventReader


@dataclass(slots=True)
class Work:
    """What folding a batch of one partition came to. ``states`` by entity; ``fold`` only if an activation changed it.
    Outputs, refusals, duplicates and dead letters are those of records at or above the committed offset."""

    start: int
    to: int
    states: Mapping[str, bytes] = field(default_factory=dict)
    fold: bytes | None = None
    outputs: list[Output] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    dead_letters: list[tuple[Record, DeadLetter]] = field(default_factory=list)
    replayed: int = 0
    suppressed: int = 0


@dataclass(slots=True)
class _Batch:
    """What one fold works on: the states it has unpacked, and those it has changed, in order of first change."""

    records: Sequence[Record]
    loaded: Mapping[str, bytes | None]
    work: Work
    states: dict[str, EntityState] = field(default_factory=dict)
    touched: dict[str, None] = field(default_factory=dict)


class Partition:
    """``next`` is the next offset to fold, ``committed`` the group's offset in Kafka: outputs of records below it were
    published before, so they are computed again and thrown away."""

    def __init__(
        self, number: int, next_offset: int, committed: int, fold: bytes | None, identity: Mapping[str, str],
        rulebook: Rulebook,
    ) -> None:  # fmt: skip
        self.number = number
        self.next = next_offset
        self.committed = committed
        self.identity = identity
        self._rulebook = rulebook
        self._state = unpack_partition(fold)
        self._use(self._state)

    def cut(self, records: list[Record]) -> list[Record]:
        """The records up to the first ruleset activation; one at the very start goes with those behind it. So all
        events of a batch are decided by the same rules."""
        for at, record in enumerate(records):
            if at and _schema_id(record) == RULESET_ACTIVATED.id:
                return records[:at]
        return records

    def entities(self, records: Sequence[Record]) -> list[str]:
        """The entities whose states a batch needs: those of events that a rule in force reads, and all of them if the
        batch starts with an activation."""
        everything = _schema_id(records[0]) == RULESET_ACTIVATED.id
        found: dict[str, None] = {}
        for record in records:
            schema_id = _schema_id(record)
            if schema_id >= FIRST_EVENT_ID and (everything or self._reader(schema_id) is not None):
                entity = _entity(record)
                if entity is not None:
                    found[entity] = None
        return list(found)

    def fold(self, records: Sequence[Record], loaded: Mapping[str, bytes | None], to: int) -> Work:
        """Fold ``records`` over the loaded states. Changes the rules in force, but neither ``next`` nor Redis."""
        batch = _Batch(records, loaded, Work(self.next, to))
        work = batch.work
        for at, record in enumerate(records):
            schema_id = _schema_id(record)
            if schema_id >= FIRST_EVENT_ID:
                reader = self._reader(schema_id)
                if reader is not None:
                    self._event(reader, batch, at)
            elif schema_id == RULESET_ACTIVATED.id:
                self._activate(record, work)
            elif schema_id != TICK.id:
                self._dead(work, record, f"is no journal record that this version knows (schema id {schema_id})")
        work.states = {entity: pack(batch.states[entity]) for entity in batch.touched}
        return work

    def _event(self, reader: EventReader, batch: _Batch, at: int) -> None:
        record, work = batch.records[at], batch.work
        entity = _entity(record)
        if entity is None:
            self._dead(work, record, "is an event whose key names no entity")
            return
        state = batch.states.get(entity)
        if state is None:
            state = batch.states[entity] = unpack_entity(batch.loaded[entity])
        offset = record.offset()
        try:
            event = reader(record.value() or b"", self.number, offset)
            verdict = decide(self._rules, entity, state, event, reader.event_type)
        except Exception as error:  # a rule that fails costs its record, not the stage
            get_logger().error("a rule failed", partition=self.number, offset=offset, error=repr(error))
            self._dead(work, record, f"the rules failed on this event: {error!r}")
            batch.states[entity] = self._refold(entity, batch.loaded[entity], batch.records[:at])
            return
        if isinstance(verdict, Unread):
            return
        fresh = offset >= self.committed
        work.replayed += not fresh
        if isinstance(verdict, Conflict):
            if fresh:
                name = reader.event_type.names[0]
                letter = DeadLetter("duplicate_conflict", verdict.detail, event=name, source=event.source)
                work.dead_letters.append((record, letter))
            return
        batch.touched[entity] = None
        if isinstance(verdict, Duplicate):
            if fresh:
                work.duplicates.append(reader.event_type.names[0])
        elif fresh:
            work.outputs += verdict.outputs
            work.refusals += verdict.refusals
        else:
            work.suppressed += len(verdict.outputs)

    def _refold(self, entity: str, packed: bytes | None, before: Iterable[Record]) -> EntityState:
        """The entity's state as it was before a record on which the rules failed, which may have left it half
        changed: its earlier records of the batch folded again."""
        state = unpack_entity(packed)
        for record in before:
            reader = self._reader(_schema_id(record)) if record.key() == entity.encode() else None
            if reader is not None:
                attempt = unpack_entity(pack(state))
                try:
                    event = reader(record.value() or b"", self.number, record.offset())
                    decide(self._rules, entity, attempt, event, reader.event_type)
                except Exception:  # noqa: S112 - it failed before as well, and has its dead letter
                    continue
                state = attempt
        return state

    def _activate(self, record: Record, work: Work) -> None:
        name = RULESET_ACTIVATED.decode(record.value() or b"")["ruleset"]
        state = activate(self._state, self._rulebook.ruleset(name))
        self._use(state)
        work.fold = pack(state)

    def _use(self, state: PartitionState) -> None:
        self._state = state
        self._rules = LiveRules(state, self._rulebook.ruleset)
        self._readers: dict[int, EventReader | None] = {}

    def _reader(self, schema_id: int) -> EventReader | None:
        """The reader of a schema under the rules in force, None if no rule reads its events."""
        if schema_id in self._readers:
            return self._readers[schema_id]
        if schema_id < FIRST_EVENT_ID:
            return None
        schema = self._rulebook.schema(schema_id)
        reads = self._rules.reads.get(schema.name)
        reader = None if reads is None else self._rulebook.reader(schema, reads)
        self._readers[schema_id] = reader
        return reader

    def _dead(self, work: Work, record: Record, detail: str) -> None:
        if record.offset() >= self.committed:
            work.dead_letters.append((record, DeadLetter("rule_error", detail)))


def _entity(record: Record) -> str | None:
    """The entity that a journal key names, None if it names none, which nothing of ours writes."""
    try:
        return (record.key() or b"").decode() or None
    except UnicodeDecodeError:
        return None


def _schema_id(record: Record) -> int:
    """The schema id of a framed record; 0 for anything else, which is reserved and never assigned."""
    value = record.value()
    if value is None or len(value) < FRAME or value[0]:
        return 0
    return int.from_bytes(value[1:FRAME], "big")

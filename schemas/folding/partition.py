"""One claimed journal partition: its records read, folded and accounted for. No I/O happens here."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from offerflow.rules.fold import ENTITIES_PER_TICK, SWEPT_PER_TICK, Failure, Fold, HalfChanged, NotLoaded
from offerflow.rules.outcomes import Decision, Output, Refusal, Verdict
from offerflow.rules.state import PartitionState, pack, unpack_partition
from offerflow.rules.states import MemoryStates
from offerflow.runtime import outside
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.redis.store import Loaded, Reach
from schemas.codec import FIRST_EVENT_ID, FRAME
from schemas.dead_letter import DeadLetter
from schemas.folding.book import Book
from schemas.folding.loaded import LoadedStates
from schemas.journal import RULESET_ACTIVATED, TICK, EventReader
from schemas.requests import REQUESTS

TICKS_AT_ONCE = 4
"""Ticks of a batch for which timers are loaded ahead; one that finds too few ends the batch before it."""
FOLD_S = 5.0
"""How long one batch is folded, far below the time after which Kafka takes a member's partitions away. What is left is
read again."""


@dataclass(slots=True)
class Work:
    """What folding a batch of one partition came to. ``states`` by entity, with their ``timers`` and whether they are
    in offers (``opened``) where that changed; ``fold`` if it moved. ``to`` is the position after it: where a tick or
    the time ended the batch early (``cut``), that of the first record left. Everything else is of records at or above
    the committed offset; ``sources`` are the records that ``outputs`` come of, one for each; ``failed`` those on which
    the rules failed."""

    start: int
    to: int
    states: Mapping[str, bytes] = field(default_factory=dict)
    timers: Mapping[str, int | None] = field(default_factory=dict)
    opened: Mapping[str, bool] = field(default_factory=dict)
    fold: bytes | None = None
    cut: bool = False
    outputs: list[Output] = field(default_factory=list)
    sources: list[Record] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    rewards: list[tuple[str, str]] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    too_late: list[str] = field(default_factory=list)
    dead_letters: list[tuple[Record, DeadLetter]] = field(default_factory=list)
    failed: list[Record] = field(default_factory=list)
    ticks: int = 0
    replayed: int = 0
    suppressed: int = 0


class Partition:
    """``next`` is the next offset to fold, ``committed`` the group's offset in Kafka: outputs of records below it were
    published before, so they are computed again and thrown away.

    ``asked_for``: the tick that was appended and not read back yet. ``owed``: one to append again, since the one folded
    last left something to do. ``ahead``: time of the tick folded last and by how many ms that was ahead of its append
    time, if it was ours.
    """

    def __init__(
        self, number: int, next_offset: int, committed: int, fold: bytes | None, identity: Mapping[str, str],
        book: Book,
    ) -> None:  # fmt: skip
        self.number = number
        self.next = next_offset
        self.committed = committed
        self.identity = identity
        self.asked_for: int | None = None
        self.owed: int | None = None
        self.ahead: tuple[int, int] | None = None
        self._book = book
        self._fold = Fold(number, unpack_partition(fold), book.ruleset, MemoryStates())
        self._readers: dict[int, EventReader | None] = {}

    @property
    def sweeping(self) -> bool:
        """Whether a withdrawn offer still has people inside, so that ticks are wanted whatever the timers say."""
        return self._fold.state.sweep is not None

    @property
    def offers(self) -> Container[str]:
        """Ids of the offers of the ruleset in force."""
        return self._fold.rules.active

    def cut(self, records: list[Record]) -> list[Record]:
        """The records up to the first ruleset activation; one at the very start goes with those behind it, up to the
        first tick. So all events of a batch are decided by the same rules, and what a tick needs is known before."""
        activated = bool(records) and _schema_id(records[0]) == RULESET_ACTIVATED.id
        for at, record in enumerate(records):
            schema_id = _schema_id(record)
            if at and (schema_id == RULESET_ACTIVATED.id or (activated and schema_id == TICK.id)):
                return records[:at]
        return records

    def entities(self, records: Sequence[Record]) -> list[str]:
        """The entities whose states a batch needs: those of requests and of events that a rule in force reads, and all
        of them if the batch starts with an activation."""
        everything = _schema_id(records[0]) == RULESET_ACTIVATED.id
        found: dict[str, None] = {}
        for record in records:
            schema_id = _schema_id(record)
            if schema_id in REQUESTS or (
                schema_id >= FIRST_EVENT_ID and (everything or self._reader(schema_id) is not None)
            ):
                entity = _entity(record)
                if entity is not None:
                    found[entity] = None
        return list(found)

    def reach(self, records: Sequence[Record]) -> Reach | None:
        """What the ticks of a batch must see beside the entities of its records; None without ticks."""
        ticks = [record for record in records if _schema_id(record) == TICK.id]
        if not ticks:
            return None
        state = self._fold.state
        until = max(state.time, *(min(_due(record) or 0, record.timestamp()[1]) for record in ticks))
        number = min(len(ticks), TICKS_AT_ONCE)
        swept = 0 if state.sweep is None else number * SWEPT_PER_TICK
        return Reach(until, number * ENTITIES_PER_TICK + 1, state.sweep or "", swept)

    def fold(
        self, records: Sequence[Record], loaded: Loaded, reach: Reach | None, to: int, seconds: float = FOLD_S
    ) -> Work:
        """Fold ``records`` over what was loaded: one at least, and no further one after ``seconds``. Changes the rules
        in force and T, but neither ``next`` nor Redis."""
        before = self._fold.state
        try:
            return self._folded(records, loaded, reach, to, outside.monotonic() + seconds, careful=False)
        except HalfChanged:
            self._back_to(before)
            # With the whole time again: else a failure late in it would never be reached.
            return self._folded(records, loaded, reach, to, outside.monotonic() + seconds, careful=True)
        except BaseException:
            self._back_to(before)
            raise

    def _folded(
        self, records: Sequence[Record], loaded: Loaded, reach: Reach | None, to: int, until: float, *, careful: bool
    ) -> Work:
        work, fold = Work(self.next, to), self._fold
        before = fold.state
        fold.careful = careful
        states = fold.states = LoadedStates(loaded, reach)
        for record in records:
            if outside.monotonic() >= until and record is not records[0]:
                work.to, work.cut = record.offset(), True
                break
            schema_id = _schema_id(record)
            if schema_id >= FIRST_EVENT_ID:
                reader = self._reader(schema_id)
                if reader is not None:
                    self._event(reader, record, work)
            elif schema_id == TICK.id:
                try:
                    self._tick(record, work)
                except NotLoaded:
                    if record is records[0]:
                        raise
                    work.to, work.cut = record.offset(), True
                    break
            elif schema_id in REQUESTS:
                self._request(schema_id, record, work)
            elif schema_id == RULESET_ACTIVATED.id:
                fold.activate(RULESET_ACTIVATED.decode(record.value() or b"")["ruleset"])
                self._readers = {}
            else:
                self._dead(work, record, f"is no journal record that this version knows (schema id {schema_id})")
        fold.settle()
        work.states = {entity: pack(state) for entity, state in states.changed.items()}
        work.timers, work.opened = states.timers, states.opened
        if fold.state is not before:
            work.fold = pack(fold.state)
        return work

    def _event(self, reader: EventReader, record: Record, work: Work) -> None:
        entity = _entity(record)
        if entity is None:
            self._dead(work, record, "is an event whose key names no entity")
            return
        name = reader.event_type.names[0]
        try:
            event = reader(record.value() or b"", self.number, record.offset())
        except Exception as error:  # what is no event of its schema costs its record, not the stage
            self._failed(work, record, Failure.of(entity, error), "the rules failed on this event", name)
            return
        # Of the whole plan: one schema alone does not know what takes its events back.
        event_type = self._fold.rules.types.get(event.type, reader.event_type)
        decision = self._fold.event(entity, event, event_type)
        if isinstance(decision, Failure):
            self._failed(work, record, decision, "the rules failed on this event", name)
        elif decision.verdict is not Verdict.UNREAD:
            self._decided(decision, record, work, name, event.source)

    def _request(self, schema_id: int, record: Record, work: Work) -> None:
        entity = _entity(record)
        if entity is None:
            self._dead(work, record, "is a request whose key names no entity")
            return
        reader = REQUESTS[schema_id]
        try:
            request = reader(record.value() or b"", self.number, record.offset())
        except Exception as error:
            self._failed(work, record, Failure.of(entity, error), "the rules failed on this request", reader.name)
            return
        decision = self._fold.request(entity, request)
        if isinstance(decision, Failure):
            self._failed(work, record, decision, "the rules failed on this request", reader.name)
        else:
            self._decided(decision, record, work, reader.name, request.source)

    def _tick(self, record: Record, work: Work) -> None:
        due, offset = _due(record), record.offset()
        if due is None:
            self._dead(work, record, "is a tick that cannot be read")
            return
        appended = record.timestamp()[1]
        passed = self._fold.tick(due, appended, offset)
        self.ahead = (due, due - appended) if due == self.asked_for else None
        self.asked_for, self.owed = None, due if passed.more else None
        fresh = offset >= self.committed
        work.ticks += fresh
        for _, decision in passed.decisions:
            self._add(decision, record, work, fresh=fresh)
        if passed.failures:
            # One dead letter, since its id is made of the record's coordinates.
            first, more = passed.failures[0], len(passed.failures) - 1
            words = f"the rules failed on {first.what} of {first.entity}" + (f" and {more} more" if more else "")
            self._failed(work, record, first, words)

    def _decided(self, decision: Decision, record: Record, work: Work, name: str, source: str) -> None:
        fresh = record.offset() >= self.committed
        self._add(decision, record, work, fresh=fresh)
        if not fresh:
            work.replayed += 1
        elif decision.verdict is Verdict.CONFLICT:
            letter = DeadLetter("duplicate_conflict", decision.detail, event=name, source=source)
            work.dead_letters.append((record, letter))
        elif decision.verdict is Verdict.DUPLICATE:
            work.duplicates.append(name)
        elif decision.verdict is Verdict.TOO_LATE:
            work.too_late.append(name)
        elif decision.late:
            work.late.append(name)

    def _add(self, decision: Decision, record: Record, work: Work, *, fresh: bool) -> None:
        if fresh:
            if decision.outputs:
                work.outputs += decision.outputs
                work.sources += [record] * len(decision.outputs)
            work.refusals += decision.refusals
            work.rewards += decision.rewards
        else:
            work.suppressed += len(decision.outputs)

    def _failed(self, work: Work, record: Record, failure: Failure, words: str, event: str | None = None) -> None:
        if record.offset() >= self.committed:
            work.failed.append(record)
        self._dead(work, record, f"{words}: {failure.error}", event)

    def _dead(self, work: Work, record: Record, detail: str, event: str | None = None) -> None:
        if record.offset() >= self.committed:
            work.dead_letters.append((record, DeadLetter("rule_error", detail, event=event)))

    def _back_to(self, state: PartitionState) -> None:
        self._fold.back_to(state)
        self._readers = {}

    def _reader(self, schema_id: int) -> EventReader | None:
        """The reader of a schema under the rules in force, None if no rule reads its events."""
        if schema_id in self._readers:
            return self._readers[schema_id]
        if schema_id < FIRST_EVENT_ID:
            return None
        schema = self._book.schema(schema_id)
        reads = self._fold.rules.reads.get(schema.name)
        reader = None if reads is None else self._book.reader(schema, reads)
        self._readers[schema_id] = reader
        return reader


def _entity(record: Record) -> str | None:
    """The entity that a journal key names, None if it names none, which nothing of ours writes."""
    try:
        return (record.key() or b"").decode() or None
    except UnicodeDecodeError:
        return None


def _due(record: Record) -> int | None:
    """The time of a tick, None for one that cannot be read."""
    try:
        return int(TICK.decode(record.value() or b"")["due"])
    except Exception:  # whatever the decoder says of garbage
        return None


def _schema_id(record: Record) -> int:
    """The schema id of a framed record; 0 for anything else, which is reserved and never assigned."""
    value = record.value()
    if value is None or len(value) < FRAME or value[0]:
        return 0
    return int.from_bytes(value[1:FRAME], "big")

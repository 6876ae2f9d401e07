"""What a schedule must have come to: recomputed from the raw topics and from the committed journal alone.

1. every raw record exactly once in the journal, the dead letters or among what is switched off, in order per partition;
2. outputs and dead letters of the rules: those of the journal folded in one piece, byte for byte, each exactly once;
3. Redis: states, timers, open offers, rules in force and position of that fold;
4. no tick overtook an event that was in a raw topic when its writer read the clock;
5. counts of the events seen, as far as they were written, are those of the raw records below their position.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from consumers.validation.judging import STAGE as VALIDATION
from consumers.validation.judging import Judge
from offerflow.catalog.view import Source
from offerflow.rules.fold import Failure, Fold
from offerflow.rules.outcomes import Decision, Verdict
from offerflow.rules.state import PartitionState, pack
from offerflow.rules.states import MemoryStates
from offerflow.runtime.kafka.consumer import Record
from offerflow.runtime.settings import Settings
from schemas.announce import Announcer
from schemas.catalog import plan_of
from schemas.channels import Channel
from schemas.folding.book import CatalogBook
from schemas.journal import RULESET_ACTIVATED, TICK
from schemas.seen import Snapshot
from schemas.step import Step
from tests.oracle.identity import partition_of
from tests.schedules.workload import CATALOG, RAW

OUTPUTS = ("offer-entry", "offer-exit", "reward-satisfied", "reward-fulfilled", "reward-reversed")
Place = tuple[str, int]
Written = tuple[str, bytes, bytes, tuple[tuple[str, bytes], ...]]
"""Topic, key, value and headers of an output."""
BOOK = CatalogBook(CATALOG)


class Keeping(Protocol):
    """What Redis has, by partition."""

    def next(self, partition: int) -> int: ...
    def states(self, partition: int) -> dict[str, bytes]: ...
    def timers(self, partition: int) -> dict[str, int]: ...
    def opened(self, partition: int) -> set[str]: ...
    def rules(self, partition: int) -> bytes | None: ...


@dataclass
class Found:
    """A deployment at rest: ``topics`` by name without prefix, what Redis keeps, and by how many ms a worker's wall
    clock was ahead of the broker's at most."""

    settings: Settings
    topics: Mapping[str, Sequence[Record]]
    redis: Keeping
    ahead: int = 0
    ends: Mapping[int, int] = field(default_factory=dict)
    """Of the journal's partitions."""


def judge(found: Found) -> dict[str, list[str]]:
    """What is wrong, by kind; empty if nothing is."""
    wrong: dict[str, list[str]] = defaultdict(list)
    _validation(found, wrong)
    letters: Counter[Any] = Counter()
    outputs: Counter[Written] = Counter()
    journal: dict[int, list[Record]] = defaultdict(list)
    for record in found.topics["journal"]:
        journal[record.partition()].append(record)
    for partition in range(found.settings.partitions):
        refold = Refold(found.settings, partition, journal[partition])
        outputs.update(refold.outputs)
        letters.update(refold.letters)
        _kept(found, refold, wrong)
        _time(found, partition, journal[partition], wrong)
    prefix = found.settings.topic_prefix
    seen = Counter(_written(one, prefix) for topic in OUTPUTS for one in found.topics[topic])
    _compare(seen, outputs, "output", wrong, lambda one: f"{one[0]} {one[1].decode()} {dict(one[3]).get('ce_id')!r}")
    mine = Counter(_letter(one) for one in found.topics["dead-letter"] if _stage(one) == "rules")
    _compare(mine, letters, "rule letter", wrong, repr)
    return dict(wrong)


def _compare(seen: Counter[Any], expected: Counter[Any], what: str, wrong: dict[str, list[str]], show: Any) -> None:
    for one, number in (expected - seen).items():
        wrong["LOST"].append(f"{what} missing {number}: {show(one)}")
    for one, number in (seen - expected).items():
        kind = "DOUBLED" if one in expected else "WRONG"
        wrong[kind].append(f"{what} too many {number}: {show(one)}")


def _written(record: Record, prefix: str) -> Written:
    headers = tuple((name, value or b"") for name, value in record.headers() or ())
    return record.topic().removeprefix(prefix), record.key() or b"", record.value() or b"", headers


def _stage(record: Record) -> str:
    return (dict(record.headers() or ()).get("__connect.errors.stage") or b"").decode()


def _letter(record: Record) -> tuple[str, int, int, str]:
    """Where the dead record lay and why it died; the value says when as well, which is nobody's promise."""
    told = {name: (value or b"").decode() for name, value in record.headers() or ()}
    topic, partition, offset = (told[f"__connect.errors.{one}"] for one in ("topic", "partition", "offset"))
    return topic, int(partition), int(offset), told["__connect.errors.class.name"]


# -- validation -----------------------------------------------------------------------------------------------------


def _judging(settings: Settings) -> tuple[Judge, dict[str, Channel]]:
    sources: dict[str, Source] = dict(CATALOG.sources)
    channels = {}
    for name in RAW:
        [source] = [one for one in sources.values() if name in one.topics]
        channels[settings.topic(name)] = Channel(name, "", source.origin, source.id)
    plan = plan_of(CATALOG)
    step = Step(plan, sources, channels)
    journal, letters = settings.topic("journal"), settings.topic("dead-letter")
    return Judge(journal, letters, step, plan, set(sources), Counter()), channels


_JUDGES: dict[str, tuple[Judge, dict[str, Channel]]] = {}


def _validation(found: Found, wrong: dict[str, list[str]]) -> None:
    settings = found.settings
    if settings.topic_prefix not in _JUDGES:
        _JUDGES[settings.topic_prefix] = _judging(settings)
    judged, channels = _JUDGES[settings.topic_prefix]
    journal_topic = settings.topic("journal")
    expected: Counter[tuple[bytes | None, bytes | None]] = Counter()
    letters: Counter[Any] = Counter()
    order: dict[tuple[Place, int], list[bytes | None]] = defaultdict(list)
    tallies: dict[Place, list[tuple[int, Counter[tuple[str, str, str]]]]] = defaultdict(list)
    for name in RAW:
        for record in found.topics[name]:
            place = (record.topic(), record.partition())
            done = judged(channels[record.topic()], [record], 0)
            tallies[place].append((record.offset(), Counter({key: one[0] for key, one in done.tally.items()})))
            for output in done.outputs:
                if output.topic == journal_topic:
                    expected[output.key, output.value] += 1
                    order[place, partition_of(output.key or b"", settings.partitions)].append(output.value)
                else:
                    headers = {name: str(value) for name, value in output.headers or ()}
                    letters[(*place, record.offset(), headers["__connect.errors.class.name"])] += 1
    events: Counter[tuple[bytes | None, bytes | None]] = Counter()
    stand: dict[int, list[bytes | None]] = defaultdict(list)
    for record in found.topics["journal"]:
        if _schema_id(record) >= 1000:
            events[record.key(), record.value()] += 1
            stand[record.partition()].append(record.value())
    _compare(events, expected, "journal record", wrong, repr)
    theirs = [one for one in found.topics["dead-letter"] if _stage(one) == VALIDATION]
    _compare(Counter(_letter(one) for one in theirs), letters, "dead letter", wrong, repr)
    for (place, partition), values in order.items():
        rest = iter(stand[partition])
        if not all(value in rest for value in values):
            wrong["ORDER"].append(f"records of {place} stand in another order in journal {partition}")
    last: dict[tuple[Place, int], int] = {}
    for record in theirs:
        topic, partition, offset, _ = _letter(record)
        key = (topic, partition), record.partition()
        if last.get(key, -1) >= offset:
            wrong["ORDER"].append(f"dead letters of {topic}/{partition} stand in another order: {offset} too late")
        last[key] = offset
    _counts(found, tallies, wrong)


def _counts(
    found: Found, tallies: Mapping[Place, list[tuple[int, Counter[tuple[str, str, str]]]]], wrong: dict[str, list[str]]
) -> None:
    newest = {record.key(): record for record in found.topics["events-seen"]}
    for key, record in newest.items():
        name, _, number = (key or b"").decode().rpartition("/")
        snapshot = msgspec.json.decode(record.value() or b"{}", type=Snapshot)
        counted = {(one.name, one.source, one.outcome): one.count for one in (*snapshot.kept, *snapshot.slots)}
        should: Counter[tuple[str, str, str]] = Counter()
        for offset, tally in tallies.get((name, int(number)), []):
            if offset < snapshot.next:
                should += tally
        if counted != should:
            wrong["COUNTS"].append(f"seen in {name}/{number} below {snapshot.next}: {counted}, not {dict(should)}")


# -- rules ----------------------------------------------------------------------------------------------------------


def _schema_id(record: Record) -> int:
    value = record.value() or b""
    return int.from_bytes(value[1:5], "big") if len(value) >= 5 and not value[0] else 0


class Refold:
    """One journal partition folded once, record after record, with every state at hand."""

    def __init__(self, settings: Settings, partition: int, records: Iterable[Record]) -> None:
        self.partition = partition
        self.states = MemoryStates()
        self.outputs: list[Written] = []
        self.letters: list[tuple[str, int, int, str]] = []
        self._announce = Announcer(settings)
        self._prefix = settings.topic_prefix
        self.fold = Fold(partition, PartitionState(), BOOK.ruleset, self.states)
        for record in records:
            self._take(record)
        self.fold.settle()

    def _take(self, record: Record) -> None:
        value, offset, schema_id = record.value() or b"", record.offset(), _schema_id(record)
        if schema_id == RULESET_ACTIVATED.id:
            self.fold.activate(RULESET_ACTIVATED.decode(value)["ruleset"])
        elif schema_id == TICK.id:
            passed = self.fold.tick(TICK.decode(value)["due"], record.timestamp()[1], offset)
            assert not passed.failures, passed.failures
            for _, decision in passed.decisions:
                self._add(decision)
        elif schema_id >= 1000:
            self._event(record, schema_id)
        else:
            self._dead(record, "rule_error")

    def _event(self, record: Record, schema_id: int) -> None:
        schema = BOOK.schema(schema_id)
        reads = self.fold.rules.reads.get(schema.name)
        if reads is None:
            return
        reader = BOOK.reader(schema, reads)
        event = reader(record.value() or b"", self.partition, record.offset())
        event_type = self.fold.rules.types.get(event.type, reader.event_type)
        decision = self.fold.event((record.key() or b"").decode(), event, event_type)
        assert not isinstance(decision, Failure), decision
        self._add(decision)
        if decision.verdict is Verdict.CONFLICT:
            self._dead(record, "duplicate_conflict")

    def _add(self, decision: Decision) -> None:
        for output in decision.outputs:
            one = self._announce(output)
            headers = tuple((name, bytes(value or b"")) for name, value in one.headers or ())  # type: ignore[arg-type]
            self.outputs.append((one.topic.removeprefix(self._prefix), one.key or b"", one.value or b"", headers))

    def _dead(self, record: Record, reason: str) -> None:
        self.letters.append((record.topic(), record.partition(), record.offset(), reason))


def _kept(found: Found, refold: Refold, wrong: dict[str, list[str]]) -> None:
    partition, redis, states = refold.partition, found.redis, refold.states
    packed = {entity: pack(state) for entity, state in states.entities.items()}
    theirs = redis.states(partition)
    for entity in sorted({*packed, *theirs}):
        if packed.get(entity) != theirs.get(entity):
            wrong["STATE"].append(f"{partition}: {entity} differs")
    if states.timers != redis.timers(partition):
        wrong["STATE"].append(f"{partition}: timers {redis.timers(partition)}, not {states.timers}")
    if states.opened != redis.opened(partition):
        wrong["STATE"].append(f"{partition}: in offers {redis.opened(partition)}, not {states.opened}")
    rules = redis.rules(partition)
    if rules is not None and rules != pack(refold.fold.state):
        wrong["STATE"].append(f"{partition}: rules in force or T differ")
    if redis.next(partition) != found.ends[partition]:
        wrong["STATE"].append(f"{partition}: Redis stands at {redis.next(partition)}, not {found.ends[partition]}")


def _time(found: Found, partition: int, records: Iterable[Record], wrong: dict[str, list[str]]) -> None:
    """An event behind a tick came into its raw topic no earlier than the tick's writer read its clock."""
    for record, moment in _moments(records):
        if moment > record.timestamp()[1]:
            wrong["TIME"].append(f"{partition}: time {moment} beyond the append time of {record.offset()}")
        if _schema_id(record) < 1000:
            continue
        schema = BOOK.schema(_schema_id(record))
        received = BOOK.reader(schema, frozenset())(record.value() or b"", partition, record.offset()).received_at
        if received < moment - found.ahead:
            wrong["TIME"].append(f"{partition}: event {record.offset()} of {received} was overtaken by {moment}")


def _moments(records: Iterable[Record]) -> Iterator[tuple[Record, int]]:
    """Each record with T as the ticks before it have moved it."""
    moment = 0
    for record in records:
        yield record, moment
        if _schema_id(record) == TICK.id:
            moment = max(moment, min(TICK.decode(record.value() or b"")["due"], record.timestamp()[1]))

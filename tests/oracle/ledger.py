"""Raw equals journal plus dead letters plus what was switched off: every record accounted for once, in one pass.

For more records than fit a fold in memory: of each expected event a digest is kept, of each dead letter its place.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import fastavro

from tests.oracle import topics, wire
from tests.oracle.compare import Report
from tests.oracle.judge import judge
from tests.oracle.letters import judge_letter
from tests.oracle.model import Dead, Dropped, Event, Record
from tests.oracle.workspace import Workspace, with_meta

Place = tuple[str, int, int]


@dataclass
class Balance:
    """What was counted. ``forms`` are raw records by their form, ``dead`` by reason."""

    raw: int = 0
    journal: int = 0
    dropped: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    forms: Counter[str] = field(default_factory=Counter)
    report: Report = field(default_factory=Report)

    @property
    def even(self) -> bool:
        return self.raw == self.journal + sum(self.dead.values()) + self.dropped and not self.report


def audit(bootstrap: str, prefix: str, plan: Workspace) -> Balance:
    """Read the raw topics, then the journal and the dead letters, and settle each record. Nothing may be writing.

    ``plan.ids`` and ``plan.topic_ids`` are filled in from the deployment.
    """
    catalog = topics.read(bootstrap, [prefix + "catalog"])[prefix + "catalog"]
    ids = wire.schema_ids(catalog)
    plan.ids = {ids[key]: one for key, one in plan.versions.items() if key in ids}
    raws = [prefix + topic for topic in plan.topics()]
    plan.topic_ids = topics.topic_ids(bootstrap, [name for name in raws if name in topics.existing(bootstrap)])
    ledger = Ledger(plan, prefix)
    for record in topics.stream(bootstrap, raws):
        ledger.raw(record)
    for record in topics.stream(bootstrap, [prefix + "journal"]):
        ledger.journal(record)
    for record in topics.stream(bootstrap, [prefix + "dead-letter"]):
        ledger.letter(record)
    return ledger.settle()


class Ledger:
    """Takes every raw record first, then those of the journal and the dead letters, in any order."""

    def __init__(self, plan: Workspace, prefix: str) -> None:
        self._plan = plan
        self._prefix = prefix
        self._balance = Balance()
        self._due: Counter[bytes] = Counter()
        self._deads: dict[Place, tuple[Dead, Record]] = {}
        self._own = wire.output_schemas()
        self._schemas = {
            schema_id: (one.name, one.version, fastavro.parse_schema(wire.plain(with_meta(one.schema))))
            for schema_id, one in plan.ids.items()
        }

    def raw(self, record: Record) -> None:
        self._balance.raw += 1
        self._balance.forms[form_of(record)] += 1
        verdict = judge(record, self._plan, self._prefix)
        if isinstance(verdict, Dead):
            self._deads[record.topic, record.partition, record.offset] = verdict, record
        elif isinstance(verdict, Dropped):
            self._balance.dropped += 1
        else:
            self._due[_digest(verdict)] += 1

    def journal(self, record: Record) -> None:
        schema_id, body = wire.unframe(record.value, record.where)
        if schema_id in self._own:
            return
        name, version, schema = self._schemas[schema_id]
        event, _ = wire.event_of(name, version, wire.decode(body, schema, record.where))
        self._balance.journal += 1
        digest, report = _digest(event), self._balance.report
        if self._due[digest] > 0:
            self._due[digest] -= 1
        else:
            report.wrong.append(f"journal {record.where} was not due, or not as often: {event.canonical():.500}")
        if record.key != event.entity.encode():
            report.wrong.append(f"journal {record.where}: key {record.key!r}")

    def letter(self, record: Record) -> None:
        schema_id, body = wire.unframe(record.value, record.where)
        letter: dict[str, Any] = wire.decode(body, self._own[schema_id], record.where)
        if letter["component"] != "validation":
            return
        self._balance.dead[letter["reason"]] += 1
        expected = self._deads.pop((letter["topic"], letter["partition"], letter["offset"]), None)
        if expected is None:
            place = f"{letter['topic']}[{letter['partition']}]@{letter['offset']}"
            self._balance.report.wrong.append(f"dead letter {record.where} of {place} was not due, or is there twice")
        else:
            differences = judge_letter(letter, record, *expected, self._prefix)
            self._balance.report.wrong += [f"dead letter {record.where}: {line}" for line in differences]

    def settle(self) -> Balance:
        for (topic, partition, offset), (dead, _) in self._deads.items():
            self._balance.report.missing.append(f"dead letter of {topic}[{partition}]@{offset}: {dead}")
        left = sum(self._due.values())
        if left:
            self._balance.report.missing.append(f"{left} events that are not in the journal")
        return self._balance


def form_of(record: Record) -> str:
    """What a record looks like from outside, whether it is any good or not."""
    if (record.value or b"")[:1] == b"\x00":
        return "framed Avro"
    names = {name for name, _ in record.headers}
    if any(name.startswith("ce_") for name in names):
        return "CloudEvents, binary"
    return "CloudEvents, structured" if b'"specversion"' in (record.value or b"") else "native JSON"


def _digest(event: Event) -> bytes:
    return blake2b(event.canonical().encode(), digest_size=16).digest()

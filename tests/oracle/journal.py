"""The journal decoded, and held against the events that the raw topics must have become."""

from __future__ import annotations

from collections import Counter, defaultdict
from io import BytesIO
from typing import Any

import fastavro
from xxhash import xxh3_64_digest

from tests.oracle import wire
from tests.oracle.compare import Report
from tests.oracle.identity import partition_of
from tests.oracle.model import Event, Placed, Record, Verdict
from tests.oracle.workspace import meta_schema

META = fastavro.parse_schema(meta_schema())


class Journal:
    """The journal decoded: events and requests with their places, and all ``entries`` of each partition in order: an
    event, the hash of a ruleset that was activated, or the time of a tick."""

    def __init__(self, records: list[Record], schemas: dict[int, Any], report: Report) -> None:
        own = wire.output_schemas()
        self.events: list[tuple[Placed, Record]] = []
        self.entries: dict[int, list[tuple[int, Placed | str | int]]] = defaultdict(list)
        hashes: dict[str, set[int]] = defaultdict(set)
        schemas = {**schemas, **{made: (name, 1, own[made]) for made, name in wire.REQUESTS.items()}}
        for record in sorted(records, key=lambda one: (one.partition, one.offset)):
            schema_id, body = wire.unframe(record.value, record.where)
            entries = self.entries[record.partition]
            if schema_id == wire.RULESET_ACTIVATED:
                entries.append((record.offset, wire.decode(body, own[schema_id], record.where)["ruleset"]))
            elif schema_id == wire.TICK:
                due = wire.decode(body, own[schema_id], record.where)["due"]
                entries.append((record.offset, min(due, record.timestamp)))
            elif schema_id in schemas:
                name, version, schema = schemas[schema_id]
                event, meta = wire.event_of(name, version, wire.decode(body, schema, record.where))
                hashes[event.content()].add(meta["content_hash"])
                if meta["content_hash"] != _content_hash(schema_id, body):
                    report.wrong.append(f"journal {record.where}: content_hash {meta['content_hash']}")
                placed = Placed(event, record.partition, record.offset)
                self.events.append((placed, record))
                entries.append((record.offset, placed))
            else:
                report.wrong.append(f"journal {record.where}: schema id {schema_id} is in no catalog")
        self._check_hashes(hashes, report)

    def _check_hashes(self, hashes: dict[str, set[int]], report: Report) -> None:
        """One content, one hash, and no two contents share one."""
        shared = Counter(one for found in hashes.values() for one in found)
        for content, found in hashes.items():
            if len(found) > 1 or any(shared[one] > 1 for one in found):
                report.wrong.append(f"content_hash {sorted(found)} of {content} does not stand for its content")


def _content_hash(schema_id: int, body: bytes) -> int:
    """xxh3-64, signed, over the schema id and what follows meta, bytes as they are."""
    stream = BytesIO(body)
    fastavro.schemaless_reader(stream, META, None)
    rest = body[stream.tell() :]
    return int.from_bytes(xxh3_64_digest(schema_id.to_bytes(4, "big") + rest), "big", signed=True)


def check_journal(report: Report, journal: Journal, verdicts: list[tuple[Record, Verdict]]) -> None:
    due = [(record, verdict) for record, verdict in verdicts if isinstance(verdict, Event)]
    report.texts(
        "journal", [(placed.event.canonical(), record.where) for placed, record in journal.events],
        [event.canonical() for _, event in due],
    )  # fmt: skip
    partitions = 1 + max((record.partition for _, record in journal.events), default=0)
    partitions = max(partitions, len(journal.entries))
    for placed, record in journal.events:
        entity = placed.event.entity
        if record.key != entity.encode():
            report.wrong.append(f"journal {record.where}: key {record.key!r}, expected {entity!r}")
        elif record.partition != partition_of(record.key, partitions):
            report.wrong.append(f"journal {record.where}: {entity} belongs in {partition_of(record.key, partitions)}")
        if record.headers:
            report.wrong.append(f"journal {record.where}: headers {record.headers}")
    _check_order(report, journal, due)


def _check_order(report: Report, journal: Journal, due: list[tuple[Record, Event]]) -> None:
    """Events of one entity that came by one raw partition stand in the journal in the order in which they came."""
    came: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    for record, event in due:
        came[event.entity, record.topic, record.partition].append(event.canonical())
    stand: dict[str, list[str]] = defaultdict(list)
    for placed, _ in journal.events:
        stand[placed.event.entity].append(placed.event.canonical())
    for (entity, topic, partition), texts in came.items():
        there, rest = set(stand[entity]), iter(stand[entity])
        if not all(text in rest for text in texts if text in there):
            report.wrong.append(f"journal: events of {entity} from {topic}[{partition}] are out of order")

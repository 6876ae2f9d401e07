"""One raw record to one outcome: a journal record, a dead letter, or a switched-off system event. Never an exception.

The reasons are judged in the order of docs/formats.md, Dead letters: the first that holds is the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from offerflow.catalog.view import Source
from offerflow.rules.ids import make_id
from offerflow.rules.nearest import did_you_mean
from offerflow.runtime import metrics
from offerflow.runtime.kafka.consumer import Record
from schemas.announce import rfc3339
from schemas.codec import EventEncoder
from schemas.dead_letter import DeadLetter
from schemas.envelope import MAX_RAW_BYTES, TYPED, Envelope, Undecodable, decode
from schemas.judge import judge
from schemas.plan import EventSchema, Plan
from schemas.values import TIMES, parse_time
from schemas.violations import Violation, show

CLOCK_SKEW_MS = 5 * 60 * 1000


class Emit(msgspec.Struct, frozen=True, gc=False):
    """A valid event: its entity as the journal key, the framed Avro value, and its display name."""

    key: bytes
    value: bytes
    event: str


class Skip(msgspec.Struct, frozen=True, gc=False):
    """A system event whose tracking is off for its source: counted and dropped."""

    event: str


Outcome = Emit | Skip | DeadLetter


@dataclass(frozen=True, slots=True)
class Channel:
    """A raw topic: its short name, Kafka's id of it, the origin it is for, and its only source if it has just one."""

    name: str
    topic_id: str
    origin: str
    default_source: str | None


class Step:
    """Everything judging needs, compiled once per view of the catalog. ``channels`` by full topic name."""

    def __init__(self, plan: Plan, sources: Mapping[str, Source], channels: Mapping[str, Channel]) -> None:
        self._plan = plan
        self._sources = sources
        self._channels = channels
        self._encoders = {schema.id: EventEncoder(schema.id) for schema in plan.newest.values()}
        self._off = frozenset(
            (source.id, plan.by_name[name].name)
            for source in sources.values()
            for name, on in source.system_events.items()
            if not on and name in plan.by_name and plan.by_name[name].system
        )
        self._stripped = {
            schema.name: metrics.unplanned_properties.labels(schema.names[0]).inc for schema in plan.newest.values()
        }

    def __call__(self, record: Record) -> Outcome:
        value = record.value()
        if value is not None and len(value) > MAX_RAW_BYTES:
            return DeadLetter("too_large", f"{len(value)} bytes, expected at most {MAX_RAW_BYTES}")
        for name, _ in record.headers() or ():
            if name.startswith("ce_"):
                detail = f"a binary CloudEvents record (header {name!r}) is not accepted on raw topics yet"
                return DeadLetter("undecodable", detail)
        try:
            envelope = decode(value)
            time = _time_of(envelope)
        except Undecodable as error:
            return DeadLetter(
                "undecodable",
                str(error),
                field=error.field,
                expected=error.expected,
                got=error.got,
                event=error.event,
                source=error.source,
            )
        appended = record.timestamp()[1]
        return self._judge(record, envelope, appended if time is None else time, appended)

    def _judge(self, record: Record, envelope: Envelope, time: int, appended: int) -> Outcome:
        channel = self._channels[record.topic()]
        source_id = envelope.source or channel.default_source
        source = self._sources.get(source_id) if source_id else None
        name = TYPED.get(envelope.type or "track", envelope.event)
        if source is None:
            return DeadLetter("unknown_source", self._no_source(source_id, channel), event=name, source=source_id)
        schema = self._plan.by_name.get(name or "")
        if schema is None:
            detail = f"the event plan has no event {name!r}{self._plan.nearest(name or '')}"
            return DeadLetter("unknown_event", detail, event=name, source=source.id)
        forbidden = _forbidden(source, channel, schema)
        if forbidden:
            return DeadLetter("origin_forbidden", forbidden, event=name, source=source.id, schema_id=schema.id)
        if self._off and (source.id, schema.name) in self._off:
            return Skip(schema.names[0])
        if not envelope.user_id and not envelope.anonymous_id:
            detail = "expected user_id or anonymous_id, got neither"
            return DeadLetter("missing_user", detail, event=name, source=source.id, schema_id=schema.id)
        if time > appended + CLOCK_SKEW_MS:
            expected = f"at most 5 minutes after {rfc3339(appended)}, when the record was received"
            return DeadLetter(
                "clock_skew",
                f"time: expected {expected}, got {rfc3339(time)}",
                field="time",
                expected=expected,
                got=rfc3339(time),
                event=name,
                source=source.id,
                schema_id=schema.id,
            )
        properties = envelope.properties or {}
        if envelope.type == "alias" and envelope.previous_id is not None:
            properties = {**properties, "previous_id": envelope.previous_id}
        try:
            judged = judge(schema, properties, self._stripped[schema.name])
        except Violation as violation:
            return _violated(violation, name, source, schema)
        event_id = envelope.event_id or make_id(channel.topic_id, str(record.partition()), str(record.offset()))
        key = f"u:{envelope.user_id}" if envelope.user_id else f"a:{envelope.anonymous_id}"
        value = self._encoders[schema.id].encode(
            event_id, envelope.user_id, envelope.anonymous_id, time, appended, source.id, source.origin, judged
        )
        return Emit(key.encode(), value, schema.names[0])

    def _no_source(self, source_id: str | None, channel: Channel) -> str:
        if source_id is None:
            return f"the record names no source and {channel.name} has not exactly one; expected one in source"
        return f"there is no source {source_id!r}{did_you_mean(source_id, self._sources)}"


def _time_of(envelope: Envelope) -> int | None:
    time = envelope.time
    if time is None:
        return None
    moment = parse_time(time) if isinstance(time, str) else time
    if moment is None or moment not in TIMES:
        expected, got = "RFC 3339 with an offset, or integer milliseconds, of the years 1 to 9999", show(time)
        readable = {"event": envelope.event, "source": envelope.source}
        raise Undecodable(f"time: expected {expected}, got {got}", readable, ("time", expected, got))
    return moment


def _forbidden(source: Source, channel: Channel, schema: EventSchema) -> str | None:
    if source.origin != channel.origin:
        return f"source {source.id!r} has the origin {source.origin}, but {channel.name} is for {channel.origin}"
    if source.origin not in schema.origins:
        allowed = ", ".join(sorted(schema.origins))
        return f"{schema.names[0]!r} is expected from {allowed}, got it from {source.origin} (source {source.id!r})"
    return None


def _violated(violation: Violation, name: str | None, source: Source, schema: EventSchema) -> DeadLetter:
    return DeadLetter(
        "rule_of_plan_violation" if violation.of_plan else "schema_violation",
        str(violation),
        field=violation.field,
        expected=violation.expected,
        got=violation.got,
        event=name,
        source=source.id,
        schema_id=schema.id,
    )

"""One raw record to one outcome: a journal record, a dead letter, or a switched-off system event. Never an exception.

The reasons are judged in the order of docs/formats.md, Dead letters: the first that holds is the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import msgspec

from offerflow.catalog.view import Source
from offerflow.rules.ids import make_id
from offerflow.rules.nearest import Nearest
from offerflow.runtime.kafka.consumer import Record
from schemas import avro
from schemas.announce import rfc3339
from schemas.canonical import FramedReader
from schemas.channels import Channel
from schemas.cloudevents import CloudEnvelope
from schemas.codec import FRAME, EventEncoder, sender
from schemas.dead_letter import AFTER_ORIGIN, DeadLetter
from schemas.envelope import MAX_RAW_BYTES, TYPED, Envelope, Headers, Undecodable
from schemas.framed import NOBODY, Body
from schemas.judge import judge
from schemas.plan import EventSchema, Plan
from schemas.raw import read
from schemas.reading import Misread
from schemas.refused import refused_of
from schemas.replay import REPLAY
from schemas.requests import PREFIX, REQUESTS_BY_ID, REQUESTS_BY_NAME, nearest_request
from schemas.retold import Origin, origin_of
from schemas.values import TIMES, parse_time
from schemas.violations import Violation, show

CLOCK_SKEW_MS = 5 * 60 * 1000


class Emit(msgspec.Struct, frozen=True, gc=False):
    """A valid event: its entity as the journal key, the framed Avro value, its display name and its source's id."""

    key: bytes
    value: bytes
    event: str
    source: str


class Skip(msgspec.Struct, frozen=True, gc=False):
    """A system event whose tracking is off for its source: counted and dropped."""

    event: str
    source: str


Outcome = Emit | Skip | DeadLetter


class _Place(Protocol):
    """Where a record lies, or lay first: a Record is one."""

    def partition(self) -> int: ...
    def offset(self) -> int: ...


class _Written(msgspec.Struct, frozen=True, gc=False):
    """What judges framed records of one schema: itself, and the newest version of its event type."""

    schema: EventSchema
    newest: EventSchema
    read: FramedReader
    encoder: EventEncoder


def _nobody_asks(_: int) -> None:
    """What becomes of a count that is of no interest."""


class Step:
    """Everything judging needs, compiled once per view of the catalog. ``channels`` by full topic name.

    ``schema_ids`` gives our schema id for the one that a framed record carries, None for one that nobody registered;
    by default they are the same. It may raise DependencyDown, and then nothing was judged. ``stripped`` is told the
    display name of an event and how many unplanned properties were left out of it.
    """

    def __init__(
        self, plan: Plan, sources: Mapping[str, Source], channels: Mapping[str, Channel],
        schema_ids: Callable[[int], int | None] | None = None, stripped: Callable[[str, int], None] | None = None,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._sources = sources
        self._channels = channels
        self._schema_ids = schema_ids
        judged = (*plan.newest.values(), *REQUESTS_BY_NAME.values())
        self._encoders = {schema.id: EventEncoder(schema.id) for schema in judged}
        self._written: dict[bytes, _Written] = {}
        # The same for records of the journal, whose ids are ours whatever registry senders use.
        self._own: dict[bytes, _Written] = {}
        self._nearest_source = Nearest(sources)
        self._senders = {source.id: sender(source.id, source.origin) for source in sources.values()}
        self._off = frozenset(
            (source.id, plan.by_name[name].name)
            for source in sources.values()
            for name, on in source.system_events.items()
            if not on and name in plan.by_name and plan.by_name[name].system
        )
        self._stripped: dict[str, Callable[[int], None]] = {
            schema.name: _nobody_asks if stripped is None else partial(stripped, schema.names[0]) for schema in judged
        }

    def __call__(self, record: Record) -> Outcome:
        value = record.value()
        if value is not None and len(value) > MAX_RAW_BYTES:
            return DeadLetter("too_large", f"{len(value)} bytes, expected at most {MAX_RAW_BYTES}")
        channel = self._channels[record.topic()]
        headers = record.headers()
        if channel.origin is None:
            outcome = self._again(record, value, channel, headers)
        else:
            appended = record.timestamp()[1]
            outcome = self._form(record, channel, value, headers, appended, appended, "normal")
        return _permitted(outcome, headers, channel) if headers else outcome

    def _again(self, record: Record, value: bytes | None, channel: Channel, headers: Headers | None) -> Outcome:
        """A record that was somewhere else before, as if it were still there."""
        try:
            origin = origin_of(headers)
        except Undecodable as error:
            return _undecodable(error)
        first = self._channels.get(origin.topic)
        if origin.topic == record.topic().removesuffix(channel.name) + "journal":
            first = Channel("journal", "", None, None)
        elif first is None or first.origin is None:
            return self._gone(origin, value, headers)
        return self._form(origin, first, value, headers, origin.appended, origin.received_at, "ignore")

    def _gone(self, origin: Origin, value: bytes | None, headers: Headers | None) -> DeadLetter:
        """A record of a topic that no source names any more: what comes before the source is judged all the same."""
        nowhere = Channel(origin.topic, origin.topic, "", None)
        outcome = self._form(origin, nowhere, value, headers, origin.appended, origin.received_at, "ignore")
        if isinstance(outcome, DeadLetter) and outcome.reason in ("undecodable", "unknown_schema"):
            return outcome
        detail = f"no source names the topic {origin.topic!r} any more, where this record was first"
        return DeadLetter("unknown_source", detail, event=outcome.event)

    def _form(
        self, place: _Place, channel: Channel, value: bytes | None, headers: Headers | None, appended: int,
        received_at: int, lateness: str,
    ) -> Outcome:  # fmt: skip
        if value and value[0] == 0:
            return self._framed(place, channel, value, appended, received_at, lateness)
        if channel.origin is None:
            return DeadLetter(
                "undecodable", "expected the record of the journal that this was, Avro in Confluent wire format"
            )
        try:
            envelope = read(value, headers)
            time = _time_of(envelope)
        except Undecodable as error:
            return _undecodable(error)
        return self._envelope(
            place, channel, envelope, appended if time is None else time, appended, received_at, lateness
        )

    # -- JSON of any form -------------------------------------------------------------------------------------------

    def _envelope(
        self, place: _Place, channel: Channel, envelope: Envelope, time: int, appended: int, received_at: int,
        lateness: str,
    ) -> Outcome:  # fmt: skip
        source_id = envelope.source or channel.default_source
        source = self._sources.get(source_id) if source_id else None
        if source is None and type(envelope) is CloudEnvelope:
            source = self._sources.get(channel.default_source or "")
        name = TYPED.get(envelope.type or "track", envelope.event)
        if source is None:
            return DeadLetter("unknown_source", self._no_source(source_id, channel), event=name, source=source_id)
        schema = self._plan.by_name.get(name or "") or REQUESTS_BY_NAME.get(name or "")
        if schema is None:
            return DeadLetter("unknown_event", self._no_event(name or ""), event=name, source=source.id)
        user_id, anonymous_id = envelope.user_id, envelope.anonymous_id
        somebody = bool(user_id or anonymous_id)
        if (
            source.origin != channel.origin
            or source.origin not in schema.origins
            or (self._off and (source.id, schema.name) in self._off)
            or not somebody
            or time > appended + CLOCK_SKEW_MS
        ):
            return self._refused(source, channel, schema, somebody, time, appended, name, schema.id)
        properties = envelope.properties or {}
        if envelope.type == "alias" and envelope.previous_id is not None:
            properties = {**properties, "previous_id": envelope.previous_id}
        try:
            judged = judge(schema, properties, self._stripped[schema.name], source.origin)
        except Violation as violation:
            return _violated(violation, name, source, schema.id)
        event_id = envelope.event_id or _default_id(channel, place)
        key = f"u:{user_id}" if user_id else f"a:{anonymous_id}"
        value = self._encoders[schema.id].encode(
            event_id, user_id, anonymous_id, time, received_at, source.id, source.origin, judged, lateness
        )
        return Emit(key.encode(), value, schema.names[0], source.id)

    def _no_event(self, name: str) -> str:
        if name.startswith(PREFIX):
            return f"there is no request {name!r}{nearest_request(name)}"
        if not self._plan.newest:
            return f"the event plan is empty, so {name!r} is not in it; `offerflow apply DIR` puts one in force"
        return f"the event plan has no event {name!r}{self._plan.nearest(name)}"

    def _no_source(self, source_id: str | None, channel: Channel) -> str:
        if source_id is None:
            return f"the record names no source and {channel.name} has not exactly one; expected one in source"
        return f"there is no source {source_id!r}{self._nearest_source(source_id)}"

    # -- framed Avro ------------------------------------------------------------------------------------------------

    def _framed(
        self, place: _Place, channel: Channel, value: bytes, appended: int, received_at: int, lateness: str
    ) -> Outcome:
        known = self._written if channel.origin is not None else self._own
        written = known.get(value[1:FRAME]) or self._registered(value, known)
        if isinstance(written, DeadLetter):
            return written
        schema, newest = written.schema, written.newest
        name = newest.names[0]
        try:
            body = written.read(value) if channel.origin is not None else written.read.whole(value)
        except Misread as error:
            return DeadLetter(
                "undecodable",
                f"not a {name!r} of schema id {schema.id}: {error}",
                field=error.field,
                expected=error.expected,
                got=error.got,
                event=name,
                schema_id=schema.id,
            )
        source_id = channel.default_source or body.source.decode()
        source = self._sources.get(source_id)
        if body.origin is not None and channel.origin is None:
            # Of the journal, which holds nothing but what was judged before.
            channel = Channel(channel.name, channel.topic_id, body.origin, None)
            source, received_at = Source(source_id, body.origin), body.received_at
        if source is None:
            return DeadLetter(
                "unknown_source", self._no_source(source_id or None, channel), event=name, source=source_id or None,
                schema_id=schema.id,
            )  # fmt: skip
        somebody = body.user_id != NOBODY or body.anonymous_id != NOBODY
        if (
            source.origin != channel.origin
            or source.origin not in newest.origins
            or (self._off and (source.id, newest.name) in self._off)
            or not somebody
            or body.time > appended + CLOCK_SKEW_MS
        ):
            return self._refused(source, channel, newest, somebody, body.time, appended, name, schema.id)
        violation = body.violation or body.verdict(source.origin)
        if violation is not None:
            return _violated(violation, name, source, schema.id)
        return self._emit(place, channel, body, written, source, received_at, lateness)

    def _emit(
        self, place: _Place, channel: Channel, body: Body, written: _Written, source: Source, received_at: int,
        lateness: str,
    ) -> Emit:  # fmt: skip
        event_id, user_id = body.event_id, body.user_id
        if event_id == NOBODY:
            event_id = avro.string(_default_id(channel, place))
        key = b"u:" + avro.content(user_id[1:]) if user_id != NOBODY else b"a:" + avro.content(body.anonymous_id[1:])
        journal = channel.name == "journal"
        sent_by = sender(source.id, source.origin) if journal else self._senders[source.id]
        value = written.encoder.join(
            event_id, user_id, body.anonymous_id, body.encoded_time, received_at, sent_by, body.properties, lateness,
        )  # fmt: skip
        return Emit(key, value, written.newest.names[0], source.id)

    def _registered(self, value: bytes, known: dict[bytes, _Written]) -> _Written | DeadLetter:
        """What judges the schema id of a frame; kept, since an id never changes its meaning."""
        if len(value) < FRAME:
            detail = f"expected a zero byte and a schema id of 4 bytes, got {len(value)} bytes"
            return DeadLetter("undecodable", detail)
        number = int.from_bytes(value[1:FRAME], "big")
        ours = number if self._schema_ids is None or known is self._own else self._schema_ids(number)
        schema = self._plan.in_force.get(ours) if ours is not None else None
        if schema is None and known is self._own:
            schema = REQUESTS_BY_ID.get(number)
        if schema is None:
            return self._unknown_schema(number, ours)
        newest = self._plan.newest.get(schema.name, schema)
        made = _Written(schema, newest, FramedReader(schema), EventEncoder(schema.id))
        known[value[1:FRAME]] = made
        return made

    def _unknown_schema(self, number: int, ours: int | None) -> DeadLetter:
        gone = self._plan.by_id.get(ours) if ours is not None else None
        detail = f"no event schema has the id {number}; apply the schema, then write with the id it was given"
        if gone is not None:
            detail = f"the schema id {number} was {gone.name} version {gone.version}, which is not in force any more"
        # The field is an Avro int; ids have 32 bits without a sign.
        shown = number if number < 1 << 31 else None
        return DeadLetter("unknown_schema", detail, event=gone.names[0] if gone else None, schema_id=shown)

    # -- what every form is refused for -------------------------------------------------------------------------------

    def _refused(
        self, source: Source, channel: Channel, newest: EventSchema, somebody: bool, time: int, appended: int,
        name: str | None, schema_id: int,
    ) -> Skip | DeadLetter:  # fmt: skip
        """Why the event goes no further, one of these being so; before anybody looks at its properties."""
        forbidden = _forbidden(source, channel, newest)
        if forbidden:
            return DeadLetter("origin_forbidden", forbidden, event=name, source=source.id, schema_id=schema_id)
        if (source.id, newest.name) in self._off:
            return Skip(newest.names[0], source.id)
        if not somebody:
            detail = "expected user_id or anonymous_id, got neither"
            return DeadLetter("missing_user", detail, event=name, source=source.id, schema_id=schema_id)
        expected = f"at most 5 minutes after {rfc3339(appended)}, when the record was received"
        return DeadLetter(
            "clock_skew",
            f"time: expected {expected}, got {rfc3339(time)}",
            field="time",
            expected=expected,
            got=rfc3339(time),
            event=name,
            source=source.id,
            schema_id=schema_id,
        )


def _default_id(channel: Channel, place: _Place) -> str:
    return make_id(channel.topic_id, str(place.partition()), str(place.offset()))


def _permitted(outcome: Outcome, headers: Headers, channel: Channel) -> Outcome:
    """The outcome, unless the edge took the event under a key that may not send it."""
    refused = refused_of(headers, replayed=channel.name == REPLAY)
    if refused is None:
        return outcome
    schema_id = int.from_bytes(outcome.value[1:FRAME], "big") if isinstance(outcome, Emit) else None
    if isinstance(outcome, DeadLetter):
        if outcome.reason not in AFTER_ORIGIN:
            return outcome
        schema_id = outcome.schema_id
    return DeadLetter(refused.reason, refused.detail, event=outcome.event, source=outcome.source, schema_id=schema_id)


def _undecodable(error: Undecodable) -> DeadLetter:
    return DeadLetter(
        "undecodable",
        str(error),
        field=error.field,
        expected=error.expected,
        got=error.got,
        event=error.event,
        source=error.source,
    )


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
        return (
            f"source {source.id!r} has the origin {source.origin}, but {channel.name} is for {channel.origin};"
            f" send it to raw.{source.origin}, or as a source of the origin {channel.origin}"
        )
    if source.origin not in schema.origins:
        allowed = ", ".join(sorted(schema.origins))
        return (
            f"{schema.names[0]!r} is expected from {allowed}, got it from {source.origin} (source {source.id!r});"
            " send it as a source of such an origin, or plan it for this one too"
        )
    return None


def _violated(violation: Violation, name: str | None, source: Source, schema_id: int) -> DeadLetter:
    return DeadLetter(
        "rule_of_plan_violation" if violation.of_plan else "schema_violation", str(violation), field=violation.field,
        expected=violation.expected, got=violation.got, event=name, source=source.id, schema_id=schema_id,
    )  # fmt: skip

"""The verdict on one raw record, reason by reason in the order of the contract."""

from __future__ import annotations

import json
from typing import Any

from tests.oracle.forms import Said, UndecodableError, UnknownSchemaError, read
from tests.oracle.identity import identifier
from tests.oracle.limits import broken, kept, not_finite
from tests.oracle.model import Dead, Dropped, Event, Record, Verdict
from tests.oracle.replayed import NoOriginError, Place, place_of
from tests.oracle.shape import MisfitError, bare, extra, fit_field
from tests.oracle.workspace import EventType, Source, Workspace

LARGEST = 1024 * 1024
AHEAD = 5 * 60 * 1000


class _UnusableError(Exception):
    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.dead = Dead(reason, why)


def judge(record: Record, plan: Workspace, prefix: str) -> Verdict:
    """Event, dead letter or (for system events switched off) nothing."""
    try:
        if len(record.value or b"") > LARGEST:
            raise _UnusableError("too_large", f"{len(record.value or b'')} bytes")
        place = place_of(record, plan, prefix)
        said = read(record, plan)
        if place.topic == "journal" and said.version is None:
            raise UndecodableError("the journal holds nothing but Avro")
        return _judge(said, place, plan, refused=_is_refused(record, prefix))
    except _UnusableError as unusable:
        return unusable.dead
    except (UndecodableError, NoOriginError) as error:
        return Dead("undecodable", str(error))
    except UnknownSchemaError as error:
        return Dead("unknown_schema", str(error))


def _judge(said: Said, place: Place, plan: Workspace, *, refused: bool) -> Verdict:
    record = place.record
    source = _source(said, plan, place.topic)
    newest = plan.newest(said.version.name) if said.version else plan.types.get(said.name)
    if newest is None:
        raise _UnusableError("unknown_event", said.name)
    planned = said.version or newest
    _check_origin(source, newest, place.topic, plan)
    if refused:
        raise _UnusableError("origin_forbidden", "the edge took it with a key that may not send it")
    if newest.system and source.switched_off & set(newest.names):
        return Dropped(f"{source.id} has {newest.names[0]} switched off")
    if said.user is None and said.anonymous is None:
        raise _UnusableError("missing_user", "neither user_id nor anonymous_id")
    time = record.timestamp if said.time is None else said.time
    if time > record.timestamp + AHEAD:
        raise _UnusableError("clock_skew", f"{time} is beyond {record.timestamp}")
    tree, came = _typed(planned, said)
    wrong = broken(planned, tree, came, source.origin)
    if wrong:
        raise _UnusableError("rule_of_plan_violation", wrong)
    made = identifier(record.topic_id, str(record.partition), str(record.offset))
    received_at = said.meta["received_at"] if place.topic == "journal" else place.received_at
    return Event(
        planned.name, planned.version, said.event_id or made, said.user, said.anonymous, time, received_at,
        source.id, source.origin, bare(kept(planned.fields, tree)), place.lateness,
    )  # fmt: skip


def _is_refused(record: Record, prefix: str) -> bool:
    """Whether the edge marked it; to send it again permits it, unless the mark is for good or cannot be read."""
    marks = [value for name, value in record.headers if name == "of-refused"]
    if not marks:
        return False
    try:
        mark = json.loads((marks[0] or b"").decode("utf-8"))
        readable = isinstance(mark["reason"], str) and isinstance(mark["detail"], str)
        final = mark.get("final", False)
    except (ValueError, KeyError, TypeError, AttributeError):
        return True
    return not (readable and final is False and record.topic == prefix + "raw.replay")


def _source(said: Said, plan: Workspace, topic: str) -> Source:
    if topic == "journal":
        declared = plan.sources.get(said.meta["source"])
        off = declared.switched_off if declared else frozenset()
        return Source(said.meta["source"], said.meta["origin"], (), off)
    named = plan.sources.get(said.source) if said.source else None
    only = plan.only_source_of(topic)
    match said.form:
        case "native":
            source = named if said.source else only
        case "avro":
            source = only or named
        case _:
            source = named or only
    if source is None or plan.origin_of(topic) is None:
        raise _UnusableError("unknown_source", said.source or f"no single source is declared with {topic}")
    return source


def _check_origin(source: Source, planned: EventType, topic: str, plan: Workspace) -> None:
    if topic != "journal" and source.origin != plan.origin_of(topic):
        raise _UnusableError("origin_forbidden", f"{source.id} is {source.origin}, which {topic} does not take")
    if source.origin not in planned.origins:
        raise _UnusableError("origin_forbidden", f"{planned.names[0]} does not come from {source.origin}")


def _typed(planned: EventType, said: Said) -> tuple[dict[str, Any], set[str]]:
    """The properties in their types, and the names of those that were sent."""
    if said.version:
        wrong = not_finite(planned.fields, said.tree)
        if wrong:
            raise _UnusableError("schema_violation", wrong)
        return said.tree, set(said.tree)
    known = {one["name"] for one in planned.fields}
    unplanned = {name: value for name, value in said.properties.items() if name not in known}
    closed = planned.unplanned == "dead-letter"
    try:
        fitted = {one["name"]: fit_field(said.properties, one, closed=closed) for one in planned.fields}
        if unplanned and planned.unplanned == "allow":
            fitted |= {"extra": _with_extra(planned, said.properties, fitted, unplanned)}
    except MisfitError as misfit:
        raise _UnusableError("schema_violation", str(misfit)) from None
    if unplanned and closed:
        raise _UnusableError("schema_violation", f"unplanned: {sorted(unplanned)}")
    return fitted, set(said.properties)


def _with_extra(planned: EventType, came: dict[str, Any], fitted: dict[str, Any], unplanned: dict[str, Any]) -> Any:
    field = next(one for one in planned.fields if one["name"] == "extra")
    return fit_field({**came, "extra": {**(bare(fitted["extra"]) or {}), **extra(unplanned)}}, field)

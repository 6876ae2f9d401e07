"""The verdict on one raw record, reason by reason in the order of the contract."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.oracle.identity import identifier
from tests.oracle.model import Dead, Dropped, Event, Record, Verdict
from tests.oracle.shape import MisfitError, extra, fit_field, milliseconds
from tests.oracle.workspace import EventType, Source, Workspace

LARGEST = 1024 * 1024
LONGEST_ID = 512
DEEPEST = 16
AHEAD = 5 * 60 * 1000
NAMED_BY_TYPE = {
    "identify": "Identified",
    "alias": "Aliased",
    "page": "Page Viewed",
    "screen": "Screen Viewed",
    "group": "Group Joined",
}
READ = (
    "event",
    "user_id",
    "anonymous_id",
    "event_id",
    "time",
    "source",
    "type",
    "previous_id",
    "properties",
    "specversion",
)
_TEXTS = ("event", "user_id", "anonymous_id", "event_id", "source", "type", "previous_id")


class _UnusableError(Exception):
    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.dead = Dead(reason, why)


def judge(record: Record, plan: Workspace, prefix: str) -> Verdict:
    """Event, dead letter or (for system events switched off) nothing."""
    try:
        return _judge(record, plan, record.topic.removeprefix(prefix))
    except _UnusableError as unusable:
        return unusable.dead


def _judge(record: Record, plan: Workspace, topic: str) -> Verdict:
    if len(record.value or b"") > LARGEST:
        raise _UnusableError("too_large", f"{len(record.value or b'')} bytes")
    envelope = _envelope(record)
    source = _source(envelope, plan, topic)
    name = _name(envelope)
    planned = plan.types.get(name)
    if planned is None:
        raise _UnusableError("unknown_event", name)
    _check_origin(source, planned, topic, plan.origin_of(topic))
    if planned.system and source.switched_off & set(planned.names):
        return Dropped(f"{source.id} has {planned.names[0]} switched off")
    user, anonymous = envelope.get("user_id") or None, envelope.get("anonymous_id") or None
    if user is None and anonymous is None:
        raise _UnusableError("missing_user", "neither user_id nor anonymous_id")
    time = _time(envelope, record.timestamp)
    if time > record.timestamp + AHEAD:
        raise _UnusableError("clock_skew", f"{time} is beyond {record.timestamp}")
    properties = dict(envelope.get("properties") or {})
    if envelope.get("type") == "alias" and envelope.get("previous_id") is not None:
        properties["previous_id"] = envelope["previous_id"]
    fitted = _fitted(planned, properties)
    _check_rules(planned, fitted, properties)
    kept = {one["name"]: None if one.get("pii") else fitted[one["name"]] for one in planned.fields}
    made = identifier(record.topic_id, str(record.partition), str(record.offset))
    return Event(
        planned.name, planned.version, envelope.get("event_id") or made, user, anonymous,
        time, record.timestamp, source.id, source.origin, kept,
    )  # fmt: skip


def _envelope(record: Record) -> dict[str, Any]:
    if any(name.startswith("ce_") for name, _ in record.headers):
        raise _UnusableError("undecodable", "a binary CloudEvent")
    try:
        envelope = json.loads((record.value or b"").decode("utf-8"), parse_constant=_no_constant)
        if isinstance(envelope, dict):
            "".join(envelope).encode("utf-8")
            envelope = {name: envelope[name] for name in READ if name in envelope}
        # Half a surrogate pair is no text, and a number beyond any double is none; nobody reads the other members.
        json.dumps(envelope, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise _UnusableError("undecodable", f"not JSON: {error}") from None
    if not isinstance(envelope, dict):
        raise _UnusableError("undecodable", "not an object")
    if envelope.get("specversion") is not None:
        raise _UnusableError("undecodable", "a structured CloudEvent")
    for name in _TEXTS:
        if not isinstance(envelope.get(name), str | None):
            raise _UnusableError("undecodable", f"{name} is not a text")
    if not isinstance(envelope.get("properties"), dict | None):
        raise _UnusableError("undecodable", "properties is not an object")
    for name in ("event_id", "user_id", "anonymous_id"):
        if len(envelope.get(name) or "") > LONGEST_ID:
            raise _UnusableError("undecodable", f"{name} is too long")
    if _deeper(envelope.get("properties"), DEEPEST):
        raise _UnusableError("undecodable", "properties are too deep")
    kind = envelope.get("type")
    if kind is not None and kind != "track" and kind not in NAMED_BY_TYPE:
        raise _UnusableError("undecodable", f"no such type: {kind}")
    if kind in (None, "track") and not envelope.get("event"):
        raise _UnusableError("undecodable", "no event")
    _time(envelope, 0)
    return envelope


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is not None and (levels == 0 or any(_deeper(one, levels - 1) for one in inner))


def _time(envelope: dict[str, Any], default: int) -> int:
    time = envelope.get("time")
    if time is None:
        return default
    moment = milliseconds(time) if isinstance(time, str) else time
    if isinstance(moment, bool) or not isinstance(moment, int) or not -62135596800000 <= moment <= 253402300799999:
        raise _UnusableError("undecodable", "time is neither RFC 3339 nor milliseconds")
    return moment


def _name(envelope: dict[str, Any]) -> str:
    return NAMED_BY_TYPE.get(envelope.get("type") or "track") or str(envelope["event"])


def _source(envelope: dict[str, Any], plan: Workspace, topic: str) -> Source:
    said = envelope.get("source")
    source = plan.sources.get(said) if said else plan.only_source_of(topic)
    if source is None:
        raise _UnusableError("unknown_source", said or f"no single source is declared with {topic}")
    return source


def _check_origin(source: Source, planned: EventType, topic: str, origin: str) -> None:
    if source.origin != origin:
        raise _UnusableError("origin_forbidden", f"{source.id} is {source.origin}, which {topic} does not take")
    if source.origin not in planned.origins:
        raise _UnusableError("origin_forbidden", f"{planned.names[0]} does not come from {source.origin}")


def _fitted(planned: EventType, properties: dict[str, Any]) -> dict[str, Any]:
    known = {one["name"] for one in planned.fields}
    unplanned = {name: value for name, value in properties.items() if name not in known}
    try:
        fitted = {one["name"]: fit_field(properties, one) for one in planned.fields}
    except MisfitError as misfit:
        raise _UnusableError("schema_violation", str(misfit)) from None
    if unplanned and planned.unplanned == "dead-letter":
        raise _UnusableError("schema_violation", f"unplanned: {sorted(unplanned)}")
    if planned.unplanned == "allow":
        fitted["extra"] = {**(fitted["extra"] or {}), **extra(unplanned)}
    return fitted


def _check_rules(planned: EventType, values: dict[str, Any], came: dict[str, Any]) -> None:
    for one in planned.fields:
        value = values[one["name"]]
        if value is None:
            continue
        if ("minimum" in one and value < one["minimum"]) or ("maximum" in one and value > one["maximum"]):
            raise _UnusableError("rule_of_plan_violation", f"{one['name']} is out of range")
        if "pattern" in one and not re.search(one["pattern"], value):
            raise _UnusableError("rule_of_plan_violation", f"{one['name']} does not match")
    for name in planned.unique:
        if came.get(name) is None:
            raise _UnusableError("rule_of_plan_violation", f"{name} is part of the unique key and absent")

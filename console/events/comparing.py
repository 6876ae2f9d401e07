"""What was sent beside what was stored, and each difference named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from console.dead_letters.document import Unreadable, read_document
from console.dead_letters.masking import HIDDEN, Personal, mask
from console.events.arrivals import Arrival
from console.events.stored import Stored
from console.events.verdicts import Verdict
from console.events.world import World
from schemas.announce import rfc3339
from schemas.envelope import Undecodable
from schemas.plan import EventSchema
from schemas.raw import is_framed, read
from schemas.values import parse_time

STRIPPED, CONVERTED, DEFAULT, PII = "stripped", "converted", "default", "pii, not stored"
CORRECTED, ARRIVED, RENAMED, EXTRA = "clock corrected", "time of arrival", "renamed", "kept in extra"
MADE, GIVEN = "made", "given"
"""How a stored value came to differ. ``made``: the sender gave no id; ``given``: by the key or the topic."""
_STEP = re.compile(r"[^.\[\]]+")


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


class Line(NamedTuple):
    """One value: where it is, what was sent and what is stored (ABSENT: nothing), and the change, empty for none."""

    path: str
    sent: Any
    stored: Any
    change: str = ""


class Compared(NamedTuple):
    """``meta``: who, when and by which id; ``properties`` in the order they were sent. ``sent`` is the raw record as a
    JSON document, ``unread`` why there is none. Everything personal is hidden."""

    meta: list[Line]
    properties: list[Line]
    sent: Any
    stored: dict[str, Any] | None
    unread: str | None


class _Sent(NamedTuple):
    body: Any
    event: Any = ABSENT
    user_id: Any = ABSENT
    anonymous_id: Any = ABSENT
    event_id: Any = ABSENT
    time: Any = ABSENT
    source: Any = ABSENT
    properties: Mapping[str, Any] = {}


def compare(world: World, verdict: Verdict) -> Compared:
    """Never raises for what somebody sent."""
    everything = world.everything_personal
    stored = verdict.stored
    unread: str | None = None
    sent = _Sent(ABSENT)
    if verdict.arrival is None:
        unread = "the raw record was not read"
    else:
        try:
            sent = _sent(world, verdict.arrival)
        except Unreadable as error:
            unread = f"the raw record {error}"
    properties = {} if stored is None else stored.properties()
    # What no plan can be laid upon may have personal data anywhere.
    body = mask(sent.body, world.personal) if sent.body is not ABSENT else None
    lines = _properties(sent.properties, properties, stored, everything) if unread is None or stored else []
    if verdict.letter is not None:
        lines = _blamed(lines, verdict)
    shown = _shown(lines, sent.properties, properties, world.personal)
    meta = [] if unread is not None and stored is None else _meta(sent, stored, known=unread is None)
    whole = None if stored is None else {"meta": stored.meta, **mask(properties, world.personal)}
    return Compared(meta, shown, body, whole, unread)


def _sent(world: World, arrival: Arrival) -> _Sent:
    """Raises Unreadable."""
    document = read_document(arrival.value, arrival.headers, world.plan, world.our_id)
    if is_framed(arrival.value):
        meta, properties = document.body["meta"], {k: v for k, v in document.body.items() if k != "meta"}
        return _Sent(
            document.body, arrival.event, meta["user_id"], meta["anonymous_id"], meta["event_id"] or ABSENT,
            meta["time"], meta["source"] or ABSENT, properties,
        )  # fmt: skip
    try:
        envelope = read(arrival.value, arrival.headers)
    except Undecodable:
        return _Sent(document.body, **_readable(document.body))
    properties = envelope.properties or {}
    if envelope.type == "alias" and envelope.previous_id is not None:
        properties = {**properties, "previous_id": envelope.previous_id}
    via = document.body.get("via") if isinstance(document.body, Mapping) else None
    time = via.get("time") if isinstance(via, Mapping) else None
    name = envelope.event if envelope.type in (None, "track") else f"({envelope.type})"
    return _Sent(
        document.body, name, _given(envelope.user_id), _given(envelope.anonymous_id), _given(envelope.event_id),
        _given(envelope.time if time is None else time), _given(envelope.source), properties,
    )  # fmt: skip


def _given(value: Any) -> Any:
    return ABSENT if value is None else value


def _readable(body: Any) -> dict[str, Any]:
    """What an object that is no envelope says all the same."""
    if not isinstance(body, Mapping):
        return {}
    properties = body.get("properties")
    names = ("event", "user_id", "anonymous_id", "event_id", "time", "source")
    return {
        **{name: body[name] for name in names if name in body},
        "properties": properties if isinstance(properties, Mapping) else {},
    }


def _meta(sent: _Sent, stored: Stored | None, *, known: bool) -> list[Line]:
    if stored is None:
        return [Line(name, getattr(sent, name), ABSENT) for name in
                ("event", "user_id", "anonymous_id", "event_id", "time", "source")
                if getattr(sent, name) is not ABSENT]  # fmt: skip
    meta = stored.meta
    lines = [Line("event", sent.event, stored.event, RENAMED if sent.event != stored.event else "")]
    for name in ("user_id", "anonymous_id"):
        if meta[name] is not None or getattr(sent, name) not in (ABSENT, None):
            lines.append(Line(name, getattr(sent, name), meta[name], _differs(getattr(sent, name), meta[name])))
    lines += [
        Line("event_id", sent.event_id, meta["event_id"], MADE if sent.event_id is ABSENT else ""),
        Line("time", sent.time, rfc3339(meta["time"]), _time(sent.time, meta["time"])),
        Line("source", sent.source, meta["source"], GIVEN if sent.source != meta["source"] else ""),
    ]
    return lines if known else [line._replace(change="") for line in lines]


def _differs(sent: Any, stored: Any) -> str:
    return "" if sent == stored or (stored is None and sent is ABSENT) else CONVERTED


def _time(sent: Any, stored: int) -> str:
    if sent is ABSENT:
        return ARRIVED
    moment = parse_time(sent) if isinstance(sent, str) else sent
    return "" if moment == stored or not isinstance(moment, int) else CORRECTED


def _properties(
    sent: Mapping[str, Any], stored: Mapping[str, Any], record: Stored | None, personal: Personal
) -> list[Line]:  # fmt: skip
    if record is None:
        return [Line(path, value, ABSENT) for path, value in _leaves(sent)]
    here, there = dict(_leaves(sent)), dict(_leaves(stored))
    lines = [Line(path, value, there.get(path, ABSENT), _change(path, value, there, record.schema, personal))
             for path, value in here.items()]  # fmt: skip
    for path, value in there.items():
        if path in here or value is None or (path.startswith("extra.") and record.schema.unplanned == "allow"):
            continue
        if not any(other.startswith((f"{path}.", f"{path}[")) or path.startswith((f"{other}.", f"{other}["))
                   for other in here):  # fmt: skip
            lines.append(Line(path, ABSENT, value, "" if value in ({}, []) else DEFAULT))
    return lines


def _change(path: str, sent: Any, stored: Mapping[str, Any], schema: EventSchema, personal: Personal) -> str:
    top = _STEP.findall(path)[0] if _STEP.search(path) else path
    if top not in schema.known:
        return EXTRA if schema.unplanned == "allow" else STRIPPED
    if path in stored:
        if stored[path] == sent:
            return ""
        return PII if stored[path] is None else CONVERTED
    emptied = any(stored.get(path[: step.end()], ABSENT) is None for step in _STEP.finditer(path))
    return PII if emptied or personal.names.intersection(_STEP.findall(path)) else STRIPPED


def _blamed(lines: list[Line], verdict: Verdict) -> list[Line]:
    """With what was expected where the dead letter says that something was wrong."""
    letter = verdict.letter
    if letter is None or letter.field is None or letter.expected is None:
        return lines
    change = f"expected {letter.expected}, got {letter.got}" if letter.got else f"expected {letter.expected}"
    found = False
    told = []
    for line in lines:
        mine = line.path == letter.field or (
            not found and line.path.startswith((f"{letter.field}.", f"{letter.field}["))
        )
        found = found or mine
        told.append(line._replace(change=change) if mine else line)
    if not found and letter.field not in ("event", "user_id", "anonymous_id", "event_id", "time", "source"):
        told.append(Line(letter.field, ABSENT, ABSENT, change))
    return told


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that has no others inside, with its path such as ``homes[1].street``."""
    if isinstance(value, Mapping) and (value or not path):
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for place, item in enumerate(value):
            yield from _leaves(item, f"{path}[{place}]")
    else:
        yield path, value


def _shown(
    lines: list[Line], sent: Mapping[str, Any], stored: Mapping[str, Any], personal: Personal
) -> list[Line]:  # fmt: skip
    """With what is personal hidden."""
    if not personal.names:
        return lines
    left, right = dict(_leaves(mask(sent, personal))), dict(_leaves(mask(stored, personal)))
    return [
        line._replace(sent=_masked(line.path, line.sent, left), stored=_masked(line.path, line.stored, right))
        for line in lines
    ]


def _masked(path: str, value: Any, leaves: Mapping[str, Any]) -> Any:
    """The value, unless what is masked has it no more or has something else there."""
    return value if value is ABSENT or value is None else leaves.get(path, HIDDEN)

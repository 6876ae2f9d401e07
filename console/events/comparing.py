"""What was sent beside what was stored, and each difference named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from console.dead_letters.masking import HIDDEN, Personal, mask
from console.events.hiding import hidden_body, hiding_sent, hiding_stored
from console.events.sent import ABSENT, Sent, Unreadable, read_sent
from console.events.stored import Stored
from console.events.verdicts import Verdict
from console.events.world import World
from schemas.announce import rfc3339
from schemas.plan import EventSchema
from schemas.values import parse_time

STRIPPED, CONVERTED, DEFAULT, PII = "stripped", "converted", "default", "pii, not stored"
CORRECTED, ARRIVED, RENAMED, EXTRA = "clock corrected", "time of arrival", "renamed", "kept in extra"
MADE, GIVEN = "made", "given"
"""How a stored value came to differ. ``made``: the sender gave no id; ``given``: by the key or the topic."""
_STEP = re.compile(r"[^.\[\]]+")


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


def compare(world: World, verdict: Verdict) -> Compared:
    """Never raises for what somebody sent."""
    everything = world.everything_personal
    stored = verdict.stored
    unread: str | None = None
    sent = Sent(ABSENT)
    if verdict.arrival is None:
        unread = "the raw record was not read"
    else:
        try:
            sent = read_sent(world, verdict.arrival)
        except Unreadable as error:
            unread = f"the raw record {error}"
    properties = {} if stored is None else stored.properties()
    hide, hide_stored = hiding_sent(world, verdict), hiding_stored(world, verdict)
    lines = _properties(sent.properties, properties, stored, everything) if unread is None or stored else []
    if verdict.letter is not None:
        lines = _blamed(lines, verdict)
    left, right = dict(_leaves(hide(sent.properties))), dict(_leaves(hide_stored(properties)))
    shown = [
        line._replace(sent=_masked(line.path, line.sent, left), stored=_masked(line.path, line.stored, right))
        for line in lines
    ]
    meta = [] if unread is not None and stored is None else _meta(sent, stored, known=unread is None)
    # Where texts belong, what cannot be read may have anything.
    meta = [line._replace(sent=mask(line.sent, world.personal)) for line in meta]
    whole = None if stored is None else {"meta": stored.meta, **hide_stored(properties)}
    return Compared(meta, shown, hidden_body(world, verdict, sent.body, hide), whole, unread)


def _meta(sent: Sent, stored: Stored | None, *, known: bool) -> list[Line]:
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
    """Protocols write times in several forms: text without an offset is UTC, and numbers may be seconds."""
    if sent is ABSENT:
        return ARRIVED
    meant: list[float | None] = [None]
    if isinstance(sent, str):
        meant = [parse_time(sent) or parse_time(f"{sent}Z")]
    elif isinstance(sent, int | float):
        meant = [sent, sent * 1000]
    same = any(moment is None or abs(moment - stored) < 1 for moment in meant)
    return "" if same else CORRECTED


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


def _masked(path: str, value: Any, leaves: Mapping[str, Any]) -> Any:
    """The value, unless what is masked has it no more or has something else there."""
    return value if value is ABSENT or value is None else leaves.get(path, HIDDEN)

"""From a row to an envelope: which column is what, what is the same for all, and which id an event without one gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import msgspec

from console.importing.rows import Row
from console.importing.texts import Cell, cells_of, json_or_text
from console.importing.times import Times
from offerflow.rules.ids import make_id
from offerflow.rules.nearest import did_you_mean
from schemas.announce import rfc3339
from schemas.envelope import TYPED
from schemas.plan import Plan

IDS = ("user_id", "anonymous_id", "previous_id", "event_id")
MEMBERS = ("event", "type", *IDS, "time", "properties", "context")
"""What of an envelope a column may be. ``source`` is that of the import."""
PROPERTIES = "properties."
_ENCODE = msgspec.json.Encoder(decimal_format="number").encode


class BadMapping(ValueError):
    """What was given cannot be; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Columns:
    """``columns``: what each named column is, "" for nothing. ``constants``: members and properties of every event."""

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)


class Unfit(ValueError):
    """The row makes no event; the message says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event to import: its time in milliseconds, the Kafka key, and the envelope as bytes."""

    line: int
    time: int
    key: str
    value: bytes
    name: str


def read_mapping(columns: Sequence[str], constants: Sequence[str]) -> Columns:
    """Of options ``column=member`` and ``member=value``. Raises BadMapping."""
    mapped = dict(_pair(text, "column=member") for text in columns)
    for member in mapped.values():
        _check(member, allowed_empty=True)
    set_to = dict(_pair(text, "member=value") for text in constants)
    for member in set_to:
        _check(member, allowed_empty=False)
    return Columns(mapped, set_to)


def _pair(text: str, form: str) -> tuple[str, str]:
    name, equals, value = text.rpartition("=") if form.startswith("column") else text.partition("=")
    if not equals or not name:
        raise BadMapping(f"{text!r} is not of the form {form}")
    return name, value


def _check(member: str, *, allowed_empty: bool) -> None:
    if member in MEMBERS or (member.startswith(PROPERTIES) and member != PROPERTIES) or (allowed_empty and not member):
        return
    hint = did_you_mean(member, MEMBERS) or f"; expected one of {', '.join(MEMBERS)}, or properties.NAME"
    raise BadMapping(f"an event has no member {member!r}{hint}")


class Envelopes:
    """Makes envelopes of rows. ``label`` names what is imported: with the line and the content it makes the ids of
    events that have none, so the same file gives the same ids each time it is read."""

    def __init__(self, plan: Plan, source: str, label: str, mapping: Columns, times: Times) -> None:
        self._plan = plan
        self._source = source
        self._label = label
        self._mapping = mapping
        self._times = times
        self._cells: dict[str, Mapping[str, Cell]] = {}
        self.missing = set(mapping.columns)
        """Columns that were named and that no row so far had; ``seen`` is what rows had, as long as any is missing."""
        self.seen: set[str] = set()

    def __call__(self, row: Row) -> Event:
        """Raises Unfit."""
        members, others, given = self._sorted(row)
        for name, text in self._mapping.constants.items():
            _put(name, text, members, given)
        name = self._name(members)
        properties = self._properties(row, name, members, others, given)
        moment = self._times.milliseconds(members.get("time"))
        if moment is None:
            raise Unfit(_no_time(members.get("time")))
        envelope = {"source": self._source, "event": members.get("event"), "type": members.get("type"), "time": moment}
        envelope |= {one: _id(members[one]) for one in IDS if members.get(one) not in (None, "")}
        envelope |= {"properties": properties, "context": _of_text(members.get("context"))}
        envelope = {member: value for member, value in envelope.items() if value is not None and value != ""}
        key = envelope.get("user_id") or envelope.get("anonymous_id") or ""
        value = _encoded(_plain(envelope) if row.typed else envelope)
        if "event_id" not in envelope:
            made = make_id("import", self._source, self._label, str(row.line), value.decode())
            value = value[:-1] + b',"event_id":"' + made.encode() + b'"}'
        return Event(row.line, moment, str(key), value, name)

    def _sorted(self, row: Row) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """The members of the envelope, the columns that are none, and the properties that columns were mapped to."""
        members: dict[str, Any] = {}
        given: dict[str, Any] = {}
        columns = self._mapping.columns
        for column, member in columns.items():
            found = _at(row.fields, column)
            if found is not None:
                self.missing.discard(column)
            if member and found is not None:
                _put(member, found, members, given)
        others: dict[str, Any] = {}
        for column, value in row.fields.items():
            if column in columns:
                continue
            if column in MEMBERS:
                members.setdefault(column, value)
            elif column != "source":
                others[column] = value
        if self.missing:
            self.seen.update(row.fields)
        return members, others, given

    def _name(self, members: Mapping[str, Any]) -> str:
        kind = members.get("type")
        name = TYPED.get(kind, members.get("event")) if isinstance(kind, str) else members.get("event")
        return name if isinstance(name, str) else ""

    def _properties(
        self, row: Row, name: str, members: Mapping[str, Any], others: Mapping[str, Any], given: Mapping[str, Any]
    ) -> Any:
        """Those that the row has as one; else every column that is no member."""
        whole = _of_text(members.get("properties"))
        if whole is not None and not isinstance(whole, dict):
            return whole
        properties = dict(whole if whole is not None else others)
        if row.text and whole is None:
            properties = {prop: value for prop, value in properties.items() if value != ""}
        cells = self._of(name)
        for prop, value in (*given.items(), *(properties.items() if row.text and whole is None else ())):
            cell = cells.get(prop) if isinstance(value, str) and (row.text or prop in given) else None
            properties[prop] = cell(value) if cell is not None else value
        return properties

    def _of(self, name: str) -> Mapping[str, Cell]:
        found = self._cells.get(name)
        if found is None:
            schema = self._plan.by_name.get(name)
            found = self._cells[name] = cells_of(schema) if schema is not None else {}
        return found


def _put(member: str, value: Any, members: dict[str, Any], properties: dict[str, Any]) -> None:
    if member.startswith(PROPERTIES):
        properties[member.removeprefix(PROPERTIES)] = value
    else:
        members[member] = value


def _at(fields: Mapping[str, Any], column: str) -> Any:
    """The value of a column; ``a.b`` is also the member ``b`` of the object ``a``."""
    if column in fields:
        return fields[column]
    found: Any = fields
    for part in column.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _of_text(value: Any) -> Any:
    """A cell with an object in it."""
    return json_or_text(value) if isinstance(value, str) and value != "" else (None if value == "" else value)


def _id(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _no_time(value: Any) -> str:
    if value in (None, ""):
        return "time: expected when it happened, got nothing; map a column to it: --map 'COLUMN=time'"
    return f"time: expected RFC 3339, a date and time, or a number, got {str(value)[:60]!r}"


def _encoded(envelope: Mapping[str, Any]) -> bytes:
    try:
        return _ENCODE(envelope)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unfit(f"cannot be written as JSON: {error}") from None


def _plain(value: Any) -> Any:
    """What JSON has no form for, as Parquet hands it out, in the form the plan reads: times as RFC 3339 in UTC."""
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        moment = Times().milliseconds(value)
        return None if moment is None else rfc3339(moment)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and "." not in str(value) else float(value)
    return value.isoformat() if isinstance(value, date | time) else value

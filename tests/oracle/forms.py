"""The forms a raw record may have, each read into what the sender said. Which form it is, is told in this order."""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.avro import BrokenError, Reader
from tests.oracle.model import Record
from tests.oracle.shape import TIMES, bare, milliseconds
from tests.oracle.workspace import EventType, Workspace

LONGEST_ID = 512
DEEPEST = 16
NAMED_BY_TYPE = {
    "identify": "Identified",
    "alias": "Aliased",
    "page": "Page Viewed",
    "screen": "Screen Viewed",
    "group": "Group Joined",
}
_NATIVE = {
    "event": str, "user_id": str, "anonymous_id": str, "event_id": str, "time": (str, int), "source": str, "type": str,
    "previous_id": str, "properties": dict,
}  # fmt: skip
_ATTRIBUTES = ("specversion", "id", "type", "source", "userid", "subject", "anonymousid", "time", "datacontenttype")


class UndecodableError(Exception):
    """The record has none of the forms, or not quite the one it seems to have."""


class UnknownSchemaError(Exception):
    """Framed Avro under an id that no schema in force has."""


@dataclass
class Said:
    """What a record says, whatever its form. JSON brings ``properties``, Avro the ``version`` it was written under with
    its ``tree``; ``meta`` is that of a journal record."""

    form: str
    name: str
    source: str | None
    user: str | None
    anonymous: str | None
    event_id: str | None
    time: int | None
    properties: dict[str, Any] = field(default_factory=dict)
    version: EventType | None = None
    tree: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)


def read(record: Record, plan: Workspace) -> Said:
    """What the record says. Raises UndecodableError or UnknownSchemaError."""
    value = record.value or b""
    content_type = _header(record, "content-type")
    if value[:1] == b"\x00":
        said = _avro(value, plan)
    elif content_type.decode("utf-8", "replace").strip().lower().startswith("application/cloudevents"):
        said = _structured(_json(value), content_type.decode("utf-8", "replace"))
    elif any(_header(record, name) for name, _ in record.headers if name.startswith("ce_")):
        said = _binary(record, value)
    else:
        members = _json(value)
        said = _native(members) if members.get("specversion") is None else _structured(members, None)
    for name in ("user", "anonymous", "event_id"):
        if len(getattr(said, name) or "") > LONGEST_ID:
            raise UndecodableError(f"{name} is too long")
    if _deeper(said.properties, DEEPEST):
        raise UndecodableError("properties are too deep")
    return said


def _header(record: Record, name: str) -> bytes:
    """The last header of that name; empty if there is none or it has no value."""
    found = [value for key, value in record.headers if (key.lower() if name == "content-type" else key) == name]
    return (found[-1] or b"") if found else b""


# -- JSON -----------------------------------------------------------------------------------------------------------


class _Members(dict[str, Any]):
    """A JSON object that remembers what was overwritten in it."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def _json(value: bytes) -> _Members:
    """The members of the object that the value is."""
    try:
        members = json.loads(value.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_Members)
        for text in _texts(members):
            text.encode("utf-8")  # half a surrogate pair is no text, wherever it stands
    except (ValueError, RecursionError) as error:
        raise UndecodableError(f"not JSON: {error}") from None
    if not isinstance(members, _Members):
        raise UndecodableError("not an object")
    return members


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for one in value.pairs if isinstance(value, _Members) else value if isinstance(value, list | tuple) else ():
        yield from _texts(one)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _checked(members: _Members, types: dict[str, Any]) -> None:
    """Each member that is read has its type, every time it is there, and no number in it is beyond any double."""
    for name, value in members.pairs:
        expected = types.get(name)
        if expected is None or value is None:
            continue
        if not isinstance(value, expected) or isinstance(value, bool):
            raise UndecodableError(f"{name} is not of its type")
        try:
            json.dumps(value, allow_nan=False)
        except ValueError as error:
            raise UndecodableError(f"{name}: {error}") from None


def _native(members: _Members) -> Said:
    _checked(members, _NATIVE)
    for name, value in members.pairs:
        if name == "type" and value is not None and value != "track" and value not in NAMED_BY_TYPE:
            raise UndecodableError(f"no such type: {value}")
    kind = members.get("type") or "track"
    if kind == "track" and not members.get("event"):
        raise UndecodableError("no event")
    properties = dict(members.get("properties") or {})
    if kind == "alias" and members.get("previous_id") is not None:
        properties["previous_id"] = members["previous_id"]
    who = [members.get(name) or None for name in ("source", "user_id", "anonymous_id", "event_id")]
    return Said("native", NAMED_BY_TYPE.get(kind) or members["event"], *who, _time(members.get("time")), properties)


def _time(time: str | int | None) -> int | None:
    if time is None:
        return None
    moment = milliseconds(time) if isinstance(time, str) else time
    if moment is None or moment not in TIMES:
        raise UndecodableError("time is neither RFC 3339 nor milliseconds")
    return moment


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is not None and (levels == 0 or any(_deeper(one, levels - 1) for one in inner))


# -- CloudEvents ----------------------------------------------------------------------------------------------------


def _binary(record: Record, value: bytes) -> Said:
    attributes = {name: _attribute(record, f"ce_{name}") for name in _ATTRIBUTES}
    _must_be_json(_attribute(record, "content-type"))
    return _cloud_event(attributes, _data(value))


def _attribute(record: Record, header: str) -> str | None:
    try:
        return _header(record, header).decode("utf-8") or None
    except UnicodeDecodeError:
        raise UndecodableError(f"header {header} is not UTF-8") from None


def _structured(members: _Members, content_type: str | None) -> Said:
    if content_type is not None and content_type.partition(";")[0].strip().lower() != "application/cloudevents+json":
        raise UndecodableError(f"{content_type} is no single JSON event")
    _checked(members, dict.fromkeys(_ATTRIBUTES, str) | {"data": dict, "data_base64": str})
    _must_be_json(members.get("datacontenttype"))
    data, coded = members.get("data"), members.get("data_base64")
    if coded is not None:
        if data is not None:
            raise UndecodableError("both data and data_base64")
        try:
            data = _data(binascii.a2b_base64(coded, strict_mode=True))
        except (binascii.Error, ValueError) as error:
            raise UndecodableError(f"data_base64: {error}") from None
    return _cloud_event({name: members.get(name) for name in _ATTRIBUTES}, dict(data or {}))


def _must_be_json(content_type: str | None) -> None:
    if content_type is None:
        return
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in ("application/json", "text/json") and not kind.endswith("+json"):
        raise UndecodableError(f"the data are {content_type}, not JSON")


def _data(value: bytes) -> dict[str, Any]:
    if not value or value.strip(b" \t\r\n") == b"null":
        return {}
    members = _json(value)
    _checked(_Members([("data", dict(members))]), {"data": dict})
    return dict(members)


def _cloud_event(attributes: dict[str, str | None], properties: dict[str, Any]) -> Said:
    for name in ("specversion", "id", "source", "type"):
        if not attributes[name]:
            raise UndecodableError(f"no {name}")
    if attributes["specversion"] != "1.0":
        raise UndecodableError(f"specversion {attributes['specversion']}")
    for name in ("userid", "subject"):
        if len(attributes[name] or "") > LONGEST_ID:
            raise UndecodableError(f"{name} is too long")
    user = attributes["userid"] or attributes["subject"] or None
    return Said(
        "cloud event", attributes["type"] or "", attributes["source"], user, attributes["anonymousid"] or None,
        attributes["id"], _time(attributes["time"]), properties,
    )  # fmt: skip


# -- Avro -----------------------------------------------------------------------------------------------------------


def _avro(value: bytes, plan: Workspace) -> Said:
    if len(value) < 5:
        raise UndecodableError("no schema id")
    version = plan.ids.get(int.from_bytes(value[1:5], "big"))
    if version is None:
        raise UnknownSchemaError(f"id {int.from_bytes(value[1:5], 'big')}")
    reader = Reader(value[5:])
    try:
        tree = reader.read(version.whole, version.name)
        reader.end()
    except BrokenError as error:
        raise UndecodableError(str(error)) from None
    meta = bare(tree.pop("meta"))
    if meta["time"] not in TIMES:
        raise UndecodableError(f"meta.time is {meta['time']}")
    who = [meta[name] or None for name in ("source", "user_id", "anonymous_id", "event_id")]
    return Said("avro", version.name, *who, meta["time"], version=version, tree=tree, meta=meta)

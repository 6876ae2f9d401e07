"""One call of the Segment specification (track, identify, page, screen, group, alias) as an envelope.

Nothing is judged here. Traits become the properties of the plan's `Identified` and `Group Joined`; name and category of
a page or a screen join its properties, as Segment's own libraries for browsers send them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from offerflow.rules.ids import make_id
from producers.ingest.clock import happened
from producers.ingest.envelopes import Sent, Via
from producers.ingest.members import Members, as_value, fields_decoder
from producers.ingest.times import milliseconds
from producers.ingest.traits import planned

KINDS = frozenset(("track", "identify", "page", "screen", "group", "alias"))
PROTOCOL = "segment"

_HOUR_MS = 3_600_000
_OF_SENDING = ("sentAt", "messageId")
_OTHER_TIME = "originalTimestamp"
_RECEIVED = "receivedAt"

_decode = fields_decoder.decode
_encode = msgspec.json.encode
_Fields = dict[str, Raw]
_Object = Raw | bytes | UnsetType


class Batch(NamedTuple):
    """What a request says of all of its events. ``kind`` is what its path says they are, "" where it says nothing.
    ``sent_at`` as given, ``stamped`` the same in milliseconds; ``held``: how long clients like this one keep a request,
    see ``clock.corrected``. ``made``: how often each id that was made of a content came before."""

    kind: str
    sent_at: Any
    stamped: int | None
    context: Raw | UnsetType
    received_at: int
    source: str
    held: int
    made: dict[str, int]


def sent(item: bytes, batch: Batch) -> Sent:
    """What is no object is kept in ``via.rest``, and validation says that it is no event.

    An item that says when it was received comes out of an archive: what its clock was off by shows there, and its
    ``timestamp`` was corrected by that.
    """
    try:
        fields = _decode(item)
    except (msgspec.DecodeError, RecursionError):
        return Sent(via=Via(PROTOCOL, rest={"item": Raw(item)}))
    fields.pop("writeKey", None)
    members = Members(fields)
    event_id = members.id("messageId")
    unnamed = fields.copy() if event_id is UNSET else None
    kind, name = _kind(members, batch.kind)
    sent_at = members.value("sentAt")
    stamped = batch.stamped if sent_at is UNSET else milliseconds(sent_at)
    archived = milliseconds(as_value(fields.get(_RECEIVED, UNSET)))
    given = members.value("timestamp")
    if given is UNSET:
        given = members.value(_OTHER_TIME)
        time = happened(given, stamped, min(batch.received_at, archived or batch.received_at), held=batch.held)
    else:
        time = happened(given, None if archived else stamped, batch.received_at, held=batch.held)
    context = members.raw("context")
    if context is UNSET:
        context = batch.context
    made = Sent(
        event=name,
        type=kind,
        user_id=members.text("userId"),
        anonymous_id=members.text("anonymousId"),
        event_id=event_id,
        time=time.time,
        context=context,
    )
    if kind == "alias":
        made.previous_id = members.text("previousId")
    made.properties = _properties(kind, members, context)
    if unnamed is not None and (kind == "identify" or given is not UNSET):
        made.event_id = _content_id(unnamed, kind, batch)
    made.via = Via(PROTOCOL, time=time.given, sent_at=batch.sent_at if sent_at is UNSET else sent_at, rest=members.rest)
    return made


def _kind(members: Members, of_path: str) -> tuple[str, Any]:
    """The kind of the call, and the name of the event where it has one. A kind that nobody knows is an event named so,
    which the plan may have or not."""
    said = members.raw("type")
    text = as_value(said) if said is not UNSET else ""
    kind = text if isinstance(text, str) and text in KINDS else of_path if of_path in KINDS else ""
    if kind and kind != "track":
        return kind, UNSET
    name = members.text("event")
    other = text if isinstance(text, str) and text else of_path
    if not kind and name is UNSET and other:
        name = other
    if said is not UNSET and text != "track":
        members.put_back("type", said)
    return "track", name


def _properties(kind: str, members: Members, context: Raw | UnsetType) -> Any:
    if kind == "track":
        return members.raw("properties")
    if kind == "identify":
        return _traits(members.raw("traits"), context)
    if kind == "group":
        group = members.text("groupId")
        if isinstance(group, str):  # a number, in the digits it was written with
            group = Raw(_encode(group))
        if isinstance(group, Raw):
            members.put_back("groupId", group)
        return _joined(members.raw("traits"), members, (("groupId", "group_id"),))
    if kind == "alias":
        return UNSET
    return _joined(members.raw("properties"), members, (("name", "name"), ("category", "category")))


def _traits(traits: Raw | UnsetType, context: Raw | UnsetType) -> Any:
    """RudderStack's libraries put the traits of an identify into its context."""
    fields = _object(traits)
    if not fields and (traits is UNSET or fields is not None):
        inside = (_object(context) or {}).get("traits")
        traits, fields = (inside, _object(inside)) if inside is not None else (traits, fields)
    if not fields:
        return traits
    known = planned(fields)
    return traits if known is fields else _encode_fields(known)


def _joined(properties: Raw | UnsetType, members: Members, names: Iterable[tuple[str, str]]) -> Any:
    """The properties with members of the item that they do not have themselves."""
    wanted = [(theirs, ours, value) for theirs, ours in names if (value := members.raw(theirs)) is not UNSET]
    if not wanted:
        return properties
    fields: _Fields | None = {} if properties is UNSET else _object(properties)
    if fields is None:
        for theirs, _, value in wanted:
            members.put_back(theirs, value)
        return properties
    for _, ours, value in wanted:
        if ours not in fields or bytes(fields[ours]) == b"null":
            fields[ours] = value
    return _encode_fields(fields)


def _object(raw: Raw | UnsetType | None) -> _Fields | None:
    """The members of an object; None for everything else."""
    if raw is None or raw is UNSET or bytes(raw)[:1] != b"{":
        return None
    try:
        return _decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None


def _encode_fields(fields: _Fields) -> Raw:
    return Raw(_encode(fields))


def _content_id(fields: _Fields, kind: str, batch: Batch) -> str:
    """The same for the same call sent again, whose ``sentAt`` may differ. Equal calls of one body are told apart by
    their order, and those that say no time by the hour, so that somebody may return to what he was."""
    parts = [f"{name}={bytes(value).decode()}" for name, value in sorted(fields.items()) if name not in _OF_SENDING]
    if "context" not in fields and batch.context is not UNSET:
        parts.append(bytes(batch.context).decode())
    if "timestamp" not in fields and _OTHER_TIME not in fields:
        parts.append(str(batch.received_at // _HOUR_MS))
    found = make_id(PROTOCOL, batch.source, kind, *parts)
    before = batch.made[found] = batch.made.get(found, -1) + 1
    return make_id(found, str(before)) if before else found

"""One event of Amplitude, as its SDKs send it or as Amplitude exports it, as native envelopes.

`user_properties` become `Identified`, an event of its own before the one that carried them; `groups` of an `$identify`
become `Group Joined`. What the standard plan knows by a plain name is given that name beside the one it came by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from producers.ingest.adapters.carried import GROUP, IDENTIFIED, carried
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.clock import happened
from producers.ingest.envelopes import Sent, Via, no_object, raw_event
from producers.ingest.keyring import Source
from producers.ingest.members import Fields, Members, as_text, fields_of
from producers.ingest.traits import planned
from schemas.envelope import MAX_ID

_MOST_GROUPS = 16
_MONEY = {"$price": "price", "$quantity": "quantity", "$revenue": "revenue", "$productId": "product_id",
          "$revenueType": "revenue_type", "$currency": "currency"}  # fmt: skip
_PAID = frozenset(name[1:] for name in _MONEY)
_APP = {"[Amplitude] Version": "version", "[Amplitude] Build": "build", "[Amplitude] Link URL": "url",
        "[Amplitude] Previous Version": "previous_version", "[Amplitude] Previous Build": "previous_build",
        "[Amplitude] From Background": "from_background"}  # fmt: skip
_TEXTS: Mapping[str, Mapping[str, str]] = {
    "[Amplitude] Page Viewed": {"[Amplitude] Page Location": "url", "[Amplitude] Page Path": "path",
                                "[Amplitude] Page Title": "title"},
    "[Amplitude] Screen Viewed": {"[Amplitude] Screen Name": "name"},
    **{f"[Amplitude] Application {what}": _APP for what in ("Installed", "Opened", "Updated")},
}  # fmt: skip
"""Properties that events of the standard plan know by another name."""
_SCALAR = (b'"', b"t", b"f")
_SESSIONS = {"session_start", "session_end", "[Amplitude] Start Session", "[Amplitude] End Session",
             "[Amplitude] Application Backgrounded"}  # fmt: skip

_list = msgspec.json.Decoder(list[Raw]).decode
_encode = msgspec.json.encode


class Form(NamedTuple):
    """Where events of a form say what they say: names in order of preference. ``snapshots``: the user properties of an
    ordinary event are all that are known of the user, and not what the event changes."""

    protocol: str
    ids: tuple[str, ...]
    times: tuple[str, ...]
    snapshots: bool


class Came(NamedTuple):
    """What holds for all events of a request. ``sent_at``: milliseconds, and ``given`` as the client wrote it."""

    source: Source
    received_at: int
    sent_at: int | None = None
    given: Any = UNSET


def envelopes(item: bytes, form: Form, came: Came) -> list[RawEvent]:
    """The event, and those that it carries. ``item`` is well-formed JSON."""
    fields = fields_of(item)
    if fields is None:
        return [no_object(item, form.protocol, came.source)]
    members = Members(fields)
    name = members.text("event_type")
    given = next((found for one in form.times if (found := members.value(one)) is not UNSET), UNSET)
    time, written = happened(given, came.sent_at, came.received_at)
    event_id = next((found for one in form.ids if (found := members.text(one)) is not UNSET), UNSET)
    sent = Sent(
        event=name, user_id=members.text("user_id"), anonymous_id=members.text("device_id"), event_id=event_id,
        time=time, via=Via(form.protocol, time=written, sent_at=came.given, library=members.raw("library")),
    )  # fmt: skip
    if name == "$identify" or (name is UNSET and "user_properties" in fields):
        return _identified(sent, members, came.source)
    if name == "$groupidentify":
        return [_group(sent, members, came.source)]
    sent.properties = _properties(name, members, paid=not _PAID.isdisjoint(fields))
    traits = None if form.snapshots or "user_properties" not in fields else _traits(members)
    event = _whole(sent, members, came.source)
    if not traits:
        return [event]
    return [carried(sent, IDENTIFIED, "identify", traits, came.source), event]


def _identified(sent: Sent, members: Members, source: Source) -> list[RawEvent]:
    sent.type = "identify"
    traits = _traits(members)
    sent.properties = members.raw("user_properties") if traits is None else traits
    groups = members.raw("groups")
    joined = _joined(groups) if _short(sent.user_id) and _short(sent.anonymous_id) else []
    if groups is not UNSET and not joined:
        members.put_back("groups", groups)
    event = _whole(sent, members, source)
    beside = [carried(sent, f"{GROUP}{number or ''}", "group", one, source) for number, one in enumerate(joined)]
    return [event, *beside]


def _group(sent: Sent, members: Members, source: Source) -> RawEvent:
    """Properties of a group: said of the first that is named."""
    sent.type = "group"
    groups = members.raw("groups")
    said = members.raw("group_properties")
    new = fields_of((fields_of(said) or {}).get("$set", UNSET)) or {}
    sent.properties = {**new, **(_joined(groups) or [{}])[0]}
    for name, raw in (("groups", groups), ("group_properties", said)):
        if raw is not UNSET:
            members.put_back(name, raw)
    return _whole(sent, members, source)


def _whole(sent: Sent, members: Members, source: Source) -> RawEvent:
    """With all that is left of the event under ``via``."""
    if isinstance(sent.via, Via):
        sent.via.rest = members.rest
    return raw_event(sent, source)


def _traits(members: Members) -> Fields | None:
    """The traits that `user_properties` set; None, and they stay a member, where they are no object.

    What else they do (`$add`, `$unset`, …) stays a member, and so does `$setOnce`, since nobody can tell from a trait
    that it was meant for the first time only.
    """
    raw = members.raw("user_properties")
    said = fields_of(raw)
    if said is None:
        if isinstance(raw, Raw):
            members.put_back("user_properties", raw)
        return None
    done = {name: value for name, value in said.items() if name[:1] == "$"}
    new = fields_of(done.get("$set", UNSET))
    if new is not None:
        del done["$set"]
    if done:
        members.put_back("user_properties", Raw(_encode(done)))
    once = fields_of(done.get("$setOnce", UNSET)) or {}
    return planned({**once, **{name: value for name, value in said.items() if name[:1] != "$"}, **(new or {})})


def _joined(groups: Raw | UnsetType) -> list[dict[str, Any]]:
    """The groups named, by `group_id` and `group_type`; one type may name several."""
    found: list[dict[str, Any]] = []
    for kind, raw in (fields_of(groups) or {}).items():
        for one in _list(raw) if bytes(raw)[:1] == b"[" else [raw]:
            group = as_text(one)
            if isinstance(group, str) and len(found) < _MOST_GROUPS and _short(group) and _short(kind):
                found.append({"group_id": group, "group_type": kind})
    return found


def _short(text: Any) -> bool:
    """Whether an event can be made of it as often as there are groups; validation takes nothing longer for an id."""
    return not isinstance(text, str) or len(text) <= MAX_ID


def _properties(name: Any, members: Members, *, paid: bool) -> Any:
    """`event_properties` as they came, or with the plain names that they lack."""
    raw = members.raw("event_properties")
    said = fields_of(raw)
    if said is None and raw is not UNSET:
        return raw
    plain: dict[str, Any] = {}
    if paid:
        plain |= {to: value for of, to in _MONEY.items() if (value := members.raw(of[1:])) is not UNSET}
    known = name if isinstance(name, str) else ""
    if known in _SESSIONS:
        session = members.text("session_id")
        if isinstance(session, str) and session != "-1":
            plain["session_id"] = session
    if said is None:
        return plain or UNSET
    if known == "revenue_amount":
        plain |= {to: said[of] for of, to in _MONEY.items() if of in said}
    elif known in _TEXTS:
        plain |= {to: said[of] for of, to in _TEXTS[known].items() if of in said and bytes(said[of])[:1] in _SCALAR}
    return {**plain, **said} if plain else raw

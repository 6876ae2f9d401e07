"""One event of PostHog as native envelopes.

PostHog puts what its SDKs know of the device among the properties, under names that begin with `$`, which no plan can
hold: they become the `context`, and what the standard plan knows of them gets its plain name. `$set` and `$set_once`
become `Identified`, an event of its own before the one that carried them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw

from producers.ingest.adapters.carried import IDENTIFIED, carried
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.clock import happened
from producers.ingest.envelopes import Sent, Via, no_object, raw_event
from producers.ingest.keyring import Source
from producers.ingest.members import Fields, Members, as_text, as_value, fields_of
from producers.ingest.traits import planned

_TYPES = {"$identify": "identify", "$set": "identify", "$set_once": "identify", "$create_alias": "alias",
          "$merge_dangerously": "alias", "$groupidentify": "group", "$pageview": "page",
          "$screen": "screen"}  # fmt: skip
_PLAIN: Mapping[str, Mapping[str, str]] = {
    "page": {"$current_url": "url", "$pathname": "path", "$referrer": "referrer", "$title": "title"},
    "screen": {"$screen_name": "name"},
}
KEYS = ("api_key", "token")
"""Members that hold the key, of a body, of an event or of its properties."""
_SETS = frozenset(("$set", "$set_once"))
_VERSIONS = ("version", "build", "previous_version", "previous_build")
_NEW_ID_IS_THE_ALIAS = ("posthog-python", "web")
"""Libraries whose `alias` is the new id of the person; to the others it is the one used before."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_encode = msgspec.json.encode


class Came(NamedTuple):
    """What holds for all events of a request. ``sent_at``: milliseconds, and ``given`` as the client wrote it;
    ``library`` where the request says it and not the event, as `name/version`."""

    source: Source
    received_at: int
    sent_at: int | None = None
    given: Any = UNSET
    library: str = ""


def envelopes(item: bytes, came: Came) -> list[RawEvent]:
    """The event, and the traits that it carries. ``item`` is well-formed JSON."""
    fields = fields_of(item)
    if fields is None:
        return [no_object(item, "posthog", came.source)]
    members = Members(fields)
    said = fields_of(raw := members.raw("properties"))
    plain: Fields = {}
    own: Fields = {}
    for key, value in (said or {}).items():
        (own if key[:1] == "$" else plain)[key] = value
    for key in KEYS:
        plain.pop(key, None)
    options = fields_of(fields.get("options", UNSET)) or {}
    if options:
        del fields["options"]
    name = members.text("event")
    kind = _TYPES.get(name) if isinstance(name, str) else None
    inner = Members(own)
    event_id = members.text("uuid")
    if event_id is UNSET:
        event_id = inner.text("$insert_id")
    skewed = not _true(own.get("$ignore_sent_at")) and not _true(options.get("disable_skew_correction"))
    time, written = _time(members.value("timestamp"), fields.get("offset"), came, skewed=skewed)
    via = Via("posthog", time=written, sent_at=came.given, library=came.library or inner.raw("$lib"))
    sent = Sent(event=name, event_id=event_id, time=time, via=via)
    if kind is not None:
        sent.type = kind
    _who(sent, members, plain, own, options)
    traits = {} if _SETS.isdisjoint(fields) and _SETS.isdisjoint(own) else _traits(members, inner)
    sent.properties = raw if said is None and raw is not UNSET else _properties(sent, plain, own, traits)
    own.update((f"${option}", value) for option, value in options.items())
    sent.context = inner.rest
    via.rest = members.rest
    event = raw_event(sent, came.source)
    if kind == "identify" or not traits:
        return [event]
    return [carried(sent, IDENTIFIED, "identify", traits, came.source), event]


def _time(stamp: Any, offset: Raw | None, came: Came, *, skewed: bool) -> tuple[Any, Any]:
    """By `timestamp`, else by `offset`: how many milliseconds ago it was when the request was sent."""
    if stamp is UNSET and offset is not None:
        ago = as_value(offset)
        if isinstance(ago, int) and not isinstance(ago, bool) and 0 <= ago < came.received_at:
            return came.received_at - ago, UNSET
    return happened(stamp, came.sent_at if skewed else None, came.received_at)


def _who(sent: Sent, members: Members, plain: Fields, own: Fields, options: Fields) -> None:
    """Sets the ids. PostHog has one id for both known and anonymous people."""
    distinct = members.text("distinct_id")
    inside = as_text(plain.pop("distinct_id", UNSET))
    if distinct is UNSET:
        distinct = as_text(own.get("$distinct_id", UNSET)) if inside is UNSET else inside
    device = as_text(own.get("$device_id", UNSET))
    profile = options.get("process_person_profile", own.get("$process_person_profile"))
    if sent.type == "alias":
        alias = as_text(plain.pop("alias", UNSET))
        new = _library(sent).partition("/")[0] in _NEW_ID_IS_THE_ALIAS
        sent.user_id, sent.previous_id = (alias, distinct) if new else (distinct, alias)
    elif _anonymous(sent, distinct, device, profile, own):
        sent.anonymous_id = distinct
    else:
        before = as_text(own.get("$anon_distinct_id", UNSET))
        sent.user_id = distinct
        sent.anonymous_id = device if before is UNSET else before


def _anonymous(sent: Sent, distinct: Any, device: Any, profile: Raw | None, own: Fields) -> bool:
    """Those who were not identified (`$is_identified`), whose id is the device's, or is a UUID while their events make
    no profile of a person, are; and so is what SDKs make up for properties of a group that nobody is said to be in."""
    if sent.type == "identify":
        return False
    if sent.type == "group" and distinct == _nobody(own):
        return True
    if _false(own.get("$is_identified")) or (distinct is not UNSET and distinct == device):
        return True
    return _false(profile) and isinstance(distinct, str) and _UUID.fullmatch(distinct) is not None


def _library(sent: Sent) -> str:
    said = sent.via.library if isinstance(sent.via, Via) else ""
    text = as_text(said) if isinstance(said, Raw) else said
    return text if isinstance(text, str) else ""


def _nobody(own: Fields) -> str:
    return f"${as_text(own.get('$group_type', UNSET))}_{as_text(own.get('$group_key', UNSET))}"


def _traits(members: Members, inner: Members) -> Fields:
    """What `$set` and `$set_once` say, beside the event or among its properties, without PostHog's own names. The
    latter stays a member, since nobody can tell from a trait that it was meant for the first time only."""
    traits: Fields = {}
    for name in ("$set_once", "$set"):
        for where in (members, inner):
            raw = where.raw(name)
            said = fields_of(raw)
            if isinstance(raw, Raw) and (name == "$set_once" or said is None or any(own[:1] == "$" for own in said)):
                members.put_back(name, raw)
            traits |= {own: value for own, value in (said or {}).items() if own[:1] != "$"}
    return planned(traits)


def _properties(sent: Sent, plain: Fields, own: Fields, traits: Fields) -> Any:
    """What the plan may know of the event. What stands in another's place keeps its own name in the context."""
    if sent.type == "identify":
        return {**plain, **traits}
    if sent.type == "group":
        found: dict[str, Any] = {**plain, **(fields_of(own.pop("$group_set", UNSET)) or {})}
        for name in ("group_key", "group_type"):
            text = as_text(own.pop(f"${name}", UNSET))
            if text is not UNSET:
                found["group_id" if name == "group_key" else name] = text
        return found
    if isinstance(sent.type, str) and sent.type in _PLAIN:
        for theirs, name in _PLAIN[sent.type].items():
            if theirs in own and bytes(own[theirs])[:1] == b'"':
                plain.setdefault(name, own[theirs])
    elif isinstance(sent.event, str) and sent.event.startswith("Application "):
        for name in _VERSIONS:
            if name in plain and bytes(plain[name])[:1].isdigit():
                plain[name] = Raw(_encode(bytes(plain[name]).decode()))
    return plain


def _true(raw: Raw | None) -> bool:
    return raw is not None and bytes(raw) == b"true"


def _false(raw: Raw | None) -> bool:
    return raw is not None and bytes(raw) == b"false"

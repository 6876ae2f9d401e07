"""One event of the Reteno protocol as an envelope: who it is about, what its key is, and its parameters as properties.

``keyValue`` is two things to Reteno: what makes an event unique and, where nothing else says so, whom it is about. Whom
it is about must not become the event id, or all events of a person would be repeats of the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from producers.ingest.adapters.reteno_sdk import Sender, made_id, of_the_sdk
from producers.ingest.clock import happened
from producers.ingest.envelopes import Sent, Via
from producers.ingest.members import Members, as_text

EXPECTED: Mapping[str, Any] = {
    "eventTypeKey": "the name of the event",
    "keyValue": "what makes the event unique; optional",
    "params": [{"name": "externalCustomerId", "value": "the id of the user"}, {"name": "…", "value": "…"}],
    "eventParams": {"…": "the same as an object, instead of params"},
    "occurred": "RFC 3339; optional, for past events and SDKs, which send {deviceId, externalUserId, events: […]}",
}

_USERS = ("externalCustomerId", "contactId", "email", "phone")
"""What a parameter may name the user by, the best first."""
_DEVICE = "pushToken"

_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_decode_text = msgspec.json.Decoder(str).decode


class Ids:
    """Event ids for the events of one request, in order. ``given``: what Idempotency-Key makes of them, or empty."""

    def __init__(self, given: list[str]) -> None:
        self._given = iter(given)
        self._seen: Counter[str] = Counter()

    def next(self, key: Any, sender: Sender | None, item: bytes, *, timed: bool) -> Any:
        """``key`` if there is one; else the given one; else one of the content, if that has a time, which makes it tell
        one event from another; else none."""
        given = next(self._given)
        if key:
            return key
        if given:
            return given
        if not timed:
            return UNSET
        made = made_id(sender, item)
        self._seen[made] += 1
        return made_id(sender, item, self._seen[made] - 1)


def event_sent(members: Members, received_at: int, sender: Sender | None, ids: Ids, item: bytes) -> Sent:
    name = members.text("eventTypeKey")
    properties = _properties(members)
    key = members.id("keyValue")
    time = happened(members.value("occurred"), None, received_at)
    if sender is not None and not (sender.user_id is UNSET and sender.device_id is UNSET):
        user_id, device_id = sender.user_id, sender.device_id
    else:
        user_id, device_id = _who(properties)
        if user_id is UNSET and device_id is UNSET:
            user_id, key = key, UNSET
        elif key in _identities(properties):
            key = UNSET
    if sender is not None and isinstance(name, str) and (properties is UNSET or isinstance(properties, dict)):
        name, properties = of_the_sdk(name, {} if properties is UNSET else properties) or (name, properties)
    sent = Sent(
        event=name,
        user_id=user_id,
        anonymous_id=device_id,
        event_id=ids.next(key, sender, item, timed=time.time is not UNSET),
        time=time.time,
        properties=properties,
    )
    sent.via = Via("reteno", time=time.given, rest=members.rest)
    if sender is not None:
        sent.via.library, sent.via.debug = sender.library, sender.debug
    return sent


def _properties(members: Members) -> Any:
    """``params`` and ``eventParams`` as one object; as they came where they are none, for the dead letter to show."""
    listed, named = members.raw("params"), members.raw("eventParams")
    try:
        properties = {**_listed(listed), **(_decode_fields(named) if named is not UNSET else {})}
    except (msgspec.DecodeError, KeyError):
        for name, raw in (("params", listed), ("eventParams", named)):
            if raw is not UNSET:
                members.put_back(name, raw)
        return listed if named is UNSET else named
    return properties or UNSET


def _listed(raw: Raw | UnsetType) -> dict[str, Raw]:
    if raw is UNSET:
        return {}
    if bytes(raw)[:1] == b"{":
        return _decode_fields(raw)
    return {_decode_text(pair["name"]): pair.get("value", Raw(b"null")) for pair in _decode_list(raw)}


def _who(properties: Any) -> tuple[Any, Any]:
    """User and device by the parameters that name them."""
    if not isinstance(properties, dict):
        return UNSET, UNSET
    user = next((found for name in _USERS if (found := _named(properties, name))), UNSET)
    return user, _named(properties, _DEVICE) or UNSET


def _identities(properties: Any) -> set[str]:
    named = (_named(properties, name) for name in (*_USERS, _DEVICE)) if isinstance(properties, dict) else ()
    return {name for name in named if name}


def _named(properties: Mapping[str, Raw], name: str) -> str:
    """A parameter that is an id; empty where it is none."""
    raw = properties.get(name)
    text = UNSET if raw is None or bytes(raw) == b"null" else as_text(raw)
    return text if isinstance(text, str) else ""

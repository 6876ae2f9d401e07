"""What the mobile SDKs of Reteno send beside custom events, as events of the plan.

An SDK can say nothing but text. Of its own events the types are known, so their parameters become what the plan calls
them and of the type it expects; parameters of custom events stay the text they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, UnsetType

from producers.ingest.envelopes import Sent, Via
from producers.ingest.members import Members, as_text
from producers.ingest.request import Request
from producers.ingest.traits import planned

_VERSION = 64
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode


class Sender(NamedTuple):
    """The device that sends and its user, as an SDK says with each request."""

    device_id: Any
    user_id: Any
    library: Any
    debug: bool


def sender_of(device_id: Raw | UnsetType, user_id: Raw | UnsetType, request: Request) -> Sender:
    version = request.headers.get(b"x-reteno-sdk-version")
    library = {"name": "reteno", "version": version[:_VERSION].decode("latin-1")} if version else UNSET
    debug = request.headers.get(b"x-reteno-debug", b"").strip().lower() == b"true"
    return Sender(_id(device_id), _id(user_id), library, debug)


def user_sent(members: Members, request: Request) -> Sent:
    """``/api/v1/user``: an identify whose properties are the attributes, under the names of the plan where it has any.
    Without an id, since the same words may be said again after others."""
    sender = sender_of(members.raw("deviceId"), members.raw("externalUserId"), request)
    attributes = members.raw("userAttributes")
    via = Via("reteno", library=sender.library, debug=sender.debug, rest=members.rest)
    return Sent(
        type="identify",
        user_id=sender.user_id,
        anonymous_id=sender.device_id,
        properties=_traits(attributes),
        via=via,
    )


def device_sent(members: Members, request: Request) -> Sent | None:
    """``/api/v1/device``: the push token of the device, if it has one."""
    sender = sender_of(members.raw("deviceId"), members.raw("externalUserId"), request)
    token = members.text("pushToken")
    if not token:
        return None
    provider = {"provider": "fcm"} if members.text("osType") == "ANDROID" else {}
    via = Via("reteno", library=sender.library, debug=sender.debug, rest=members.rest)
    return Sent(
        event="Push Token Updated",
        user_id=sender.user_id,
        anonymous_id=sender.device_id,
        properties={"token": token, **provider},
        via=via,
    )


def made_id(sender: Sender | None, item: bytes, ordinal: int = 0) -> str:
    """For what comes without an id: the same each time the same thing is sent, since SDKs send again after a lost
    answer. ``ordinal`` tells events apart that are equal in one request."""
    digest = hashlib.sha256(item)
    if sender is not None:
        digest.update(repr(tuple(map(_written, (sender.device_id, sender.user_id)))).encode())
    return f"reteno-{digest.hexdigest()[:32]}" + (f"-{ordinal}" if ordinal else "")


def _written(value: Any) -> Any:
    """What prints the same each time; Raw prints its address."""
    return bytes(value) if isinstance(value, Raw) else value


def of_the_sdk(event: str, properties: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Name and properties in the plan of an event that SDKs send by themselves; None for any other."""
    if event not in _EVENTS:
        return None
    name, renamed, added = _EVENTS[event]
    said = dict(properties)
    for theirs, (ours, read) in renamed.items():
        raw = said.get(theirs)
        value = read(as_text(raw)) if isinstance(raw, Raw) else None
        if value is not None and ours not in said:
            said[ours] = value
    return name, {**said, **added}


def _boolean(text: Any) -> bool | None:
    return {"true": True, "false": False}.get(text) if isinstance(text, str) else None


def _number(text: Any) -> float | None:
    try:
        return float(text) if isinstance(text, str) and "n" not in text.lower() else None
    except ValueError:
        return None


def _string(text: Any) -> str | None:
    return text if isinstance(text, str) else None


_Read = Callable[[Any], Any]
_EVENTS: Mapping[str, tuple[str, Mapping[str, tuple[str, _Read]], Mapping[str, Any]]] = {
    "screenView": ("Screen Viewed", {"screenClass": ("name", _string)}, {}),
    "ApplicationOpened": ("ApplicationOpened", {"fromBackground": ("from_background", _boolean)}, {}),
    "ApplicationUpdated": (
        "ApplicationUpdated",
        {"previousVersion": ("previous_version", _string), "previousBuild": ("previous_build", _string)},
        {},
    ),
    "SessionStarted": ("SessionStarted", {"sessionID": ("session_id", _string)}, {}),
    "SessionEnded": (
        "SessionEnded",
        {"sessionID": ("session_id", _string), "durationInSeconds": ("duration_seconds", _number)},
        {},
    ),
    "PushNotificationsSubscribed": ("Push Permission Changed", {}, {"granted": True}),
    "PushNotificationsUnsubscribed": ("Push Permission Changed", {}, {"granted": False}),
}
"""Those of the SDKs for Android and iOS whose name or parameters the plan does not have."""


def _traits(attributes: Raw | UnsetType) -> Any:
    if attributes is UNSET:
        return UNSET
    try:
        said = {name: raw for name, raw in _decode_fields(attributes).items() if bytes(raw) != b"null"}
        address = _decode_fields(said["address"]) if "address" in said else {}
        own = {pair["key"]: pair["value"] for pair in map(_pair, _decode_list(said.pop("fields", Raw(b"[]"))))}
    except (msgspec.DecodeError, KeyError):
        return attributes  # as it came, for the dead letter to show
    if "town" in address:
        said.setdefault("city", address["town"])
    return planned({**own, **said})


def _pair(raw: Raw) -> dict[str, Any]:
    fields: dict[str, Any] = _decode_fields(raw)
    return {"key": msgspec.json.decode(fields["key"], type=str), "value": fields.get("value", Raw(b"null"))}


def _id(raw: Raw | UnsetType) -> Any:
    return UNSET if raw is UNSET or bytes(raw) == b"null" else as_text(raw)

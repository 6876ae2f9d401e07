"""CloudEvents 1.0 of the raw topics, structured and binary, as envelopes. The contract is in docs/formats.md.

Source: the specification, its JSON format and its Kafka protocol binding.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.envelope import MAX_DEPTH, MAX_ID, Envelope, Undecodable, blamed, is_deep
from schemas.violations import show

MEDIA_TYPE = "application/cloudevents"
PREFIX = "ce_"
"""How the names of headers begin that carry attributes."""
_SHALLOW = f"at most {MAX_DEPTH} levels of objects and arrays"
_REQUIRED = ("specversion", "id", "source", "type")


class CloudEnvelope(Envelope):
    """An envelope whose ``source`` is whatever URI its sender goes by, so it may be none that is declared."""


class _CloudEvent(msgspec.Struct, gc=False):
    """What is read of a CloudEvent."""

    specversion: str | None = None
    id: str | None = None
    source: str | None = None
    type: str | None = None
    subject: str | None = None
    time: str | None = None
    datacontenttype: str | None = None
    userid: str | None = None
    anonymousid: str | None = None
    data: dict[str, Any] | None = None
    data_base64: str | None = None


_decode_event = msgspec.json.Decoder(_CloudEvent).decode
_decode_data = msgspec.json.Decoder(dict[str, Any] | None).decode
_HEADERS = {
    PREFIX + name: name for name in _CloudEvent.__struct_fields__
    if name not in ("datacontenttype", "data", "data_base64")
}  # fmt: skip


def structured(value: bytes) -> CloudEnvelope:
    """The envelope in a JSON object with the attributes and the data. Raises Undecodable."""
    try:
        event = _decode_event(value.decode())
    except msgspec.ValidationError as error:
        raise Undecodable(f"not a CloudEvent: {error}", None, blamed(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Undecodable(f"not JSON: {error}") from None
    if event.data_base64 is not None:
        if event.data is not None:
            raise _wrong(event, "data_base64", "either data or data_base64", "both")
        try:
            data = binascii.a2b_base64(event.data_base64.encode(), strict_mode=True)
        except ValueError as error:
            raise _wrong(event, "data_base64", "base64", str(error)) from None
        event.data = _data(event, data, "data_base64")
    elif is_deep(value, event.data):
        raise _wrong(event, "data", _SHALLOW, "more")
    return _envelope(event)


def binary(value: bytes | None, headers: Mapping[str, bytes], media: str) -> CloudEnvelope:
    """The envelope of a record whose headers are the attributes and whose value is data of the type ``media``, JSON if
    that is empty. Raises Undecodable."""
    event = _CloudEvent(datacontenttype=media or None)
    for header, content in headers.items():
        name = _HEADERS.get(header)
        if name is not None:
            try:
                setattr(event, name, content.decode())
            except UnicodeDecodeError as error:
                raise _wrong(event, name, "UTF-8", f"something else at byte {error.start}") from None
    event.data = _data(event, value, "data")
    return _envelope(event)


def _envelope(event: _CloudEvent) -> CloudEnvelope:
    if not (event.specversion and event.id and event.source and event.type):
        name = next(name for name in _REQUIRED if not getattr(event, name))
        raise _wrong(event, name, "a string", "nothing" if getattr(event, name) is None else "an empty one")
    if event.specversion != "1.0":
        raise _wrong(event, "specversion", '"1.0"', show(event.specversion))
    for name in ("id", "userid", "subject", "anonymousid"):
        said = getattr(event, name)
        if said is not None and len(said) > MAX_ID:
            raise _wrong(event, name, f"at most {MAX_ID} characters", str(len(said)))
    media = event.datacontenttype
    if media is not None and not _is_json(media):
        raise _wrong(event, "datacontenttype", "a type of JSON", show(media))
    return CloudEnvelope(
        event=event.type,
        event_id=event.id,
        source=event.source,
        user_id=event.userid or event.subject,
        anonymous_id=event.anonymousid,
        time=event.time,
        properties=event.data,
    )


def _is_json(media: str) -> bool:
    kind = media.partition(";")[0].strip().lower()
    return kind in ("application/json", "text/json") or kind.endswith("+json")


def _data(event: _CloudEvent, data: bytes | None, name: str) -> dict[str, Any] | None:
    if not data:
        return None
    try:
        members: dict[str, Any] | None = _decode_data(data.decode())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise _wrong(event, name, "a JSON object", f"something else: {error}") from None
    if is_deep(data, members):
        raise _wrong(event, name, _SHALLOW, "more")
    return members


def _wrong(event: _CloudEvent, name: str, expected: str, got: str) -> Undecodable:
    readable = {"event": event.type, "source": event.source}
    return Undecodable(f"not a CloudEvent: {name}: expected {expected}, got {got}", readable, (name, expected, got))

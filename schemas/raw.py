"""The forms of a raw record told apart, in the order of docs/formats.md, Raw records.

All but framed Avro come to an envelope.
"""

from __future__ import annotations

from typing import Literal

from schemas import cloudevents
from schemas.cloudevents import MEDIA_TYPE, PREFIX
from schemas.envelope import Envelope, Headers, NotNative, Undecodable, decode

Form = Literal["avro", "structured", "binary", "json"]
"""Framed Avro, a CloudEvent by its content-type, one by its headers, or JSON that says itself whether it is one."""


def form_of(value: bytes | None, headers: Headers | None) -> Form:
    """What a record is read as, whether or not it can be."""
    if is_framed(value):
        return "avro"
    return _form(headers)[0] if headers else "json"


def is_framed(value: bytes | None) -> bool:
    """Whether the value claims to be Avro in Confluent wire format."""
    return value is not None and value[:1] == b"\x00"


def attributes(headers: Headers) -> tuple[dict[str, bytes], bytes]:
    """Of a binary CloudEvent: the headers that are attributes, of each name the last, but only if it has a value; and
    the last content-type, however it is written."""
    said: dict[str, bytes | None] = {}
    media: bytes | None = None
    for name, content in headers:
        if name.startswith(PREFIX):
            said[name] = content
        elif name.lower() == "content-type":
            media = content
    return ({name: content for name, content in said.items() if content} if said else {}), media or b""


def read(value: bytes | None, headers: Headers | None) -> Envelope:
    """The envelope of a record in any form of JSON. Raises Undecodable, for framed Avro too."""
    if headers and not is_framed(value):
        form, media, said = _form(headers)
        if form == "structured":
            expected = f"{MEDIA_TYPE}+json"
            if media != expected:
                detail = f"content-type: expected {expected}, got {media!r}"
                raise Undecodable(detail, None, ("content-type", expected, media))
            return cloudevents.structured(value or b"")
        if form == "binary":
            return cloudevents.binary(value, said, media)
    try:
        return decode(value)
    except NotNative:
        return cloudevents.structured(value or b"")


def _form(headers: Headers) -> tuple[Form, str, dict[str, bytes]]:
    """With the media type, in small letters and without parameters, and the attributes."""
    said, media = attributes(headers)
    kind = media.partition(b";")[0].strip().lower().decode("utf-8", "replace") if media else ""
    if kind.startswith(MEDIA_TYPE):
        return "structured", kind, said
    return "binary" if said else "json", kind, said

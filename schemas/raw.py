"""The forms of a raw record told apart, in the order of docs/formats.md, Raw records.

All but framed Avro come to an envelope.
"""

from __future__ import annotations

from schemas import cloudevents
from schemas.cloudevents import MEDIA_TYPE, PREFIX
from schemas.envelope import Envelope, Headers, NotNative, Undecodable, decode


def is_framed(value: bytes | None) -> bool:
    """Whether the value claims to be Avro in Confluent wire format."""
    return value is not None and value[:1] == b"\x00"


def read(value: bytes | None, headers: Headers | None) -> Envelope:
    """The envelope of a record in any form of JSON. Raises Undecodable, for framed Avro too."""
    if headers and not is_framed(value):
        # The last header of a name counts, and nothing but what has a value.
        said = {name: content for name, content in dict(headers).items() if content}
        media = _content_type(headers)
        if media.startswith(MEDIA_TYPE):
            expected = f"{MEDIA_TYPE}+json"
            if media != expected:
                detail = f"content-type: expected {expected}, got {media!r}"
                raise Undecodable(detail, None, ("content-type", expected, media))
            return cloudevents.structured(value or b"")
        if any(name.startswith(PREFIX) for name in said):
            return cloudevents.binary(value, said, media)
    try:
        return decode(value)
    except NotNative:
        return cloudevents.structured(value or b"")


def _content_type(headers: Headers) -> str:
    """Without parameters, in small letters; empty if there is none."""
    said = b""
    for name, content in headers:
        if name.lower() == "content-type":
            said = content or b""
    return said.partition(b";")[0].strip().lower().decode("utf-8", "replace")

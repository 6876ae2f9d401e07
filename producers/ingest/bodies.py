"""What is in the body of a request, whatever its Content-Type says: JSON as it is, in a form, or compressed unasked.

Every protocol reads its bodies in three steps: ``json_of`` finds the JSON, ``decoded`` or ``tolerant`` makes a
structure of it whose events are still bytes, ``within`` holds the events against the limits. Each gives a Refusal in
place of its result, and none raises.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Raw

from producers.ingest.answers import BadEvent, Refusal
from producers.ingest.limits import Limits, deeper_than
from producers.ingest.request import inflate, too_dense

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_BYTE = re.compile(r"\(byte (\d+)\)")
_LONG = 512 * 1024
_FIELDS = 100
_COPIED = 4
_BASE64 = re.compile(rb"[A-Za-z0-9+/=_\s-]+")
_TOKENS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|(-?Infinity\b|NaN\b)', re.DOTALL)
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPES = re.compile(_HIGH + _LOW + rb"|(" + _HIGH + rb"|" + _LOW + rb")|\\.", re.DOTALL)
_decode_list = msgspec.json.Decoder(list[Raw]).decode
_decode_raw = msgspec.json.Decoder(Raw).decode


def json_of(body: bytes, limits: Limits) -> bytes | Refusal:
    """The JSON in a body, in UTF-8 and without a byte order mark.

    Browsers and old clients send it percent-encoded, as the field ``data`` of a form, there also in base64, and
    compressed by gzip without a header that says so; one of each may be around it, in this order. Half a megabyte at
    most may be encoded so.
    """
    if body[:1] not in (b"{", b"["):
        unpacked = _unpacked(body, limits)
        if isinstance(unpacked, Refusal):
            return unpacked
        body = unpacked
    try:
        body.decode()  # parts that a decoder skips would not be looked at otherwise
    except UnicodeDecodeError as error:
        return malformed(body, error.start, "is not UTF-8", "")
    return body


def decoded(decode: Callable[[bytes], T], text: bytes, forms: str, limits: Limits) -> T | Refusal:
    """``text`` by a decoder of msgspec. ``forms`` says which bodies the protocol has, for whoever sent another."""
    try:
        return decode(text)
    except RecursionError:
        return Refusal(HTTPStatus.BAD_REQUEST, "too_deep", f"the body is nested deeper than {limits.depth}")
    except msgspec.ValidationError:
        return Refusal(HTTPStatus.BAD_REQUEST, "bad_body", f"the body is JSON of another form: {forms}")
    except msgspec.DecodeError as error:
        return _not_json(text, str(error), forms)


def tolerant(decode: Callable[[bytes], T], text: bytes, forms: str, limits: Limits) -> T | Refusal:
    """As ``decoded``, but takes what widespread clients write and JSON has not.

    Half a surrogate pair, which JavaScript makes of a text cut within an emoji, becomes U+FFFD; NaN and the infinities,
    which Python writes, become null. A refusal would make the client drop every event of its batch for one of them.
    Bodies over half a megabyte, which hardly any client sends, are not mended.
    """
    result = decoded(decode, text, forms, limits)
    if isinstance(result, Refusal) and result.error == "malformed_json":
        mended = _mended(text)
        if mended != text:
            again = decoded(decode, mended, forms, limits)
            return result if isinstance(again, Refusal) and again.error == "malformed_json" else again
    return result


def one_or_many(text: bytes, forms: str, limits: Limits) -> list[Raw] | Refusal:
    """The items of a body that is an array, else the body as the only one; read as by ``tolerant``."""
    if text.lstrip()[:1] == b"[":
        return tolerant(_decode_list, text, forms, limits)
    single = tolerant(_decode_raw, text, forms, limits)
    return single if isinstance(single, Refusal) else [single]


def within(items: Sequence[Raw], limits: Limits) -> list[bytes] | Refusal:
    """The JSON of each event if number, sizes and depths are within the limits."""
    counted = sized(items, limits)
    if isinstance(counted, Refusal):
        return counted
    deep = [index for index, item in enumerate(counted) if deeper_than(item, limits.depth)]
    if not deep:
        return counted
    return Refusal(
        HTTPStatus.BAD_REQUEST,
        "too_deep",
        f"{len(deep)} of {len(counted)} events are nested deeper than {limits.depth} levels; none was taken",
        [BadEvent(index, "", f"nested deeper than the limit of {limits.depth} levels") for index in deep],
        count=len(counted),
    )


def sized(items: Sequence[Raw], limits: Limits) -> list[bytes] | Refusal:
    """As ``within``, the depth aside."""
    if len(items) > limits.events:
        return Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too_many_events",
            f"{len(items)} events in one request, the limit is {limits.events}; send several requests",
            count=len(items),
        )
    events = [bytes(item) for item in items]
    limit = limits.event_bytes
    large = [index for index, event in enumerate(events) if len(event) > limit]
    if not large:
        return events
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "event_too_large",
        f"{len(large)} of {len(events)} events exceed the limit of {limit} bytes for one event; none was taken",
        [BadEvent(index, "", f"{len(events[index])} bytes, the limit is {limit}") for index in large],
        count=len(events),
    )


def spread(shared: bytes, items: Sequence[bytes], limits: Limits) -> Refusal | None:
    """413 or 400 unless ``shared``, JSON that a body says once for all of its events, may be copied into each.

    With it an event is still under the limit of one event, and the copies together are under that of a few bodies:
    else a small request would become gigabytes.
    """
    if not shared:
        return None
    limit, longest = limits.event_bytes, max(map(len, items), default=0)
    if len(shared) + longest > limit:
        message = f"what the body says for all of its events, {len(shared)} bytes, is part of each, and the largest of"
        message += f" them, {longest} bytes, then exceeds the limit of {limit} bytes for one event; none was taken"
        return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "event_too_large", message, count=len(items))
    if len(shared) * len(items) > _COPIED * limits.body_bytes:
        message = f"what the body says for all of its events, {len(shared)} bytes, is too much for {len(items)} of them"
        message += "; none was taken, send fewer events per request"
        return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", message, count=len(items))
    if deeper_than(shared, limits.depth):
        message = f"what the body says for all of its events is nested deeper than {limits.depth} levels"
        return Refusal(HTTPStatus.BAD_REQUEST, "too_deep", message, count=len(items))
    return None


def malformed(body: bytes, position: int, what: str, forms: str) -> Refusal:
    """400 with the place in the body where JSON ends."""
    before = body[:position]
    line, column = before.count(b"\n") + 1, position - (before.rfind(b"\n") + 1) + 1
    where = f"the body is not JSON: {what} at line {line}, column {column} (byte {position})"
    return Refusal(HTTPStatus.BAD_REQUEST, "malformed_json", f"{where}; {forms}" if forms else where)


def _field(body: bytes, name: bytes) -> bytes | None:
    for pair in body.split(b"&", _FIELDS):
        key, equals, value = pair.partition(b"=")
        if equals and key.strip() == name:
            return value
    return None


def _unquoted(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


@lru_cache(maxsize=1)  # of one request: who takes it, whose key it has and what it holds are asked one after the other
def _unpacked(body: bytes, limits: Limits) -> bytes | Refusal:
    """The JSON that something was put around; what is none comes back as it is, for the decoder to complain of."""
    text = body.removeprefix(_BOM).lstrip()
    if text[:1] not in (b"{", b"[") and text[:2] != _GZIP:
        plain = _plain(text)
        if isinstance(plain, Refusal):
            return plain
        text = plain
    if text[:2] != _GZIP:
        return text
    try:
        inflated = inflate(text, limits.body_bytes)
    except zlib.error as error:
        return Refusal(HTTPStatus.BAD_REQUEST, "bad_encoding", f"the body is not whole gzip data: {error}")
    if inflated is None:
        return Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "body_too_large",
            f"the body is larger than the limit of {limits.body_bytes} bytes (after inflating); send fewer events per"
            " request",
        )
    return too_dense(inflated) or inflated.removeprefix(_BOM).lstrip()


def _plain(text: bytes) -> bytes | Refusal:
    """Without percent signs, form and base64. To take a long one apart would keep other requests waiting."""
    field: bytes | None = None
    if text[:3].upper() not in (b"%7B", b"%5B"):
        field = _field(text, b"data")
        if field is None:
            return text
    if len(text) > _LONG:
        message = f"the body is percent-encoded or a form of {len(text)} bytes, the limit for such is {_LONG}"
        message += "; send the JSON as it is, or fewer events per request"
        return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", message)
    text = _unquoted(text if field is None else field).strip()
    return _from_base64(text) if text[:1] not in (b"{", b"[") and _BASE64.fullmatch(text) else text


def _from_base64(text: bytes) -> bytes:
    """A blank was a plus before the form was decoded; padding may be missing. What is no base64 stays as it is."""
    plain = text.replace(b" ", b"+").replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=\r\n")
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4)).lstrip()
    except binascii.Error:
        return text


def _mended(text: bytes) -> bytes:
    """A long body is left as it is: looking at every token of it would keep other requests waiting."""
    if len(text) > _LONG:
        return text
    if b"\\u" in text:  # escapes are in strings alone
        text = _ESCAPES.sub(lambda part: b"\\ufffd" if part[1] else part[0], text)
    if b"NaN" in text or b"Infinity" in text:
        text = _TOKENS.sub(lambda token: b"null" if token[1] else token[0], text)
    return text


def _not_json(text: bytes, complaint: str, forms: str) -> Refusal:
    at = _BYTE.search(complaint)
    if at is None:
        return malformed(text, len(text), "ends too early, or holds half a surrogate pair", forms)
    return malformed(text, int(at[1]), complaint.removeprefix("JSON is malformed: ").partition(" (byte")[0], forms)

"""One HTTP request, read whole: the body inflated, with a stop at the limit however small it came in.

How long a body may take is the connection's business (producers.ingest.connections): one that is late ends as if the
client had gone.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from producers.ingest.answers import Refusal, unavailable

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MEMBERS = 64  # each one costs a copy of what follows it; writers make one
_READ_ON = 4
"""Times the limit: so much of a body that is too large is read and dropped, so that the client gets to hear the answer
before the connection ends."""

_VALUES = 400_000
"""Commas in a body: 4 MB of digits are two million values, and each costs a hundred bytes before anybody can count
events."""


class ClientGone(Exception):
    """The connection ended before the request was whole."""


@dataclass(frozen=True, slots=True)
class Request:
    """``path`` has no trailing slash; header names are lower case; a repeated header keeps its last value.
    ``received_at``: when it came, in milliseconds since 1970."""

    method: str
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes
    received_at: int = 0


class Room:
    """Memory for bodies that are still on their way, of all connections together: however many clients dawdle, no more
    is held than this."""

    def __init__(self, size: int) -> None:
        self.left = size


async def read_request(
    scope: Message, headers: Mapping[bytes, bytes], receive: Receive, limit: int, room: Room
) -> Request | Refusal:
    """The whole request, or why its body cannot be had. ``limit`` holds for the body as sent and as inflated."""
    if _declared(headers) > (limit if b"expect" in headers else _READ_ON * limit):
        return _too_large(limit)
    body = await _read_body(receive, limit, room)
    if isinstance(body, Refusal):
        return body
    encoding = headers.get(b"content-encoding")
    if encoding and body is not None:
        body = _decoded(body, encoding.strip().lower(), limit)
        if isinstance(body, Refusal):
            return body
    if body is None:
        return _too_large(limit)
    dense = too_dense(body)
    if dense is not None:
        return dense
    received_at = time.time_ns() // 1_000_000
    return Request(scope["method"], plain_path(scope["path"]), scope["query_string"], headers, body, received_at)


def _decoded(body: bytes, encoding: bytes, limit: int) -> bytes | Refusal | None:
    if encoding in (b"", b"identity"):
        return body
    if encoding not in (b"gzip", b"x-gzip"):
        message = f"Content-Encoding is {encoding[:50].decode('latin-1')!r}, expected gzip or none"
        return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "bad_encoding", message)
    try:
        return inflate(body, limit)
    except zlib.error as error:
        return Refusal(HTTPStatus.BAD_REQUEST, "bad_encoding", f"the body is not whole gzip data: {error}")


def _declared(headers: Mapping[bytes, bytes]) -> int:
    """What Content-Length says; the parser has seen to it that it is a number."""
    length = headers.get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


def _too_large(limit: int) -> Refusal:
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        f"the body is larger than the limit of {limit} bytes (after inflating); send fewer events per request",
        headers=((b"connection", b"close"),),
    )


def plain_path(path: str) -> str:
    """Without trailing slashes: clients send them or not as they please."""
    return path.rstrip("/") or "/"


async def _read_body(receive: Receive, limit: int, room: Room) -> bytes | Refusal | None:
    """None when the body is over the limit."""
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    chunk: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return chunk if len(chunk) <= limit else None
    chunks, size, held = [chunk], len(chunk), len(chunk)
    room.left -= held
    try:
        while message.get("more_body") and size <= _READ_ON * limit:
            if room.left < 0:
                chunks.clear()
                return _no_room()
            message = await receive()
            if message["type"] != "http.request":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= limit:
                chunks.append(chunk)
                room.left -= len(chunk)
                held += len(chunk)
    finally:
        room.left += held
    return b"".join(chunks) if size <= limit else None


def too_dense(body: bytes) -> Refusal | None:
    """413 for JSON of so many values that to decode it would keep other requests waiting."""
    if len(body) <= _VALUES or body.count(b",") <= _VALUES:
        return None
    message = f"the body has more than {_VALUES} values; send fewer events per request"
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", message)


def _no_room() -> Refusal:
    refusal = unavailable("too many large bodies are on their way; nothing was taken, send it again", 1)
    return replace(refusal, headers=(*refusal.headers, (b"connection", b"close")))


def inflate(data: bytes, limit: int) -> bytes | None:
    """gzip data inflated, members one after the other; None as soon as it exceeds ``limit`` bytes.

    Raises zlib.error when the data is not gzip or ends too early.
    """
    parts: list[bytes] = []
    room = limit + 1
    for _ in range(_GZIP_MEMBERS):
        if not data:
            return b"".join(parts)
        member = zlib.decompressobj(_GZIP)
        part = member.decompress(data, room)
        parts.append(part)
        room -= len(part)
        if room <= 0:
            return None
        if not member.eof:
            raise zlib.error("it ends too early")
        data = member.unused_data.lstrip(b"\0")
    raise zlib.error(f"more than {_GZIP_MEMBERS} members")

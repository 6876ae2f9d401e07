"""One HTTP request, read whole: the body inflated, with a stop at the limit however small it came in."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from producers.ingest.answers import Refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_BODY_SECONDS = 30.0
_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MEMBERS = 64  # each one costs a copy of what follows it; writers make one


class ClientGone(Exception):
    """The connection ended before the request was whole."""


@dataclass(frozen=True, slots=True)
class Request:
    """``path`` has no trailing slash; header names are lower case; a repeated header keeps its last value.
    ``received_at``: when it came, in milliseconds since 1970."""

    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    body: bytes
    received_at: int = 0


async def read_request(scope: Message, receive: Receive, limit: int) -> Request | Refusal:
    """The whole request, or why its body cannot be had. ``limit`` holds for the body as sent and as inflated."""
    headers = dict(scope["headers"])
    try:
        body = await _read_body(receive, limit)
    except TimeoutError:
        return Refusal(
            HTTPStatus.REQUEST_TIMEOUT, "too_slow", f"the body did not arrive within {_BODY_SECONDS:g} s",
            headers=((b"connection", b"close"),),
        )  # fmt: skip
    encoding = headers.get(b"content-encoding", b"").strip().lower()
    if encoding not in (b"", b"identity", b"gzip", b"x-gzip"):
        return Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "bad_encoding",
            f"Content-Encoding is {encoding.decode('latin-1')!r}, expected gzip or none",
        )
    if body is not None and encoding.endswith(b"gzip"):
        try:
            body = inflate(body, limit)
        except zlib.error as error:
            return Refusal(HTTPStatus.BAD_REQUEST, "bad_encoding", f"the body is not whole gzip data: {error}")
    if body is None:
        return Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "body_too_large",
            f"the body is larger than the limit of {limit} bytes (after inflating); send fewer events per request",
            headers=((b"connection", b"close"),),
        )
    received_at = time.time_ns() // 1_000_000
    return Request(scope["method"], plain_path(scope["path"]), scope["query_string"], headers, body, received_at)


def plain_path(path: str) -> str:
    """Without trailing slashes: clients send them or not as they please."""
    return path.rstrip("/") or "/"


async def _read_body(receive: Receive, limit: int) -> bytes | None:
    """None when the body is over the limit; it is then read on a while, so that the client gets to hear the answer."""
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    if not message.get("more_body"):
        body: bytes = message.get("body", b"")
        return body if len(body) <= limit else None
    chunks = [message.get("body", b"")]
    size = len(chunks[0])
    async with asyncio.timeout(_BODY_SECONDS):
        while message.get("more_body") and size <= 4 * limit:
            message = await receive()
            if message["type"] != "http.request":
                raise ClientGone
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= limit:
                chunks.append(chunk)
    return b"".join(chunks) if size <= limit else None


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

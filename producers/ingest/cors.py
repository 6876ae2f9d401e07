"""Browsers: what pages of other origins may send here, and how they are told.

A preflight carries no key, so it is answered openly, for long; the origin is judged with the request itself, where the
key says which ones it allows. Nothing here hangs on cookies, so allowing credentials gives nobody anything; without it
``navigator.sendBeacon`` and clients that send them could not deliver.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from producers.ingest.answers import Answer, Header, Refusal
from producers.ingest.keyring import Source

_DAY = b"86400"
"""Seconds; browsers lower it to what they allow."""
_ORIGIN = re.compile(rb"[!-~]{1,300}")
_NAMES = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z, ]{1,2000}")
_EXPOSED = b"retry-after"


def preflight(headers: Mapping[bytes, bytes], methods: Iterable[str]) -> Answer | None:
    """The answer to an OPTIONS that asks whether a page may send; None if it asks nothing of the kind."""
    origin = _origin(headers)
    if origin is None or b"access-control-request-method" not in headers:
        return None
    wanted = headers.get(b"access-control-request-headers", b"")
    allowed = [(b"access-control-allow-headers", wanted)] if _NAMES.fullmatch(wanted) else []
    return Answer(
        HTTPStatus.NO_CONTENT,
        b"",
        (
            (b"access-control-allow-methods", ", ".join(methods).encode()),
            *allowed,
            (b"access-control-max-age", _DAY),
            (b"vary", b"origin, access-control-request-method, access-control-request-headers"),
        ),
    )


def handshake(headers: Mapping[bytes, bytes]) -> Answer | None:
    """The answer to a sender of CloudEvents that asks, by OPTIONS, whether it may deliver (HTTP 1.1 Web Hooks for Event
    Delivery, 4.1); None if it does not. Any may try; the key decides."""
    origin = headers.get(b"webhook-request-origin")
    if origin is None or not _ORIGIN.fullmatch(origin):
        return None
    return Answer(HTTPStatus.OK, b"", ((b"webhook-allowed-origin", origin), (b"webhook-allowed-rate", b"*")))


def headers_for(headers: Mapping[bytes, bytes]) -> tuple[Header, ...]:
    """What every answer to a page carries, errors too, so that its client can read them. Empty for other clients."""
    if b"origin" not in headers:
        return ()
    origin = _origin(headers)
    if origin is None:
        return ()
    return (
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", _EXPOSED),
        (b"vary", b"origin"),
    )


def refusal(headers: Mapping[bytes, bytes], source: Source) -> Refusal | None:
    """403 if a page of this origin may not use the key; a client that names no origin is no browser."""
    allowed = source.terms.origins
    if allowed is None or b"origin" not in headers:
        return None
    origin = headers[b"origin"].decode("latin-1").lower()
    if origin in allowed or any(_matches(pattern, origin) for pattern in allowed):
        return None
    return Refusal(
        HTTPStatus.FORBIDDEN,
        "origin_not_allowed",
        f"key {source.terms.id} of source {source.id} may not be used by pages of {origin[:200]};"
        f" `offerflow keys change {source.terms.id} --add-origin {origin[:200]}` allows it",
    )


def _matches(pattern: str, origin: str) -> bool:
    """``https://*.shop.example`` stands for every host below shop.example, and for no other scheme or port."""
    before, star, after = pattern.partition("*")
    return bool(star) and origin.startswith(before) and origin.endswith(after) and len(origin) > len(before + after)


def _origin(headers: Mapping[bytes, bytes]) -> bytes | None:
    origin = headers.get(b"origin")
    return origin if origin is not None and _ORIGIN.fullmatch(origin) else None

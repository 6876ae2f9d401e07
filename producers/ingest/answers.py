"""What goes back to a client: an answer ready to be sent, or a refusal that a protocol puts into its own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """Ready to be sent, but for what the application adds for browsers."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, slots=True)
class BadEvent:
    """What is wrong with one event of a request: its index from 0, the field, and what was expected."""

    index: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing of a request was taken. ``error`` is a stable word for programs, ``message`` is for people;
    ``count`` is how many events the request had, where that is known."""

    status: int
    error: str
    message: str
    events: Sequence[BadEvent] = ()
    headers: tuple[Header, ...] = ()
    count: int = 0


def json_answer(status: int, content: Any, headers: tuple[Header, ...] = ()) -> Answer:
    return Answer(status, msgspec.json.encode(content), ((b"content-type", b"application/json"), *headers))


def plain_refusal(refusal: Refusal) -> Answer:
    """A refusal as JSON: ``error``, ``message`` and, where single events are at fault, ``events`` with indexes."""
    content: dict[str, Any] = {"error": refusal.error, "message": refusal.message}
    if refusal.events:
        content["events"] = [{"index": bad.index, "field": bad.field, "message": bad.message} for bad in refusal.events]
    return json_answer(refusal.status, content, refusal.headers)


def unavailable(message: str, retry_after: int) -> Refusal:
    """503: nothing is wrong with the request, send it again in ``retry_after`` seconds."""
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", message, headers=((b"retry-after", b"%d" % retry_after),)
    )


def unauthorized(message: str) -> Refusal:
    return Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized", message, headers=((b"www-authenticate", b"Bearer"),))


def wrong_method(path: str, method: str, methods: Sequence[str]) -> Refusal:
    """405, naming the methods there are."""
    allowed = ", ".join(methods)
    return Refusal(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "wrong_method",
        f"{path[:200]} takes {allowed}, not {method[:20]}",
        headers=((b"allow", allowed.encode()),),
    )

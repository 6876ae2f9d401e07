"""Requests as an adapter reads them, for tests without a server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from producers.ingest.adapters.protocol import Adapter, RawEvent
from producers.ingest.answers import Answer, Refusal
from producers.ingest.keyring import Source
from producers.ingest.request import Request
from tests.producers.ingest.edge import SOURCE

FIXTURES = Path(__file__).parent / "fixtures"
RECEIVED = 1_772_704_800_000
"""2026-03-05T10:00:00Z."""


def asked(
    path: str, body: object = b"", *, method: str = "POST", query: bytes = b"", **headers: str | bytes
) -> Request:
    """``body`` is sent as JSON unless it is bytes; header names are written with underscores."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    said = {
        name.replace("_", "-").encode(): value if isinstance(value, bytes) else value.encode("latin-1")
        for name, value in headers.items()
    }
    return Request(method, path, query, said, content, RECEIVED)


def fixture(name: str, **said: str) -> dict[str, Any]:
    """A captured request; ``said`` takes the places in braces: key, user, device."""
    text = (FIXTURES / f"{name}.json").read_text()
    for place, value in said.items():
        text = text.replace(f"{{{place}}}", value)
    read: dict[str, Any] = json.loads(text)
    return read


def of_fixture(name: str, **said: str) -> Request:
    read = fixture(name, **said)
    headers = {key.lower().replace("-", "_"): value for key, value in read["headers"].items()}
    return asked(read["path"], read["body"], method=read["method"], **headers)


def taken(adapter: Adapter, request: Request, source: Source = SOURCE) -> Sequence[RawEvent]:
    outcome = adapter.read(request, source)
    assert not isinstance(outcome, Refusal | Answer), outcome
    return outcome


def envelopes(adapter: Adapter, request: Request) -> list[dict[str, Any]]:
    """What goes to Kafka, one for each event."""
    return [json.loads(event.value) for event in taken(adapter, request)]


def refused(adapter: Adapter, request: Request, source: Source = SOURCE) -> Refusal:
    outcome = adapter.read(request, source)
    assert isinstance(outcome, Refusal), outcome
    return outcome


def said(answer: Answer) -> Any:
    return json.loads(answer.body)

"""What the application asks of every protocol.

To add one, write a module with an Adapter and list it in ``producers.ingest.__main__``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from producers.ingest.answers import Answer, Refusal
from producers.ingest.keyring import Source
from producers.ingest.request import Request


class RawEvent(NamedTuple):
    """One event on its way to the raw topic of its source: the envelope as bytes, and what Kafka orders it by."""

    id: str
    key: str
    value: bytes


class Adapter(Protocol):
    """Pure: no network, no waiting. Nothing a client sends may make it raise."""

    name: str
    """The ``protocol`` label of the metrics."""

    routes: Mapping[str, tuple[str, ...]]
    """Methods by path, without trailing slash."""

    def key(self, request: Request) -> str | Refusal:
        """The key, wherever clients of this protocol put it."""

    def read(self, request: Request, source: Source) -> Sequence[RawEvent] | Refusal:
        """All events of the request, or why none is taken."""

    def accepted(self, events: Sequence[RawEvent]) -> Answer:
        """Kafka has every one of ``events``."""

    def refused(self, refusal: Refusal) -> Answer:
        """The refusal in the words that clients of this protocol understand."""

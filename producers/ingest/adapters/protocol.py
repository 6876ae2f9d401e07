"""What the application asks of every protocol.

To add one, write a module with an Adapter and list it in ``producers.ingest.adapters.all``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from producers.ingest.answers import Answer, Refusal
from producers.ingest.keyring import Source
from producers.ingest.request import Request


class RawEvent(NamedTuple):
    """One event on its way to the raw topic of its source: the envelope as bytes, and what Kafka orders it by.

    ``name`` is the event's name as the plan would know it (``Identified`` for an identify): what the allow-list of a
    key and the reserved names are held against. Empty where the protocol has seen to that itself. ``past``: an event of
    long ago that is imported: it goes to ``raw.import``, where no lateness is held against it. ``stripped``: properties
    that will be left out of it since the plan does not have them, where the request asked to be judged.
    """

    id: str
    key: str
    value: bytes
    name: str = ""
    past: bool = False
    stripped: tuple[str, ...] = ()


class Adapter(Protocol):
    """Pure: no network, no waiting, no clock (``request.received_at`` is when it came). Nothing a client sends may make
    it raise.

    Accept first, judge later: an event that can be written as an envelope is taken, however wrong, and the validation
    stage makes a dead letter of it that says why. Refused is only what cannot be read at all or is over a limit.
    """

    name: str
    """The ``protocol`` label of the metrics."""

    routes: Mapping[str, tuple[str, ...]]
    """Methods by path, without trailing slash. A part of a path in braces stands for any text without a slash."""

    def claims(self, request: Request) -> bool:
        """Whether a request to a path that several protocols share is of this one. They are asked in their order."""

    def key(self, request: Request) -> str | Refusal:
        """The key, wherever clients of this protocol put it."""

    def read(self, request: Request, source: Source) -> Sequence[RawEvent] | Refusal | Answer:
        """All events of the request, or why none is taken, or what is answered to a request that carries none."""

    def accepted(self, events: Sequence[RawEvent]) -> Answer:
        """Kafka has every one of ``events``."""

    def refused(self, refusal: Refusal) -> Answer:
        """The refusal in the words that clients of this protocol understand."""

"""Who may come in, the same for every protocol: a key that is known, a page its key allows, events within its quota."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from producers.ingest import cors
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import Answer, Refusal
from producers.ingest.guesses import Guesses
from producers.ingest.keyring import KeyRing, Source
from producers.ingest.quotas import Quotas
from producers.ingest.request import Request
from producers.ingest.strict import Strict


class WrongKey(Refusal):
    """The key that was given is not one."""

    __slots__ = ()


class Notes(Protocol):
    """Where it is noted when a key was used: producers.ingest.last_use."""

    def note(self, key_id: str, at: int) -> None: ...


class Gate:
    """Belongs to one event loop."""

    def __init__(self, keys: KeyRing, quotas: Quotas | None = None, strict: Strict | None = None) -> None:
        self._keys = keys
        self._quotas = quotas or Quotas()
        self._strict = strict or Strict()
        self._used: Notes | None = None
        self._guesses = Guesses()

    def tell(self, used: Notes) -> None:
        """From here on ``used`` hears of every key that opens."""
        self._used = used

    def source(self, key: str | Refusal, request: Request) -> Source | Refusal:
        """Who sends. WrongKey for a key that is none: ``hold_back`` before answering."""
        if isinstance(key, Refusal):
            return key
        source = self._keys.source_of(key)
        if isinstance(source, Refusal):
            return WrongKey(source.status, source.error, source.message, headers=source.headers)
        if self._used is not None:
            self._used.note(source.terms.id, request.received_at)
        return cors.refusal(request.headers, source) or self._quotas.exhausted(source) or source

    async def hold_back(self, address: str) -> None:
        """Of a client at ``address`` that tried a wrong key. Nothing of its request should be in memory by then."""
        await self._guesses.hold_back(address)

    async def let_in(
        self, events: Sequence[RawEvent], source: Source, request: Request
    ) -> Sequence[RawEvent] | Refusal | Answer:
        """The events if all may be taken, which then counts towards the quota of the key."""
        if request.query:
            judged = await self._strict.judged(request, source, events)
            if isinstance(judged, Refusal | Answer):
                return judged
            events = judged
        return self._quotas.refusal(source, len(events)) or events

    def not_taken(self, events: Sequence[RawEvent], source: Source) -> None:
        """They were let in and could not be taken after all: they do not count."""
        self._quotas.give_back(source, len(events))

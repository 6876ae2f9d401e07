"""What a key may not send: names outside its allow-list, and the reserved ones of requests.

Such an event is taken all the same, with a header ``of-refused`` that says why, and validation makes a dead letter of
it: so nothing is lost, and a batch is not refused for one event of it. The format is in docs/formats.md, Dead letters.
"""

from __future__ import annotations

from collections.abc import Sequence

from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.keyring import Source
from schemas.refused import refused_header
from schemas.requests import PREFIX


def marks(events: Sequence[RawEvent], source: Source) -> list[bytes | None] | None:
    """For each event what goes into its header ``of-refused``, if anything; None where that is so for none of them."""
    allowed = source.terms.events
    if allowed is None:
        for event in events:  # what nearly every request comes to
            if event.name.startswith(PREFIX):
                break
        else:
            return None
        return [_reserved(event.name) if event.name.startswith(PREFIX) else None for event in events]
    found = [_mark(event.name, allowed, source) for event in events]
    return found if any(found) else None


def _mark(name: str, allowed: frozenset[str], source: Source) -> bytes | None:
    if name.startswith(PREFIX):
        return _reserved(name)
    if not name or name in allowed:
        return None
    return refused_header(
        f"key {source.terms.id} of source {source.id} may not send {name!r}: `offerflow keys list` shows what it may,"
        f" `offerflow keys change {source.terms.id} --events …` changes that, and to replay this dead letter is to"
        " permit it",
        final=False,
    )


def _reserved(name: str) -> bytes:
    return refused_header(
        f"{name!r}: names that begin with {PREFIX} are reserved for requests, which come by the API of offers and"
        " rewards (/offers/v1/…, /rewards/v1/…) with a server key, or through Kafka",
        final=True,
    )

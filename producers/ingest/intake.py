"""From events that were let in to Kafka: which topic, which headers, and an end only when Kafka has all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.kafka.publisher import QueueFull, Record
from producers.ingest.acknowledged import AcknowledgedPublisher
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import BadEvent, Refusal, unavailable
from producers.ingest.keyring import CHANNELS, Source
from producers.ingest.permits import marks
from producers.ingest.readiness import Readiness
from producers.ingest.request import Request
from schemas.refused import REFUSED
from schemas.replay import import_headers

IMPORT = "raw.import"
_LONGEST_TRACE = 128
"""Bytes; W3C's have 55, later versions may have more. It goes into every record."""
_LARGEST_EVENT = 1_000_000
"""Bytes; the validation stage takes no record over 1 MiB, with key and headers."""
_LARGEST_REQUEST = 32 * 1024 * 1024


class Intake:
    """``topic`` gives the full name of a channel."""

    def __init__(self, publisher: AcknowledgedPublisher, readiness: Readiness, topic: Callable[[str], str]) -> None:
        self._publisher = publisher
        self._readiness = readiness
        self._topics = {channel: topic(channel) for channel in (*CHANNELS.values(), IMPORT)}

    def records(self, events: Sequence[RawEvent], source: Source, request: Request) -> list[Record]:
        """What goes to Kafka: each event to the channel of its source, imported ones to theirs. ``traceparent`` goes
        along, and what the key may not send is marked for validation."""
        topic = self._topics[source.channel]
        trace = request.headers.get(b"traceparent")
        headers = (("traceparent", trace),) if trace and len(trace) <= _LONGEST_TRACE else ()
        marked = marks(events, source)
        if marked is None and not events[0].past:  # a request imports all of its events or none
            return [Record(topic, key.encode(), value, headers) for _, key, value, _, _, _ in events]
        if events[0].past:
            headers = (*import_headers(topic, request.received_at), *headers)
            topic = self._topics[IMPORT]
        return [
            Record(topic, event.key.encode(), event.value, ((REFUSED, mark), *headers) if mark else headers)
            for event, mark in zip(events, marked or [None] * len(events), strict=True)
        ]

    def too_large(self, events: Sequence[RawEvent]) -> Refusal | None:
        """413 for what Kafka would not take however often it was sent, or for a request that has grown out of all
        proportion: adapters may write what its events share into each of them."""
        sizes = [len(event.value) for event in events]
        if sum(sizes) > _LARGEST_REQUEST:
            message = f"the events make {sum(sizes)} bytes with what they share, the limit is {_LARGEST_REQUEST}"
            return _over("body_too_large", f"{message}; send fewer events per request", (), len(events))
        if max(sizes) <= _LARGEST_EVENT:
            return None
        large = [(index, size) for index, size in enumerate(sizes) if size > _LARGEST_EVENT]
        message = (
            f"{len(large)} of {len(events)} events exceed {_LARGEST_EVENT} bytes with what they share; none was taken"
        )
        bad = [BadEvent(index, "", f"{size} bytes, the limit is {_LARGEST_EVENT}") for index, size in large]
        return _over("event_too_large", message, bad, len(events))

    async def publish(self, records: Sequence[Record]) -> Refusal | None:
        """None once Kafka has all of them."""
        try:
            await self._publisher.publish(records)
        except QueueFull:
            return unavailable("too much is waiting for Kafka; nothing was taken, send it again", 1)
        except OfferflowError as error:
            self._readiness.doubt(error)
            return unavailable("Kafka did not acknowledge every event; send all again, with the ids they had", 2)
        return None


def _over(error: str, message: str, bad: Sequence[BadEvent], count: int) -> Refusal:
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error, message, bad, count=count)

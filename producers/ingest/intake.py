"""From events that were let in to Kafka: which topic, which headers, and an end only when Kafka has all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from offerflow.runtime.errors import OfferflowError
from offerflow.runtime.kafka.publisher import QueueFull, Record
from producers.ingest.acknowledged import AcknowledgedPublisher
from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import Refusal, unavailable
from producers.ingest.keyring import CHANNELS, Source
from producers.ingest.permits import marks
from producers.ingest.readiness import Readiness
from producers.ingest.request import Request
from schemas.refused import REFUSED
from schemas.replay import import_headers

IMPORT = "raw.import"


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
        headers = (("traceparent", trace),) if trace else ()
        marked = marks(events, source)
        if marked is None and not events[0].past:  # a request imports all of its events or none
            return [Record(topic, key.encode(), value, headers) for _, key, value, _, _ in events]
        if events[0].past:
            headers = (*import_headers(topic, request.received_at), *headers)
            topic = self._topics[IMPORT]
        return [
            Record(topic, event.key.encode(), event.value, ((REFUSED, mark), *headers) if mark else headers)
            for event, mark in zip(events, marked or [None] * len(events), strict=True)
        ]

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

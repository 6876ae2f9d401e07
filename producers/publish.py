"""Publish events to a raw topic from Python.

with EventPublisher(load_settings(), "raw.backend") as events:
    events.send({"event": "Purchase Completed", "user_id": "u-1", "properties": {"order_id": "o-1", …}})
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any

import msgspec

from offerflow.runtime.errors import KafkaDown, OfferflowError
from offerflow.runtime.kafka.publisher import Publisher, Record
from offerflow.runtime.settings import Settings
from producers.envelope import Envelope, mint_id, misfit, problems
from schemas.envelope import MAX_RAW_BYTES


class InvalidEvent(ValueError):
    """The mapping is no event envelope. The message names the field and what was expected."""


class EventPublisher:
    """Sends envelopes (docs/formats.md, Native JSON envelope) to ``channel``, a raw topic's name without prefix.

    ``send`` does not wait; ``flush``, which leaving the ``with`` block calls, returns once Kafka has every event, or
    raises the first failure. Thread-safe.
    """

    def __init__(self, settings: Settings, channel: str = "raw.backend", client_id: str = "event-publisher") -> None:
        self._settings = settings
        self._topic = settings.topic(channel.removeprefix(settings.topic_prefix))
        self._publisher = Publisher(settings, client_id)
        self._failed: list[OfferflowError] = []

    def send(self, event: Mapping[str, Any]) -> str:
        """Queue one event and return its id, minted if it has none.

        Raises InvalidEvent for what is no envelope, and QueueFull when Kafka takes less than is sent: flush, and send
        it again. ``datetime`` values are written as RFC 3339.
        """
        record, event_id = encode(self._topic, event)
        self._publisher.submit([record], self._failed.extend)
        return event_id

    def flush(self, timeout: float = 30.0) -> None:
        """Wait for the acknowledgements. Raises the first failure since the last flush; KafkaDown after ``timeout``."""
        waiting = self._publisher.flush(timeout)
        if self._failed:
            first = self._failed[0]
            self._failed.clear()
            raise first
        if waiting:
            raise KafkaDown(
                f"Kafka at {self._settings.kafka.bootstrap_servers} has not acknowledged {waiting} events within"
                f" {timeout:g} s; they may or may not be in {self._topic}"
            )

    def close(self) -> None:
        """Stop without waiting for long; what was not flushed may be lost."""
        self._publisher.close(timeout=1.0)

    def __enter__(self) -> EventPublisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()


def publish(settings: Settings, channel: str, events: Iterable[Mapping[str, Any]]) -> list[str]:
    """Publish ``events`` and return their ids once Kafka has all of them. Raises as EventPublisher does."""
    with EventPublisher(settings, channel) as publisher:
        return [publisher.send(event) for event in events]


def encode(topic: str, event: Mapping[str, Any]) -> tuple[Record, str]:
    """The record for one event, and its id. Raises InvalidEvent."""
    fields = dict(event)
    event_id = fields.get("event_id") or mint_id()
    fields["event_id"] = event_id
    try:
        value = msgspec.json.encode(fields)
        envelope = msgspec.json.decode(value, type=Envelope)
    except msgspec.ValidationError as error:
        raise InvalidEvent("{}: {}".format(*misfit(error))) from None
    except (TypeError, ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors
        raise InvalidEvent(f"not an event envelope: {error}") from None
    wrong = problems(envelope)
    if wrong:
        raise InvalidEvent("; ".join(f"{problem.field}: {problem.message}" for problem in wrong))
    if len(value) > MAX_RAW_BYTES:
        raise InvalidEvent(f"the event takes {len(value)} bytes, expected at most {MAX_RAW_BYTES}")
    return Record(topic, envelope.key.encode(), value), str(event_id)

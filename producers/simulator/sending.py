"""Sends the stream to Kafka: in bulk as fast as it goes or at a rate, or patiently for as long as it takes."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol

from offerflow.runtime.errors import KafkaDown, OfferflowError, TryAgain
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.kafka.publisher import Publisher, Record
from offerflow.runtime.logs import get_logger
from offerflow.runtime.settings import Settings
from producers.simulator.event import Sent

_CHUNK = 500
_CHUNKS_UNDER_WAY = 100
_RETRY_SECONDS = (0.2, 5.0)
_SETTLE_SECONDS = 120.0


class Sender(Protocol):
    def send(self, records: Sequence[Record]) -> None: ...

    def finish(self) -> None: ...


class BulkSender:
    """Many chunks under way at once. Raises the first failure at the next call."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._room = threading.Semaphore(_CHUNKS_UNDER_WAY)
        self._errors: list[OfferflowError] = []

    def send(self, records: Sequence[Record]) -> None:
        self._room.acquire()
        self._publisher.submit(records, self._done)
        self._raise_failure()

    def finish(self) -> None:
        self._publisher.flush(60.0)
        self._raise_failure()

    def _done(self, errors: list[OfferflowError]) -> None:
        self._errors += errors
        self._room.release()

    def _raise_failure(self) -> None:
        if self._errors:
            raise self._errors[0]


class PatientSender:
    """One chunk at a time, again and again until Kafka has it: for traffic that keeps flowing."""

    def __init__(self, publisher: Publisher, stop: threading.Event) -> None:
        self._publisher = publisher
        self._stop = stop

    def send(self, records: Sequence[Record]) -> None:
        pause = _RETRY_SECONDS[0]
        while not self._stop.is_set():
            try:
                self._publisher.publish(records)
            except (KafkaDown, TryAgain) as error:
                get_logger().warning("waiting for Kafka", why=str(error), seconds=pause)
                self._stop.wait(pause)
                pause = min(2 * pause, _RETRY_SECONDS[1])
            else:
                return

    def finish(self) -> None:
        """Nothing is ever left under way."""


class Pace:
    """Cuts waves into chunks and lets them go at ``rate`` records per second, 0 for no limit, until ``stop``."""

    def __init__(self, rate: float, stop: threading.Event) -> None:
        self._rate = rate
        self._stop = stop
        self._chunk = _CHUNK if rate <= 0 else max(1, min(_CHUNK, int(rate / 10)))
        self._due = time.monotonic()

    def chunks(self, wave: Sequence[Sent]) -> Iterator[Sequence[Sent]]:
        for first in range(0, len(wave), self._chunk):
            if self._rate > 0:
                self._stop.wait(max(0.0, self._due - time.monotonic()))
            if self._stop.is_set():
                return
            chunk = wave[first : first + self._chunk]
            # Time lost while Kafka was away is not made up for by a burst.
            self._due = max(self._due, time.monotonic() - 1.0) + len(chunk) / max(self._rate, 1e-9)
            yield chunk


class Outbox:
    """Turns what the stream made into records of this deployment, and counts them by channel and by what they are."""

    def __init__(self, settings: Settings, sender: Sender, pace: Pace) -> None:
        self._topics: dict[str, str] = {}
        self._settings = settings
        self._sender = sender
        self._pace = pace
        self.by_channel: Counter[str] = Counter()
        self.by_what: Counter[str] = Counter()

    def send(self, wave: Sequence[Sent]) -> None:
        for chunk in self._pace.chunks(wave):
            self._sender.send([Record(self._topic(sent.channel), sent.key, sent.value) for sent in chunk])
            self.by_channel.update(sent.channel for sent in chunk)
            self.by_what.update(sent.what for sent in chunk)

    def _topic(self, channel: str) -> str:
        if channel not in self._topics:
            self._topics[channel] = self._settings.topic(channel)
        return self._topics[channel]


def settle(settings: Settings, admin: Admin, channels: Sequence[str], stop: threading.Event) -> None:
    """Wait until validation has committed everything now in the raw topics. Raises TryAgain when it does not get on."""
    group = settings.group("validation")
    topics = admin.topics(settings.topic(channel) for channel in channels)
    places = [(topic.name, partition) for topic in topics.values() for partition in range(topic.partitions)]
    ends = admin.ends(places)
    deadline = time.monotonic() + _SETTLE_SECONDS
    while not stop.is_set():
        committed = {place: found.offset for place, found in admin.committed(group, places).items()}
        behind = sum(max(0, end - committed.get(place, 0)) for place, end in ends.items())
        if not behind:
            return
        if time.monotonic() > deadline:
            raise TryAgain(
                f"validation is {behind} records behind and did not catch up in {_SETTLE_SECONDS:g} s;"
                " is it running (`offerflow status`)? Without it leave out --settle"
            )
        stop.wait(0.02)

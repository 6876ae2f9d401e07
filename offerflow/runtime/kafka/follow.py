"""Follows topics from a moment on without end: no group membership, for whoever looks on while others work."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import cast

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from offerflow.runtime import outside
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.client import base_config, translate
from offerflow.runtime.kafka.consumer import RECEIVED_BYTES, Record
from offerflow.runtime.kafka.headers import mend_headers
from offerflow.runtime.settings import Settings

ASK_S = 5.0
SILENCE_S = 30.0
"""How long a broker may be away; a restart takes less."""
BATCH = 2000
_AWAY = frozenset({
    KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._TIMED_OUT,
})  # fmt: skip


class Follower:
    """Committed records of the partitions in ``starts``, from those offsets on. ``next`` says how far each was read."""

    def __init__(self, settings: Settings, client_id: str, starts: Mapping[Place, int]) -> None:
        self._settings = settings
        self._held: set[Place] = set()
        self._away_since: float | None = None
        self._at_end: set[Place] = set()
        self._ended: dict[Place, float] = {}
        self.next: dict[Place, int] = dict(starts)
        self._consumer = outside.Consumer({
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
            "fetch.queue.backoff.ms": 5,
            # In small pieces, so that topics that belong together come side by side.
            "fetch.message.max.bytes": 64 * 1024,
            "queued.min.messages": 1000,
            "queued.max.messages.kbytes": 8 * 1024,
            "receive.message.max.bytes": RECEIVED_BYTES,
            **base_config(settings, client_id),
            "group.id": client_id,
        })  # fmt: skip
        self._consumer.assign([TopicPartition(*place, start) for place, start in starts.items()])

    def read(self, wait_s: float) -> list[Record]:
        """What came: at once if there is something, else what comes within ``wait_s``. Raises KafkaDown when the broker
        has been away for SILENCE_S."""
        try:
            messages = self._consumer.consume(1, wait_s)
            if messages:
                messages += self._consumer.consume(BATCH - 1, 0.002)
        except KafkaException as error:
            raise translate(error, "following topics", self._settings) from None
        records: list[Record] = []
        away = False
        for message in messages:
            failed = message.error()
            place = (str(message.topic()), int(message.partition() or 0))
            offset = int(message.offset() or 0)
            if failed is None:
                mend_headers(message)
                self._at_end.discard(place)
                self.next[place] = offset + 1
                records.append(cast(Record, message))
            elif failed.code() == KafkaError._PARTITION_EOF:
                self.next[place] = offset
                self._at_end.add(place)
                self._ended[place] = outside.monotonic()
            elif failed.code() in _AWAY:
                away = True
            elif failed.fatal() or not failed.retriable():
                raise translate(failed, f"reading {message.topic()}", self._settings)
        self._heed(came=bool(records), away=away)
        return records

    def complete_to(self, places: Iterable[Place]) -> float:
        """The moment (of the monotonic clock) up to which all that was written to ``places`` was read; minus infinity
        while one of them was never read to its end."""
        now = outside.monotonic()
        return min(
            (now if place in self._at_end else self._ended.get(place, -math.inf) for place in places), default=now
        )

    def hold(self, places: Iterable[Place], *, held: bool) -> None:
        """Read no more of ``places`` until they are let go."""
        concerned = [place for place in places if (place in self._held) is not held]
        if not concerned:
            return
        parts = [TopicPartition(*place) for place in concerned]
        (self._consumer.pause if held else self._consumer.resume)(parts)
        (self._held.update if held else self._held.difference_update)(concerned)

    def close(self) -> None:
        self._consumer.close()

    def _heed(self, *, came: bool, away: bool) -> None:
        now = outside.monotonic()
        if came:
            self._away_since = None
        elif away and self._away_since is None:
            self._away_since = now
        if self._away_since is None or now - self._away_since <= SILENCE_S:
            return
        # It may have come back with nothing new to give, of which the client says nothing.
        try:
            self._consumer.list_topics(timeout=ASK_S)
        except KafkaException:
            where = self._settings.kafka.bootstrap_servers
            raise KafkaDown(f"Kafka at {where} has been away for {SILENCE_S:.0f} s while following topics") from None
        self._away_since = None

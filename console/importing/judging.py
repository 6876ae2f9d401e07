"""What validation would say of an event that is imported, before it is: the same step under the present plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from console.importing.mapping import Event
from offerflow.catalog.view import Catalog, Source, sources_of
from offerflow.rules.nearest import did_you_mean
from offerflow.runtime.errors import KafkaDown, OfferflowError
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import Settings
from offerflow.runtime.topics import CHANNELS
from schemas.catalog import plan_of
from schemas.channels import channels_of
from schemas.plan import Plan
from schemas.replay import import_headers
from schemas.step import Emit, Outcome, Step

TOPIC = "raw.import"
_MOST_NAMES = 500
_OTHERS = "…"


class _Sent(msgspec.Struct):
    properties: dict[str, msgspec.Raw] = {}


_decode = msgspec.json.Decoder(_Sent).decode


class Judge:
    """``topic`` is where imports go, ``channel`` the full name of the topic on which the source's events come in, which
    counts as their origin. ``topic_id`` is Kafka's own. ``received_ms`` is when the import received them."""

    def __init__(self, settings: Settings, catalog: Catalog, source_id: str, received_ms: int) -> None:
        sources = sources_of(settings, catalog)
        self.source = _source(sources.get(source_id), source_id, sorted(sources))
        self.topic = settings.topic(TOPIC)
        self.channel = settings.topic(next(name for name, origin in CHANNELS.items() if origin == self.source.origin))
        self.plan: Plan = plan_of(catalog)
        channels = channels_of(settings, Admin(settings), sources)
        if self.topic not in channels:
            raise KafkaDown(f"Kafka has no topic {self.topic}; run `offerflow topics create`")
        self.topic_id = channels[self.topic].topic_id
        self.received_ms = received_ms
        self.stripped: dict[str, Counter[str]] = {}
        """Properties of good events that the plan does not have and that were left out, by event and name."""
        self._left_out = False
        self._step = Step(self.plan, sources, channels, stripped=self._strip)

    def _strip(self, event: str, properties: int) -> None:
        self._left_out = True

    def _count(self, event: str, value: bytes) -> None:
        planned = {field["name"] for field in self.plan.by_name[event].definition["fields"]}
        names = self.stripped.setdefault(event, Counter())
        for name in _decode(value).properties.keys() - planned:
            names[name if name in names or len(names) < _MOST_NAMES else _OTHERS] += 1

    def headers(self, line: int) -> list[tuple[str, bytes]]:
        return import_headers(self.channel, self.received_ms, line)

    def __call__(self, event: Event) -> Outcome:
        self._left_out = False
        outcome = self._step(_Record(self.topic, event.key, event.value, self.headers(event.line), self.received_ms))
        if self._left_out and isinstance(outcome, Emit):
            self._count(outcome.event, event.value)
        return outcome


def _source(found: Source | None, source_id: str, known: Sequence[str]) -> Source:
    if found is None:
        hint = did_you_mean(source_id, known) or (f"; there are {', '.join(known)}" if known else "")
        raise OfferflowError(f"there is no source {source_id!r}{hint}; sources are declared in sources.yaml")
    return found


class _Record(NamedTuple):
    """As it would be read from the topic of imports."""

    name: str
    its_key: str
    its_value: bytes
    its_headers: list[tuple[str, bytes]]
    appended: int

    def topic(self) -> str:
        return self.name

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def key(self) -> bytes:
        return self.its_key.encode()

    def value(self) -> bytes:
        return self.its_value

    def headers(self) -> list[tuple[str, bytes | None]]:
        return list(self.its_headers)

    def timestamp(self) -> tuple[int, int]:
        return (2, self.appended)  # 2: append time

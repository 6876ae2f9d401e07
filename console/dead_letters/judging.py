"""What validation would say of a dead letter if it were sent again now: the same step under the present plan."""

from __future__ import annotations

import time
from typing import NamedTuple

from console.dead_letters.document import SchemaIds
from console.dead_letters.handled import CLIENT
from offerflow.catalog.follower import CatalogFollower
from offerflow.catalog.view import sources_of
from offerflow.runtime.errors import KafkaDown
from offerflow.runtime.kafka.admin import Admin
from offerflow.runtime.settings import Settings
from schemas.catalog import plan_of
from schemas.channels import channels_of
from schemas.dead_letter import DeadLetter, StoredLetter
from schemas.dead_letter_state import show
from schemas.plan import Plan
from schemas.replay import TOPICS, replay_headers
from schemas.step import Emit, Outcome, Step

Header = tuple[str, bytes | None]
VALID = "valid"
CONFLICT = "its event id came before with other content: give it another one (patch /meta/event_id), or purge it"
DROPPED = "dropped"


class Resend(NamedTuple):
    """A dead letter with what is to be written to ``raw.replay`` for it."""

    letter: StoredLetter
    value: bytes | None
    headers: list[Header]
    patched: bool


class Judge:
    """Everything judging needs, as the catalog is at its construction."""

    def __init__(self, settings: Settings) -> None:
        self.topic = settings.topic("raw.replay")
        self._trusted = frozenset(map(settings.topic, TOPICS))
        follower = CatalogFollower(settings, CLIENT)
        try:
            catalog = follower.start()
        finally:
            follower.close()
        sources = sources_of(settings, catalog)
        self.plan: Plan = plan_of(catalog)
        channels = channels_of(settings, Admin(settings, CLIENT), sources)
        if self.topic not in channels:
            raise KafkaDown(f"Kafka has no topic {self.topic}; run `offerflow topics create`")
        self._journal = settings.topic("journal")
        self._outside = _outside(settings, self.plan)
        self._step = Step(self.plan, sources, channels, self._outside)

    def schema_ids(self, letter: StoredLetter) -> SchemaIds:
        """From the schema id in a letter's value to that of the plan. The journal's are always the plan's own."""
        if self._outside is None or letter.topic == self._journal:
            return lambda schema_id: schema_id
        return self._outside

    def resend(self, letter: StoredLetter, value: bytes | None, headers: list[Header], patched: bool = False) -> Resend:
        """What would be written for ``letter`` with this ``value`` and these headers of its own."""
        place = (letter.topic, letter.partition, letter.offset)
        trusted = letter.topic in self._trusted
        ours = replay_headers(headers, place, letter.timestamp, letter.attempts, show(letter.at), trusted)
        return Resend(letter, value, ours, patched)

    def __call__(self, resend: Resend) -> Outcome:
        """As validation would; but for what only the fold can find, and would find again."""
        if resend.letter.reason == "duplicate_conflict" and not resend.patched:
            return DeadLetter("duplicate_conflict", CONFLICT, event=resend.letter.event, source=resend.letter.source)
        return self._step(_Record(self.topic, resend))


def outcome_name(outcome: Outcome) -> str:
    """``valid``, ``dropped`` (a switched-off system event), or the reason it would be dead for again."""
    if isinstance(outcome, DeadLetter):
        return outcome.reason
    return VALID if isinstance(outcome, Emit) else DROPPED


def _outside(settings: Settings, plan: Plan) -> SchemaIds | None:
    if settings.registry.url is None:
        return None
    from schemas.registry import ExternalIds

    return ExternalIds(settings, plan)


class _Record:
    """As it would be read from ``raw.replay``."""

    def __init__(self, topic: str, resend: Resend) -> None:
        self._topic = topic
        self._resend = resend

    def topic(self) -> str:
        return self._topic

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def key(self) -> bytes | None:
        return self._resend.letter.key

    def value(self) -> bytes | None:
        return self._resend.value

    def headers(self) -> list[Header] | None:
        return self._resend.headers

    def timestamp(self) -> tuple[int, int]:
        return (2, int(time.time() * 1000))  # 2: append time

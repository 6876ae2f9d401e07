"""Writes down what one person does, step by step, with a clock that only goes forward.

A journey is a list of stages, each on one channel. Records of one user on different topics have no order of their own,
so whoever sends stage by stage, and waits between them, gets the same decisions every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from producers.simulator.event import BACKEND, INTEGRATION, SDK, Event

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

DEFAULT_SOURCE = {SDK: "academy-app", BACKEND: "shop-backend", INTEGRATION: "amplitude"}
"""The only source declared with each channel in deploy/demo/sources.yaml; others must be named in the envelope."""

_NAMED = 0.7  # share of events that name the default source anyway
_WITH_ID = 0.95


class Journey:
    """``user_id`` or ``anonymous_id``, or both, say who it is. ``random`` is this person's own."""

    def __init__(self, random: Random, start: int, user_id: str | None, anonymous_id: str | None = None) -> None:
        self.random = random
        self.now = start
        self.user_id = user_id
        self.anonymous_id = anonymous_id
        self.stages: list[list[Event]] = []
        self._channel = ""

    def wait(self, shortest: int, longest: int) -> None:
        """Let between so many milliseconds pass."""
        self.now += shortest + int(self.random.random() * (longest - shortest))

    def app(self, name: str, source: str | None = None, **properties: Any) -> None:
        """The front end saw it."""
        self._add(SDK, name, source, properties, {})

    def call(self, kind: str, source: str | None = None, previous_id: str | None = None, **properties: Any) -> None:
        """The front end's other calls: ``identify``, ``alias``, ``page``, ``screen``, ``group``."""
        extra = {"type": kind, "previous_id": previous_id} if previous_id else {"type": kind}
        self._add(SDK, None, source, properties, extra)

    def server(self, name: str, source: str | None = None, **properties: Any) -> None:
        """The back end says so."""
        self._add(BACKEND, name, source, properties, {})

    def analytics(self, name: str, **properties: Any) -> None:
        """It came by way of an analytics product."""
        self._add(INTEGRATION, name, None, properties, {})

    def number(self, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``, both included; several times faster than ``randint``."""
        return low + int(self.random.random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def new_id(self, prefix: str) -> str:
        return f"{prefix}-{self.random.getrandbits(48):012x}"

    def _add(
        self, channel: str, name: str | None, source: str | None, properties: dict[str, Any], extra: Mapping[str, Any]
    ) -> None:
        random = self.random
        self.now += 500 + int(random.random() * 90_000)
        if channel != self._channel:
            self.stages.append([])
            self._channel = channel
        named = source or (DEFAULT_SOURCE[channel] if random.random() < _NAMED else None)
        event_id = f"{random.getrandbits(128):032x}" if random.random() < _WITH_ID else None
        self.stages[-1].append(
            Event(channel, name, self.now, properties, self.user_id, self.anonymous_id, event_id, named, extra)
        )

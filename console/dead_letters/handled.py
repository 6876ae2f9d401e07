"""What was handled already: the fold of ``dead-letter-state``, kept as bits and brought up to date at any time."""

from __future__ import annotations

from collections.abc import Iterator

from console.dead_letters.offsets import OffsetSet
from offerflow.runtime.kafka.admin import Place
from offerflow.runtime.kafka.scan import read_spans, spans
from offerflow.runtime.settings import Settings
from schemas.dead_letter_state import Coordinates, Handled, read_state, show

CLIENT = "offerflow-dead-letters"


class HandledLetters:
    """``replayed`` and ``purged`` by coordinates; empty until ``refresh``."""

    def __init__(self, settings: Settings, client_id: str = CLIENT) -> None:
        self._settings = settings
        self._client_id = client_id
        self._topic = settings.topic("dead-letter-state")
        self._positions: dict[Place, int] = {}
        self.replayed = OffsetSet()
        self.purged = OffsetSet()

    def __contains__(self, at: Coordinates) -> bool:
        return at in self.replayed or at in self.purged

    def refresh(self) -> list[Coordinates]:
        """Read what came since the last time. Returns the coordinates it was about."""
        return list(self.follow())

    def follow(self) -> Iterator[Coordinates]:
        """As ``refresh``, one by one as they are read."""
        found = spans(self._settings, [self._topic], self._client_id)
        for place, (_, end) in found.items():
            if end < self._positions.get(place, 0):  # the topic was made anew
                self._positions.clear()
                self.replayed, self.purged = OffsetSet(), OffsetSet()
        wanted = {place: (max(first, self._positions.get(place, 0)), end) for place, (first, end) in found.items()}
        for record in read_spans(self._settings, wanted, self._client_id):
            said = read_state(record)
            if said is not None:
                self._take(*said)
                yield said[0]
        self._positions.update({place: end for place, (_, end) in wanted.items()})

    def _take(self, at: Coordinates, handled: Handled | None) -> None:
        self.replayed.discard(at)
        self.purged.discard(at)
        if handled is not None:
            (self.replayed if handled.status == "replayed" else self.purged).add(at)


def state_of(settings: Settings, at: Coordinates) -> Handled | None:
    """What ``dead-letter-state`` says of one dead letter, in full."""
    topic, key, found = settings.topic("dead-letter-state"), show(at).encode(), None
    for record in read_spans(settings, spans(settings, [topic], CLIENT), CLIENT):
        if record.key() == key:
            said = read_state(record)
            found = said[1] if said else found
    return found

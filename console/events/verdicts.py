"""What became of an event, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from console.events.arrivals import Arrival
from console.events.stored import Stored
from schemas.announce import rfc3339
from schemas.dead_letter import StoredLetter

VALID, DUPLICATE, DROPPED, WAITING = "valid", "duplicate", "dropped", "waiting"
"""Besides these a verdict is the reason of a dead letter."""


@dataclass(slots=True)
class Verdict:
    """``arrival`` is None where the raw record was not read; ``stored`` is the journal record, ``letter`` the dead
    letter. A duplicate is in the journal and counts once all the same. ``note`` is a sentence for people."""

    verdict: str
    arrival: Arrival | None
    stored: Stored | None = None
    letter: StoredLetter | None = None
    note: str = ""

    @property
    def event(self) -> str | None:
        if self.stored is not None:
            return self.stored.event
        return (self.arrival.event if self.arrival else None) or (self.letter.event if self.letter else None)

    @property
    def source(self) -> str | None:
        if self.stored is not None:
            return str(self.stored.meta["source"])
        return (self.letter.source if self.letter else None) or (self.arrival.source if self.arrival else None)

    @property
    def user_id(self) -> str | None:
        return self.stored.meta["user_id"] if self.stored else self.arrival.user_id if self.arrival else None

    @property
    def anonymous_id(self) -> str | None:
        return self.stored.meta["anonymous_id"] if self.stored else self.arrival.anonymous_id if self.arrival else None

    @property
    def event_id(self) -> str | None:
        return self.stored.meta["event_id"] if self.stored else self.arrival.event_id if self.arrival else None

    @property
    def received_at(self) -> int:
        """Milliseconds since 1970."""
        if self.arrival is not None:
            return self.arrival.received_at
        if self.stored is not None:
            return int(self.stored.meta["received_at"])
        return self.letter.timestamp if self.letter else 0

    @property
    def who(self) -> str:
        """The user, or the anonymous visitor as ``a:…``."""
        return self.user_id or (f"a:{self.anonymous_id}" if self.anonymous_id else "")

    @property
    def detail(self) -> str:
        return self.note or (self.letter.detail if self.letter else "")

    @property
    def good(self) -> bool:
        return self.verdict in (VALID, DUPLICATE)

    def repeats(self, before: tuple[int, int], *, otherwise: bool = False) -> None:
        """It is a duplicate of the journal record at these coordinates, which had ``otherwise`` other content."""
        self.verdict = DUPLICATE
        content = " with other content" if otherwise else ""
        self.note = f"its id came before{content}, in the journal at {before[0]}/{before[1]}: it counts once"

    def told_time(self) -> str | None:
        """When it happened, of a stored event."""
        return rfc3339(self.stored.meta["time"]) if self.stored else None

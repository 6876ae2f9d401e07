"""Follows one record through its dead letters: back to the first, and on to what became of it."""

from __future__ import annotations

from collections.abc import Iterator

from console.dead_letters.handled import CLIENT, state_of
from console.dead_letters.outcomes import coordinates_of
from console.dead_letters.reading import find
from console.dead_letters.selection import Range, Selection
from offerflow.runtime.kafka.scan import read_spans, spans
from offerflow.runtime.settings import Settings
from schemas.dead_letter import StoredLetter, read_dead_letter
from schemas.dead_letter_state import Coordinates, Handled, show
from schemas.replay import DEAD_LETTER, TOPICS

MOST = 50
"""Links that are followed at most in one direction: somebody may replay the hopeless every hour."""


def fetch(settings: Settings, at: Coordinates) -> StoredLetter | None:
    """The dead letter at these coordinates; None if there is none, or retention took it."""
    selection = Selection(ranges=(Range(at[0], at[1], at[1]),), handled=None)
    return next(iter(find(settings, selection)), None)


def before(settings: Settings, letter: StoredLetter) -> Iterator[Coordinates]:
    """The dead letters it was replayed from, the latest first."""
    trusted = {settings.topic(name) for name in TOPICS}
    for _ in range(MOST):
        if letter.topic not in trusted:
            return
        at = coordinates_of(dict(letter.headers).get(DEAD_LETTER))
        if at is None:
            return
        yield at
        earlier = fetch(settings, at)
        if earlier is None:
            return
        letter = earlier


def after(settings: Settings, letter: StoredLetter) -> Iterator[tuple[Handled, Coordinates | None]]:
    """What was done with it, and the dead letter that came of it (None: none); then the same of that one."""
    at = letter.at
    for _ in range(MOST):
        handled = state_of(settings, at)
        if handled is None:
            return
        dead = None
        if handled.status == "replayed":
            dead = _dead_again(settings, at, handled, keyed=letter.key is not None)
        yield handled, dead
        if dead is None:
            return
        at = dead


def _dead_again(settings: Settings, at: Coordinates, handled: Handled, *, keyed: bool) -> Coordinates | None:
    """The dead letter of the record that was sent for the one at ``at``; found by its header, without decoding."""
    wanted = show(at).encode()
    # What is dead again was judged after it was sent; a clock that is off by less than a minute does no harm.
    found = spans(settings, [settings.topic("dead-letter")], CLIENT, since_ms=handled.at - 60_000)
    # A key is kept, and with it the partition.
    likely = {place: span for place, span in found.items() if not keyed or place[1] == at[0]}
    for record in read_spans(settings, likely, CLIENT):
        if (DEAD_LETTER, wanted) in (record.headers() or ()):
            letter = read_dead_letter(record)
            if (letter.topic, letter.partition, letter.offset) == (handled.topic, handled.partition, handled.offset):
                return letter.at
    return None

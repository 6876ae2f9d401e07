"""What came of a replay: which of the letters sent again are dead again, once validation has seen them all."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from console.dead_letters.handled import CLIENT
from console.dead_letters.offsets import OffsetSet
from offerflow.runtime.errors import TryAgain
from offerflow.runtime.kafka.admin import Admin, Place
from offerflow.runtime.kafka.scan import scan, spans
from offerflow.runtime.settings import Settings
from schemas.dead_letter_state import Coordinates
from schemas.replay import DEAD_LETTER

LOOK_S = 0.2
REASON = "__connect.errors.class.name"


@dataclass
class Outcomes:
    """``dead``: dead again, by reason. ``right``: the others that were sent, now in the journal or dropped as switched
    off."""

    right: int
    dead: Counter[str]


def ends_now(settings: Settings) -> dict[Place, int]:
    """Where the dead-letter topic ends: take it before sending, what comes later may be an answer."""
    return {place: end for place, (_, end) in spans(settings, [settings.topic("dead-letter")], CLIENT).items()}


def await_outcomes(
    settings: Settings,
    sent: OffsetSet,
    since: dict[Place, int],
    timeout_s: float,
    progress: Callable[[int], None] = lambda behind: None,
) -> Outcomes:
    """Wait until validation has passed everything on ``raw.replay``, then look at what is dead since.

    ``progress`` is told how far validation is behind. Raises TryAgain after ``timeout_s`` without progress.
    """
    admin = Admin(settings, CLIENT)
    _await_validation(settings, admin, timeout_s, progress)
    _await_written(settings, admin, timeout_s)
    dead: Counter[str] = Counter()
    for record in scan(settings, [settings.topic("dead-letter")], CLIENT, starts=since):
        headers = dict(record.headers() or ())
        at = coordinates_of(headers.get(DEAD_LETTER))
        if at is not None and at in sent:
            dead[(headers.get(REASON) or b"").decode("utf-8", "replace")] += 1
    return Outcomes(len(sent) - dead.total(), dead)


def coordinates_of(header: bytes | None) -> Coordinates | None:
    """``3/120`` as a pair; None for anything else."""
    partition, _, offset = (header or b"").partition(b"/")
    return (int(partition), int(offset)) if partition.isdigit() and offset.isdigit() else None


def _await_written(settings: Settings, admin: Admin, timeout_s: float) -> None:
    """A transaction ends in each partition by itself: the offsets may be committed a moment before the dead letters
    that belong to them are to be read."""
    topic = settings.topic("dead-letter")
    written = admin.written(spans(settings, [topic], CLIENT))
    deadline = time.monotonic() + timeout_s
    while any(end < written[place] for place, end in admin.ends(written).items()):
        if time.monotonic() > deadline:
            raise TryAgain(f"a transaction on {topic} stays open; look with `offerflow dlq list` when it has ended")
        time.sleep(LOOK_S)


def _await_validation(settings: Settings, admin: Admin, timeout_s: float, progress: Callable[[int], None]) -> None:
    group = settings.group("validation")
    ends = {place: end for place, (_, end) in spans(settings, [settings.topic("raw.replay")], CLIENT).items()}
    best, moved = -1, time.monotonic()
    while True:
        committed = admin.committed(group, ends)
        behind = sum(
            max(0, end - (committed[place].offset if place in committed else 0)) for place, end in ends.items()
        )
        progress(behind)
        if not behind:
            return
        if best < 0 or behind < best:
            best, moved = behind, time.monotonic()
        elif time.monotonic() - moved > timeout_s:
            raise TryAgain(
                f"validation does not take what was sent ({behind} records wait on {settings.topic('raw.replay')});"
                " is it running? Everything sent stays sent: `offerflow dlq list` shows later what is dead again"
            )
        time.sleep(LOOK_S)

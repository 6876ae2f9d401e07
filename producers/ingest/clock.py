"""When an event happened, by the clock of this server, where the client says when it sent the request.

`received_at - sent_at` is how far the client's clock is behind ours (ahead, if negative) plus how long the request was
on its way. A retry often repeats the `sent_at` of its first attempt, so the way may be minutes long, and shifting by it
would make events of a good clock later than they were. Hence the rules of `corrected`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import UNSET

from producers.ingest.times import milliseconds
from schemas.values import TIMES

HELD_MS = 5 * 60 * 1000
"""How long clients go on sending a request that they stamped once. The oldest retry seen was 155 s old."""

STORED_MS = 7 * 24 * 3600 * 1000
"""The same for libraries that write whole batches, ``sentAt`` included, to the disk of a phone that may be offline."""


def corrected(time: int, sent_at: int | None, received_at: int, *, held: int = HELD_MS) -> int:
    """``time`` by our clock; all in milliseconds.

    - Without ``sent_at`` there is nothing to go by: ``time`` stays.
    - Sent at most ``held`` before it came: a retry explains that, and ``time`` stays, even if the clock is a bit slow.
    - Sent at most five minutes after it came: ``time`` stays, since validation takes what is that little ahead.
    - Sent minutes before it happened: nobody does that, so it is no time of sending (Go writes the year 1 where it has
      none), and ``time`` stays, unless it is past ``received_at`` itself.
    - Else the clock is wrong and ``time`` moves by the whole difference, but never past ``received_at``: nothing
      happens after it was received.

    So a correction errs by no more than the time the request was on its way, which is what a retry explains, and what
    is left alone is wrong by at most ``held``.
    """
    if sent_at is None:
        return time
    behind = received_at - sent_at
    if -HELD_MS <= behind <= held:
        return time
    if sent_at < time - HELD_MS:
        return min(time, received_at)
    moved = min(time + behind, received_at)
    return moved if moved in TIMES else time


class Happened(NamedTuple):
    """``time`` for the envelope: milliseconds, what was given if that is no time, UNSET if nothing was.
    ``given`` is for ``via.time``: what the client wrote, where the envelope does not say the same."""

    time: Any
    given: Any


_UNKNOWN = Happened(UNSET, UNSET)


def happened(
    given: Any,
    sent_at: int | None,
    received_at: int,
    *,
    read: Callable[[Any], int | None] = milliseconds,
    held: int = HELD_MS,
) -> Happened:
    """The time of one event from what its protocol says of it. ``read`` reads ``given``; ``sent_at`` is milliseconds,
    read once for all events of a request."""
    if given is UNSET or given is None or given == "":
        return _UNKNOWN
    time = read(given)
    if time is None:
        return Happened(given, UNSET)
    time = corrected(time, sent_at, received_at, held=held)
    return Happened(time, UNSET if time == given else given)

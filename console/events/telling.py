"""An event with its verdict as JSON, for programs."""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from console.events.comparing import Compared, Line, compare
from console.events.sent import ABSENT
from console.events.verdicts import Verdict
from console.events.world import World
from schemas.announce import rfc3339
from schemas.dead_letter_state import show


def row_of(world: World, verdict: Verdict, *, whole: bool) -> dict[str, Any]:
    """``whole``: what was sent and what was stored too, and their differences."""
    letter, stored, arrival = verdict.letter, verdict.stored, verdict.arrival
    row: dict[str, Any] = {
        "verdict": verdict.verdict,
        "event": verdict.event,
        "user_id": verdict.user_id,
        "anonymous_id": verdict.anonymous_id,
        "source": verdict.source,
        "event_id": verdict.event_id,
        "time": verdict.told_time(),
        "received_at": rfc3339(verdict.received_at),
        "detail": verdict.detail or None,
        "field": letter.field if letter else None,
        "expected": letter.expected if letter else None,
        "got": letter.got if letter else None,
        "raw": None if arrival is None else dict(zip(("topic", "partition", "offset"), arrival.where, strict=True)),
        "journal": None if stored is None else show(stored.at),
        "dead_letter": None if letter is None else show(letter.at),
    }
    if whole:
        row |= compared_row(compare(world, verdict))
    return row


def as_json(row: Any) -> str:
    """One line, whatever somebody sent: numbers of any size, half characters. For a terminal nothing but ASCII, since
    it takes some characters for commands."""
    if sys.stdout.isatty():
        return json.dumps(row, separators=(",", ":")).replace("\x7f", "\\u007f")
    try:
        return msgspec.json.encode(row).decode()
    except (OverflowError, UnicodeEncodeError):
        return json.dumps(row, separators=(",", ":"))


def compared_row(compared: Compared) -> dict[str, Any]:
    """The documents on both sides and what differs."""
    return {
        "sent": compared.sent,
        "stored": compared.stored,
        "unread": compared.unread,
        "differences": [_difference(line) for line in (*compared.meta, *compared.properties) if line.change],
    }


def _difference(line: Line) -> dict[str, Any]:
    """A side that has nothing there is left out."""
    sides = {"sent": line.sent, "stored": line.stored}
    return {"path": line.path, "change": line.change,
            **{name: value for name, value in sides.items() if value is not ABSENT}}  # fmt: skip

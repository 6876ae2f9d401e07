"""Events that came inside another: traits that an event sets, groups that an `identify` names."""

from __future__ import annotations

import hashlib
from typing import Any

from msgspec import UNSET

from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.envelopes import Sent, Via, raw_event
from producers.ingest.keyring import Source
from schemas.envelope import MAX_ID

IDENTIFIED, GROUP = ".identified", ".group"
"""How their ids end, after the id of the event that carried them (its hash, if it is long): so they are the same
whenever it comes again."""


def carried(sent: Sent, ending: str, kind: str, properties: Any, source: Source) -> RawEvent:
    """An event of the same people at the same time as ``sent``, whose id is known by now."""
    protocol = sent.via.protocol if isinstance(sent.via, Via) else ""
    event_id: Any = UNSET
    if isinstance(sent.event_id, str):
        event_id = sent.event_id + ending
        if len(event_id) > MAX_ID:
            event_id = hashlib.sha256(sent.event_id.encode()).hexdigest() + ending
    said = Sent(
        type=kind, user_id=sent.user_id, anonymous_id=sent.anonymous_id, event_id=event_id, time=sent.time,
        properties=properties, via=Via(protocol),
    )  # fmt: skip
    return raw_event(said, source)

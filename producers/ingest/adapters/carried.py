"""Events that came inside another: traits that an event sets, groups that an `identify` names."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.envelopes import Sent, Via, raw_event
from producers.ingest.keyring import Source

IDENTIFIED, GROUP = ".identified", ".group"
"""How their ids end, after the id of the event that carried them: so they are the same whenever it comes again."""


def carried(sent: Sent, ending: str, kind: str, properties: Any, source: Source) -> RawEvent:
    """An event of the same people at the same time as ``sent``, whose id is known by now."""
    protocol = sent.via.protocol if isinstance(sent.via, Via) else ""
    event_id = sent.event_id + ending if isinstance(sent.event_id, str) else UNSET
    said = Sent(
        type=kind, user_id=sent.user_id, anonymous_id=sent.anonymous_id, event_id=event_id, time=sent.time,
        properties=properties, via=Via(protocol),
    )  # fmt: skip
    return raw_event(said, source)

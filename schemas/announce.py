"""Outputs on the wire: Avro in Confluent wire format, keyed by the user, with CloudEvents attributes as headers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from offerflow.rules.outcomes import (
    OfferEntered,
    OfferExited,
    Output,
    RewardFulfilled,
    RewardReversed,
    RewardSatisfied,
)
from offerflow.runtime.kafka.transactional import Output as Written
from offerflow.runtime.settings import Settings
from schemas.codec import RecordCodec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOPICS: dict[type, tuple[str, str]] = {
    OfferEntered: ("offer-entry", "entered_at"),
    OfferExited: ("offer-exit", "exited_at"),
    RewardSatisfied: ("reward-satisfied", "satisfied_at"),
    RewardFulfilled: ("reward-fulfilled", "fulfilled_at"),
    RewardReversed: ("reward-reversed", "reversed_at"),
}


class Announcer:
    """Writes outputs for one deployment. ``ce_source`` is the topic prefix, since ids are unique within it."""

    def __init__(self, settings: Settings) -> None:
        self._source = f"/{settings.topic_prefix.strip('.') or 'offerflow'}/rules".encode()
        self._routes = {
            kind: (settings.topic(topic), RecordCodec.shipped("outputs", kind.__name__), time)
            for kind, (topic, time) in _TOPICS.items()
        }

    def __call__(self, output: Output) -> Written:
        topic, codec, time_field = self._routes[type(output)]
        fields = msgspec.structs.asdict(output)
        if "evidence" in fields:
            fields["evidence"] = [msgspec.structs.asdict(item) for item in fields["evidence"]]
        subject = fields["user_id"] or f"a:{fields['anonymous_id']}"
        headers: list[tuple[str, Any]] = [
            ("ce_specversion", b"1.0"),
            ("ce_id", output.id.encode()),
            ("ce_type", f"offerflow.{codec.name}".encode()),
            ("ce_source", self._source),
            ("ce_time", rfc3339(fields[time_field]).encode()),
            ("ce_subject", subject.encode()),
        ]
        return Written(topic, subject.encode(), codec.encode(fields), headers)


def rfc3339(milliseconds: int) -> str:
    """``2026-03-05T10:00:00.250Z``. Times outside the years 1 to 9999 are held at these ends."""
    bounded = min(max(milliseconds, -62135596800000), 253402300799999)
    moment = _EPOCH + timedelta(milliseconds=bounded)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

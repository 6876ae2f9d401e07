"""What the edge answers in Amplitude's words when it does not take events, for a front that answers in its place."""

from __future__ import annotations

import json
from typing import Any

from producers.ingest.adapters.amplitude import AmplitudeAdapter
from producers.ingest.answers import Refusal, unavailable
from producers.ingest.limits import Limits

_ADAPTER = AmplitudeAdapter(Limits())


def _said(refusal: Refusal) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(_ADAPTER.refused(refusal).body)
    return read


AWAY = _said(unavailable("Kafka is away", 1))
TOO_MANY = _said(Refusal(413, "too_many_events", "2 events in one request, the limit is 1"))
OVER_QUOTA = _said(Refusal(429, "over_quota", "more than the key may send", count=1))

"""What the edge answers in PostHog's words when it does not take events, for a front that answers in its place."""

from __future__ import annotations

import json
from typing import Any

from producers.ingest.adapters.posthog import refused
from producers.ingest.answers import Refusal


def said(refusal: Refusal) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(refused(refusal).body)
    return read

"""Every protocol the edge speaks, in the order in which they are asked for a path that several share."""

from __future__ import annotations

from producers.ingest.adapters.amplitude import AmplitudeAdapter
from producers.ingest.adapters.amplitude_stream import AmplitudeStreamAdapter
from producers.ingest.adapters.cloudevents import CloudEventsAdapter
from producers.ingest.adapters.imported import ImportAdapter
from producers.ingest.adapters.native import NativeAdapter
from producers.ingest.adapters.posthog import PostHogAdapter, PostHogV1Adapter
from producers.ingest.adapters.posthog_settings import PostHogSettings
from producers.ingest.adapters.protocol import Adapter
from producers.ingest.adapters.resonance import ResonanceAdapter
from producers.ingest.adapters.reteno import RetenoAdapter
from producers.ingest.adapters.segment import SegmentAdapter
from producers.ingest.limits import Limits


def all_adapters(limits: Limits) -> list[Adapter]:
    return [
        NativeAdapter(limits),
        ImportAdapter(limits),
        SegmentAdapter(limits),
        CloudEventsAdapter(limits),
        ResonanceAdapter(limits),
        RetenoAdapter(limits),
        AmplitudeAdapter(limits),
        AmplitudeStreamAdapter(limits),
        PostHogAdapter(limits),
        PostHogV1Adapter(limits),
        PostHogSettings(limits),
    ]

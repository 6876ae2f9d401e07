"""Amplitude and PostHog: every request gets events that validation can read or judge, or a precise refusal, and no
adapter raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.ingest.adapters.amplitude import AmplitudeAdapter
from producers.ingest.adapters.amplitude_stream import AmplitudeStreamAdapter
from producers.ingest.adapters.posthog import PostHogAdapter, PostHogV1Adapter
from producers.ingest.adapters.posthog_settings import PostHogSettings
from producers.ingest.adapters.protocol import Adapter
from producers.ingest.answers import Answer, Refusal
from producers.ingest.limits import Limits
from producers.ingest.request import Request
from schemas.envelope import Undecodable, decode
from tests.producers.ingest.edge import SOURCE
from tests.producers.ingest.exchange import RECEIVED
from tests.producers.ingest.test_native_fuzz import dumped, values

PATHS = {
    AmplitudeAdapter: ["/2/httpapi", "/batch"],
    AmplitudeStreamAdapter: ["/integrations/amplitude"],
    PostHogAdapter: ["/batch", "/e"],
    PostHogV1Adapter: ["/i/v1/analytics/events"],
    PostHogSettings: ["/flags", "/array/wk_a/config.js", "/array//config"],
}
known = st.sampled_from(
    ["api_key", "events", "batch", "token", "event_type", "user_id", "device_id", "insert_id", "$insert_id", "uuid",
     "time", "event_time", "event_properties", "user_properties", "groups", "group_properties", "session_id", "price",
     "$set", "$setOnce", "$set_once", "event", "distinct_id", "timestamp", "offset", "properties", "options", "alias",
     "$group_type", "$group_key", "$group_set", "$lib", "$is_identified", "$device_id", "$anon_distinct_id",
     "$process_person_profile", "$ignore_sent_at", "$current_url", "client_upload_time", "sent_at", "build"]
)  # fmt: skip
words = known | st.sampled_from(
    ["2026-03-05T10:00:00Z", "$identify", "$groupidentify", "$create_alias", "$pageview", "$screen", "revenue_amount",
     "[Amplitude] Page Viewed", "session_start", "Application Opened", "wk_a", "\ud800"]
)  # fmt: skip
deep = st.recursive(
    values | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(known | st.text(max_size=3), inner, max_size=4),
    max_leaves=8,
)
item = st.dictionaries(known, deep, max_size=8)
bodies = st.one_of(
    st.binary(max_size=100), deep.map(dumped), item.map(dumped),
    st.builds(lambda name, items: dumped({name: items}), st.sampled_from(["events", "batch"]),
              st.lists(item, max_size=4)),
)  # fmt: skip
small = Limits(event_bytes=300, events=3, depth=4)
CARRIED = 17
"""Events that one may carry besides: groups, or traits."""


def check(adapter: Adapter, request: Request, limits: Limits) -> None:
    adapter.claims(request)
    key = adapter.key(request)
    assert isinstance(key, str) or key.status in (400, 401, 413)
    outcome = adapter.read(request, SOURCE)
    if isinstance(outcome, Answer):
        assert outcome.status == 200
        return
    if isinstance(outcome, Refusal):
        assert outcome.status in (400, 413)
        assert outcome.message
        assert json.loads(adapter.refused(outcome).body)
        return
    assert 0 < len(outcome) <= limits.events * CARRIED
    assert adapter.accepted(outcome).status == 200
    for event in outcome:
        try:
            envelope = decode(event.value)
        except Undecodable as error:
            if str(error).startswith("not JSON") and "range" not in str(error):
                raise
            continue
        assert envelope.source == SOURCE.id
        assert envelope.event_id == event.id
        assert (envelope.user_id or envelope.anonymous_id or "") == event.key


@pytest.mark.parametrize("kind", PATHS)
@settings(max_examples=60)
@given(data=st.data())
def test_any_request(kind: Any, data: st.DataObject) -> None:
    """Bodies that are JSON of any form or none at all, under wide and narrow limits."""
    limits = data.draw(st.sampled_from([Limits(), small]))
    path = data.draw(st.sampled_from(PATHS[kind]))
    said = {b"authorization": data.draw(st.sampled_from([b"Bearer wk_a", b"", b"Basic \xff"]))}
    check(kind(limits), Request("POST", path, b"", said, data.draw(bodies), RECEIVED), limits)

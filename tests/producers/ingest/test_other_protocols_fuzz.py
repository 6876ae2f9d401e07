"""CloudEvents, Resonance and Reteno: every request gets events that validation can read or judge, or a precise refusal,
and no adapter raises."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.ingest.adapters.cloudevents import CloudEventsAdapter
from producers.ingest.adapters.protocol import Adapter
from producers.ingest.adapters.resonance import ResonanceAdapter
from producers.ingest.adapters.reteno import RetenoAdapter
from producers.ingest.answers import Answer, Refusal
from producers.ingest.limits import Limits
from producers.ingest.request import Request
from schemas.envelope import Undecodable, decode
from tests.producers.ingest.edge import SOURCE
from tests.producers.ingest.exchange import RECEIVED
from tests.producers.ingest.test_native_fuzz import dumped, values

PATHS = {
    CloudEventsAdapter: ["/cloudevents"],
    ResonanceAdapter: ["/events/v1/events"],
    RetenoAdapter: ["/api/v2/event", "/api/v1/event", "/api/v1/events", "/api/v1/user", "/api/v1/device"],
}
known = st.sampled_from(
    ["specversion", "id", "source", "type", "subject", "time", "data", "data_base64", "datacontenttype", "userid",
     "anonymousid", "userId", "name", "eventAt", "eventTypeKey", "keyValue", "params", "eventParams", "occurred",
     "deviceId", "externalUserId", "events", "userAttributes", "fields", "address", "pushToken", "osType", "value",
     "externalCustomerId", "email", "screenView", "SessionEnded", "durationInSeconds", "screenClass"]
)  # fmt: skip
words = known | st.sampled_from(["2026-03-05T10:00:00Z", "eyJhIjoxfQ==", "true", "nan", "-1e5", "\ud800"])
deep = st.recursive(
    values | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(known | st.text(max_size=3), inner, max_size=6),
    max_leaves=20,
)
headers = st.dictionaries(
    st.sampled_from([b"ce-id", b"ce-type", b"ce-time", b"ce-subject", b"ce-x", b"content-type", b"idempotency-key",
                     b"x-reteno-access-key", b"x-reteno-debug", b"x-reteno-sdk-version"]),
    st.binary(max_size=12), max_size=4,
)  # fmt: skip
small = Limits(event_bytes=300, events=3, depth=4)


def check(adapter: Adapter, request: Request, limits: Limits) -> None:
    outcome = adapter.read(request, SOURCE)
    if isinstance(outcome, Answer):
        assert outcome.status in (200, 202)
        return
    if isinstance(outcome, Refusal):
        assert outcome.status in (400, 403, 413)
        assert outcome.message
        assert json.loads(adapter.refused(outcome).body)["message"] == outcome.message
        return
    assert 0 < len(outcome) <= limits.events
    assert adapter.accepted(outcome).status in (200, 202)
    for event in outcome:
        json.loads(event.value)
        with suppress(Undecodable):  # an id that is a list, and the like: a dead letter shows it
            envelope = decode(event.value)
            assert envelope.source == SOURCE.id
            assert envelope.event_id == event.id
            assert (envelope.user_id or envelope.anonymous_id or "") == event.key


@pytest.mark.parametrize("kind", PATHS)
@given(data=st.data())
def test_any_request(kind: Any, data: st.DataObject) -> None:
    """Bodies that are JSON of any form or none at all, with any headers, under wide and narrow limits."""
    limits = data.draw(st.sampled_from([Limits(), small]))
    body = data.draw(st.binary(max_size=100) | deep.map(dumped) | st.lists(deep, max_size=4).map(dumped))
    path = data.draw(st.sampled_from(PATHS[kind]))
    said = {b"authorization": b"Bearer sk_a", **data.draw(headers)}
    check(kind(limits), Request("POST", path, b"", said, body, RECEIVED), limits)

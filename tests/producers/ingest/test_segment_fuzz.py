"""Every body there is gets envelopes that validation reads, or a precise refusal; the adapter never raises."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from producers.ingest.adapters.segment import SegmentAdapter
from producers.ingest.answers import Answer, Refusal
from producers.ingest.limits import Limits
from schemas.envelope import Undecodable, decode
from tests.producers.ingest.edge import SOURCE
from tests.producers.ingest.exchange import asked

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=6)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))
names = st.sampled_from([
    "type", "event", "userId", "anonymousId", "messageId", "timestamp", "originalTimestamp", "sentAt", "properties",
    "traits", "context", "name", "category", "groupId", "previousId", "integrations", "writeKey", "batch",
])  # fmt: skip
kinds = st.sampled_from(["track", "identify", "page", "screen", "group", "alias", "merge", ""])
objects = st.dictionaries(
    st.sampled_from(["name", "category", "traits", "createdAt", "firstName", "group_id"]) | st.text(max_size=3), values
)
items = st.dictionaries(names | st.text(max_size=4), values | kinds | objects, max_size=8)
bodies = st.one_of(
    items, st.lists(items | values, max_size=4),
    st.builds(lambda batch, more: {**more, "batch": batch}, st.lists(items | values, max_size=4) | values, items),
)  # fmt: skip
paths = st.sampled_from(sorted(path for path, methods in SegmentAdapter.routes.items() if "POST" in methods))
adapters = st.sampled_from([SegmentAdapter(Limits()), SegmentAdapter(Limits(event_bytes=300, events=3, depth=3))])


def check(adapter: SegmentAdapter, path: str, body: bytes) -> None:
    request = asked(path, body)
    key = adapter.key(request)
    assert isinstance(key, str) or key.status == 401
    outcome = adapter.read(request, SOURCE)
    if isinstance(outcome, Answer):
        assert outcome.status == 200
        return
    if isinstance(outcome, Refusal):
        assert outcome.status in (400, 413)
        assert outcome.message
        assert adapter.refused(outcome).body
        return
    for event in outcome:
        envelope: dict[str, Any] = json.loads(event.value)
        assert envelope["source"] == "shop-backend"
        assert envelope["event_id"]
        assert envelope["via"]["protocol"] == "segment"
        assert "writeKey" not in envelope["via"].get("rest", {})
        with suppress(Undecodable):  # which is a dead letter that says why
            assert decode(event.value).event_id == event.id


@given(adapter=adapters, path=paths, body=st.binary(max_size=120) | bodies.map(lambda b: json.dumps(b).encode()))
def test_any_body(adapter: SegmentAdapter, path: str, body: bytes) -> None:
    """Events with an id and the source of the key, a success without events, or 400 or 413 with a message."""
    check(adapter, path, body)


@given(path=paths, body=bodies, at=st.integers(0, 500), byte=st.integers(0, 255))
def test_damaged_bodies(path: str, body: object, at: int, byte: int) -> None:
    """One byte overwritten anywhere: the same."""
    text = json.dumps(body).encode()
    at %= len(text)
    check(SegmentAdapter(Limits()), path, text[:at] + bytes([byte]) + text[at + 1 :])

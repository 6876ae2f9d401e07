"""Every body there is gets events that validation can read, or a precise refusal; the adapter never raises."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from producers.ingest.answers import Refusal
from producers.ingest.limits import Limits, deeper_than
from schemas.envelope import Undecodable, decode, depth
from tests.producers.ingest.test_native import read

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))
names = st.sampled_from(
    ["event", "type", "user_id", "anonymous_id", "event_id", "source", "time", "properties", "context", "events"]
)
texts = st.text(min_size=1, max_size=8)
events = st.fixed_dictionaries(
    {"event": texts, "user_id": texts}, optional={"properties": st.dictionaries(texts, values), "event_id": texts}
)
odd = st.dictionaries(names | st.text(max_size=4), values | st.sampled_from(["track", "identify", "alias"]))
bodies = st.one_of(
    events, odd, st.lists(events | odd, max_size=4), st.builds(lambda e: {"events": e}, st.lists(events))
)
small = Limits(event_bytes=400, events=3, depth=3)


def dumped(value: Any) -> bytes:
    """JSON; text that UTF-8 cannot hold goes as an escape."""
    return json.dumps(value).encode()


def check(body: bytes, limits: Limits) -> None:
    outcome = read(body, limits)
    if isinstance(outcome, Refusal):
        assert outcome.status in (400, 413)
        assert outcome.message
        assert outcome.error != "bad_events" or outcome.events
        return
    assert 0 < len(outcome) <= limits.events
    for event in outcome:
        try:
            envelope = decode(event.value)
        except Undecodable as error:
            if "out of range" not in str(error):  # 1e999 is JSON and no number of ours: left to validation
                raise
            continue
        assert envelope.source == "shop-backend"
        assert envelope.event_id == event.id
        assert (envelope.user_id or envelope.anonymous_id) == event.key


@given(body=st.binary(max_size=200) | bodies.map(dumped), limits=st.sampled_from([Limits(), small]))
def test_any_body(body: bytes, limits: Limits) -> None:
    """Whatever is accepted can be read by the validation stage, with the source, id and user the edge promised."""
    check(body, limits)


@given(body=bodies.map(dumped), at=st.integers(0, 400), byte=st.integers(0, 255))
def test_damaged_bodies(body: bytes, at: int, byte: int) -> None:
    """One byte overwritten anywhere: still readable events or a refusal."""
    at %= len(body)
    check(body[:at] + bytes([byte]) + body[at + 1 :], Limits())


@given(value=st.dictionaries(st.text(max_size=4), values), limit=st.integers(1, 5))
def test_depth_by_brackets_is_depth_by_parsing(value: dict[str, Any], limit: int) -> None:
    """Counting brackets outside strings gives what walking the parsed value gives."""
    assert deeper_than(dumped(value), limit) == (depth(value) - 1 > limit)

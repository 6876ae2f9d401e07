"""A world of two event types and a few sources, and records in it, made without a broker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from console.events.arrivals import Arrival, Arrivals
from console.events.stored import Stored, read_stored
from console.events.world import World
from offerflow.catalog.view import Source
from schemas.channels import Channel
from schemas.plan import Plan, load_event_schema
from schemas.step import Emit, Outcome

META = {"name": "meta", "type": "events.Meta"}
BOUGHT: dict[str, Any] = {
    "type": "record", "namespace": "events", "name": "Bought", "event": ["Bought", "Order Completed"],
    "fields": [
        META,
        {"name": "amount", "type": "double", "minimum": 0},
        {"name": "paid_at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": None},
        {"name": "currency", "type": "string", "default": "EUR"},
        {"name": "email", "type": ["null", "string"], "default": None, "pii": True},
        {"name": "home", "type": ["null", {"type": "record", "name": "Home", "fields": [
            {"name": "city", "type": "string"},
            {"name": "street", "type": ["null", "string"], "default": None, "pii": True}]}], "default": None},
    ],
}  # fmt: skip
WOKE: dict[str, Any] = {
    "type": "record", "namespace": "events", "name": "Woke", "event": ["App Woke"], "system": True, "fields": [META],
}  # fmt: skip
NOTED: dict[str, Any] = {
    "type": "record", "namespace": "events", "name": "Noted", "event": ["Noted"], "unplanned": "allow",
    "fields": [META, {"name": "extra", "type": {"type": "map", "values": "string"}, "default": {}}],
}  # fmt: skip
PAGED: dict[str, Any] = {
    "type": "record", "namespace": "events", "name": "PageViewed", "event": ["Page Viewed"],
    "fields": [META, {"name": "path", "type": "string", "default": ""}],
}  # fmt: skip
PLAN = Plan([load_event_schema(one, 1000 + at) for at, one in enumerate((BOUGHT, WOKE, NOTED, PAGED))])
SOURCES = {
    "shop": Source("shop", "backend", ("raw.backend",)),
    "app": Source("app", "sdk", (), {"App Woke": False}),
}
CHANNELS = {
    "offerflow.raw.backend": Channel("raw.backend", "T1", "backend", "shop"),
    "offerflow.raw.sdk": Channel("raw.sdk", "T2", "sdk", None),
    "offerflow.raw.import": Channel("raw.import", "T3", None, None),
}
RECEIVED = 1_772_704_800_000
BACKEND = "offerflow.raw.backend"


def world(**given: Any) -> World:
    """A new one, since it keeps what it has looked up."""
    return World(PLAN, SOURCES, CHANNELS, **given)


class Raw:
    """A record of a topic."""

    def __init__(
        self, value: bytes | None, topic: str = BACKEND, offset: int = 0,
        headers: Sequence[tuple[str, bytes | None]] = (), partition: int = 3, key: bytes | None = None,
        appended: int = RECEIVED,
    ) -> None:  # fmt: skip
        self._said = (topic, partition, offset, key, value, list(headers) or None, (2, appended))

    def topic(self) -> str:
        return self._said[0]

    def partition(self) -> int:
        return self._said[1]

    def offset(self) -> int:
        return self._said[2]

    def key(self) -> bytes | None:
        return self._said[3]

    def value(self) -> bytes | None:
        return self._said[4]

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self._said[5]

    def timestamp(self) -> tuple[int, int]:
        return self._said[6]


def envelope(event: str = "Bought", user_id: str | None = "u-1", **members: Any) -> bytes:
    """A native envelope as bytes."""
    return json.dumps({"event": event, "user_id": user_id, **members}).encode()


def bought(offset: int = 0, event_id: str | None = "e-1", **properties: Any) -> Raw:
    """A purchase as it arrives."""
    said = {} if event_id is None else {"event_id": event_id}
    return Raw(envelope(**said, properties={"amount": 12, **properties}), offset=offset)


def judged(record: Raw, *, offset: int = 0, of: World | None = None) -> tuple[Arrival, Stored]:
    """A record as it arrived, and as validation stores it at this offset of partition 1 of the journal."""
    known = of or world()
    outcome: Outcome = known.step(record)
    assert isinstance(outcome, Emit), outcome
    kept = Raw(outcome.value, "offerflow.journal", offset, partition=1)
    stored = read_stored(known, kept)
    assert stored is not None
    return Arrivals(known)(record), stored


FRAMED = judged(bought())[1].value
_NAMES = st.sampled_from([
    "event", "user_id", "event_id", "type", "time", "source", "properties", "via", "context", "device", "rest", "id",
    "amount", "email", "home", "specversion", "data", "meta", "extra",
])  # fmt: skip
_TEXTS = st.text(max_size=5) | st.sampled_from(["Bought", "Noted", "page", "1.0", "\ud800", "e-1"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**30) | st.floats() | _TEXTS,
    lambda inner: st.dictionaries(_NAMES | _TEXTS, inner, max_size=4) | st.lists(inner, max_size=3),
)
_NEARLY = st.fixed_dictionaries(
    {"event": st.sampled_from(["Bought", "Noted", "Page Viewed", "Nope"]), "user_id": st.just("u-1")},
    optional={"properties": _JSON, "time": _JSON, "via": _JSON, "context": _JSON, "event_id": _TEXTS, "meta": _JSON},
)
_FRAMES = st.builds(lambda body: FRAMED[:5] + body, st.binary(max_size=60))
_HEADERS = st.tuples(
    st.sampled_from(["ce_id", "ce_type", "content-type", "of-origin-topic", "x"]), st.none() | st.binary(max_size=12)
)


def anything() -> st.SearchStrategy[Raw]:
    """Whatever may lie in a raw topic."""
    written = (_JSON | _NEARLY).map(lambda one: json.dumps(one).encode())
    values = st.none() | st.binary(max_size=40) | _FRAMES | written
    topics = st.sampled_from([BACKEND, "offerflow.raw.import"])
    return st.builds(lambda value, topic, headers: Raw(value, topic, 1, headers), values, topics,
                     st.lists(_HEADERS, max_size=4))  # fmt: skip

"""Records that are wrong on purpose, at least one kind for every reason of a dead letter.

Each kind makes one record out of a good event of the stream, so that it arrives in the middle of a real journey.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from producers.simulator.event import BACKEND, SDK, Event, Sent, encode, envelope

Make = Callable[[Event, str], Sent]
"""(a good event, a fresh event id) -> the broken record."""


class Kind(NamedTuple):
    """``reason`` is the dead letter that must come of it; ``every`` > 1 makes a costly kind rarer.

    ``needs_remembered``: it must be made from an event that rules remember (see ``memorable``).
    """

    name: str
    reason: str
    make: Make
    every: int = 1
    needs_remembered: bool = False


def _bytes(value: bytes | None, channel: str = BACKEND) -> Make:
    return lambda good, _: Sent(channel, good.key, value)


def _changed(channel: str = BACKEND, /, **fields: Any) -> Make:
    """An order of the same user, with ``fields`` of the envelope replaced."""

    def make(good: Event, event_id: str) -> Sent:
        order = _order(good, event_id)
        return Sent(channel, good.key, json.dumps({**envelope(order), **fields}, separators=(",", ":")).encode())

    return make


def _order_with(**properties: Any) -> Make:
    def make(good: Event, event_id: str) -> Sent:
        order = _order(good, event_id)
        return encode(order._replace(properties={**order.properties, **properties}))

    return make


def _order(good: Event, event_id: str) -> Event:
    properties = {"order_id": f"o-{event_id[:12]}", "amount": 59.9, "currency": "EUR"}
    return Event(
        BACKEND, "Purchase Completed", good.time, properties, good.user_id or "u-broken", None, event_id, "shop-backend"
    )


def _event(channel: str, name: str, source: str, **properties: Any) -> Make:
    def make(good: Event, event_id: str) -> Sent:
        user = good.user_id or "u-broken"
        return encode(Event(channel, name, good.time, properties, user, None, event_id, source))

    return make


def _truncated(good: Event, event_id: str) -> Sent:
    return Sent(BACKEND, good.key, (encode(_order(good, event_id)).value or b"")[:-20])


def _untyped_cloud_event(good: Event, event_id: str) -> Sent:
    value = {"specversion": "1.0", "id": event_id, "source": "/shop", "subject": good.user_id, "data": {"amount": 5}}
    return Sent(BACKEND, good.key, json.dumps(value).encode())


def _nested(good: Event, event_id: str) -> Sent:
    deep: Any = 1
    for _ in range(40):
        deep = {"more": deep}
    return encode(_order(good, event_id)._replace(properties={"deep": deep}))


def memorable(event: Event) -> bool:
    """Whether a rule of the demo counts such an event, so that its id is remembered and a conflict noticed."""
    return event.name == "Lesson Completed" and event.event_id is not None and event.user_id is not None


def _conflicting(good: Event, _: str) -> Sent:
    """The same event id again with another content."""
    return encode(good._replace(properties={**good.properties, "lesson_id": "another-lesson"}))


KINDS: tuple[Kind, ...] = (
    Kind("not_json", "undecodable", _bytes(b"hello, this is not JSON")),
    Kind("empty_value", "undecodable", _bytes(b"")),
    Kind("null_value", "undecodable", _bytes(None)),
    Kind("truncated_json", "undecodable", _truncated),
    Kind("array", "undecodable", _bytes(b'[{"event":"Purchase Completed","user_id":"u-1"}]')),
    Kind("not_utf8", "undecodable", _bytes(b'{"event":"Caf\xe9 Opened","user_id":"u-1"}', SDK)),
    Kind("not_a_number", "undecodable", _bytes(b'{"event":"Sleep Tracked","user_id":"u-1","properties":{"x":NaN}}')),
    Kind("framed", "undecodable", _bytes(b"\x00\x00\x00\x03\xe8" + bytes(range(40)))),
    Kind("cloud_event_without_type", "undecodable", _untyped_cloud_event),
    Kind("framed_under_no_schema", "unknown_schema", _bytes(b"\x00\x7f\xff\xff\xff" + bytes(range(40)))),
    Kind("wrong_envelope", "undecodable", _changed(event=42)),
    Kind("too_deep", "undecodable", _nested),
    Kind("too_large", "too_large", _order_with(note="offerflow " * 120_000), every=25),
    Kind("unknown_source", "unknown_source", _changed(source="nobody")),
    Kind("misspelt_event", "unknown_event", _changed(event="Purchase Complted")),
    Kind("event_from_wrong_origin", "origin_forbidden", _changed(SDK, source="academy-app")),
    Kind(
        "source_on_wrong_channel", "origin_forbidden",
        _event(SDK, "Lesson Completed", "shop-backend", lesson_id="yoga-01"),
    ),
    Kind("no_user", "missing_user", _changed(user_id=None)),
    Kind("empty_user", "missing_user", _changed(user_id="", anonymous_id="")),
    Kind("from_the_future", "clock_skew", _changed(time="2099-01-01T00:00:00Z")),
    Kind("number_as_text", "schema_violation", _order_with(amount="59.90")),
    Kind("property_missing", "schema_violation", _event(BACKEND, "Payment Completed", "billing", amount=5)),
    Kind(
        "unknown_symbol", "schema_violation",
        _event(BACKEND, "Subscription Started", "billing", subscription_id="s-1", plan="plus", interval="fortnight"),
    ),
    Kind("below_minimum", "rule_of_plan_violation", _order_with(amount=-5)),
    Kind("against_pattern", "rule_of_plan_violation", _order_with(currency="eur")),
    Kind("conflict", "duplicate_conflict", _conflicting, needs_remembered=True),
)  # fmt: skip

"""What is sent while things break: users of a few dozen events each, in every form, with a share of what can be wrong.

Seeded: the same seed gives the same events but for their times, which are those of sending.
"""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from time import time
from typing import Any

import fastavro

from tests.deployment import Headers
from tests.oracle import wire
from tests.oracle.workspace import read, with_meta

WORKSPACE = Path(__file__).with_name("workspace")
CHANGED = Path(__file__).with_name("changed")
TOPICS = ("raw.backend", "raw.sdk", "raw.partner")
WEEK = 7 * 24 * 3600 * 1000
AT_ONCE, EVENTS_EACH = 3000, 30
"""Users who are active at a time, and about how many events each sends: the judge looks at all events of a user again
and again."""
BROKEN, REPEATED, CONFLICTING, ANONYMOUS, FOREIGN = 0.03, 0.03, 0.005, 0.08, 0.35
"""Shares; of the last, those that come as CloudEvents or Avro."""

Raw = tuple[str, bytes | None, bytes | None, Headers]
"""Topic without prefix, key, value, headers."""
_META = {"received_at": 0, "origin": "sdk", "lateness": "ignore", "content_hash": -1}
"""What a sender of Avro puts where only validation has a say."""


class Load:
    """An endless stream of raw records. ``ids`` are the schema ids that the deployment gave each (type, version)."""

    def __init__(self, seed: int, ids: Mapping[tuple[str, int], int]) -> None:
        self._random = random.Random(seed)
        self._number = 0
        self._recent: deque[Raw] = deque(maxlen=400)
        self._orders: deque[tuple[str, dict[str, Any]]] = deque(maxlen=4000)
        self._heads = {name: b"\x00" + made.to_bytes(4, "big") for (name, _), made in ids.items()}
        plan = read([WORKSPACE], local_server=False)
        self._writers = {
            name: fastavro.parse_schema(wire.plain(with_meta(one.schema))) for (name, _), one in plan.versions.items()
        }

    def take(self, count: int) -> list[Raw]:
        return [self._next() for _ in range(count)]

    def _next(self) -> Raw:
        draw = self._random
        chance = draw.random()
        if chance < REPEATED and self._recent:
            return draw.choice(self._recent)
        if chance < REPEATED + CONFLICTING and self._recent:
            return self._conflicting(draw.choice(self._recent))
        topic, source, event = self._event()
        if chance > 1 - BROKEN:
            return self._broken(topic, source, event)
        made = self._formed(topic, source, event)
        self._recent.append(made)
        return made

    def _event(self) -> tuple[str, str, dict[str, Any]]:
        """Topic, source and native envelope of an event that validation must take."""
        draw = self._random
        self._number += 1
        user = f"{self._number // EVENTS_EACH + draw.randrange(AT_ONCE)}"
        who = {"anonymous_id": f"anon-{user}"} if draw.random() < ANONYMOUS else {"user_id": f"u-{user}"}
        now = int(time() * 1000) - draw.choice((0, 0, 100, 1500))
        name, topics, make = draw.choice(_KINDS)
        properties, at = make(self, who, now)
        if name == "Refunded" and self._orders:
            order, who = draw.choice(self._orders)
            properties = {"order_id": order}
        topic = draw.choice(topics)
        envelope = {"event": name, "event_id": f"e-{self._number}", **who, "time": at, "properties": properties}
        return topic, _SOURCES[topic], envelope

    def _joined(self, who: dict[str, str], now: int) -> tuple[dict[str, Any], int]:
        return ({"plan": "pro"} if self._random.random() < 0.5 else {}), now

    def _carted(self, who: dict[str, str], now: int) -> tuple[dict[str, Any], int]:
        # A week ago, so that the silence that is waited for ends within seconds.
        return {"cart_id": f"c-{self._number}"}, now - WEEK + self._random.randrange(6000)

    def _paid(self, who: dict[str, str], now: int) -> tuple[dict[str, Any], int]:
        draw = self._random
        self._orders.append((f"o-{self._number}", who))
        amount = draw.choice((5.0, 19.99, 20.0, 33.33, 60.0))
        return {"order_id": f"o-{self._number}", "amount": amount, "currency": draw.choice(("EUR", "EUR", "CHF"))}, now

    def _refunded(self, who: dict[str, str], now: int) -> tuple[dict[str, Any], int]:
        return {"order_id": "none"}, now

    def _visited(self, who: dict[str, str], now: int) -> tuple[dict[str, Any], int]:
        # No rule asks for it: most of what is sent is of that sort.
        return {"page": f"/{self._random.randrange(500)}"}, now

    def _browsed(self, who: dict[str, str], now: int) -> tuple[dict[str, Any], int]:
        return {"category": self._random.choice(("books", "toys", "garden", "music"))}, now

    def _rated(self, who: dict[str, str], now: int) -> tuple[dict[str, Any], int]:
        return {"stars": self._random.choice((1, 3, 4, 4, 5))}, now

    def _formed(self, topic: str, source: str, event: dict[str, Any]) -> Raw:
        key = (event.get("user_id") or event.get("anonymous_id") or "").encode()
        draw = self._random
        if draw.random() > FOREIGN:
            return topic, key, json.dumps(event).encode(), []
        form = draw.randrange(3)
        if form == 0:
            return topic, key, self._framed(source, event), []
        attributes = {
            "specversion": "1.0", "id": event["event_id"], "type": event["event"], "source": source,
            "subject": event.get("user_id"), "anonymousid": event.get("anonymous_id"),
        }  # fmt: skip
        told = {name: value for name, value in attributes.items() if value}
        if form == 1:
            # No time of its own: it happened when it was appended.
            structured = {**told, "data": event["properties"]}
            return topic, key, json.dumps(structured).encode(), []
        headers = [(f"ce_{name}", value.encode()) for name, value in told.items()]
        return topic, key, json.dumps(event["properties"]).encode(), headers

    def _framed(self, source: str, event: dict[str, Any]) -> bytes:
        name = event["event"]
        who = {"user_id": event.get("user_id"), "anonymous_id": event.get("anonymous_id")}
        meta = {**_META, **who, "event_id": event["event_id"], "time": event["time"], "source": source}
        body = BytesIO()
        fastavro.schemaless_writer(body, self._writers[name], {"meta": meta, **event["properties"]})
        return self._heads[name] + body.getvalue()

    def _broken(self, topic: str, source: str, event: dict[str, Any]) -> Raw:
        draw = self._random
        key = (event.get("user_id") or event.get("anonymous_id") or "").encode()
        kind = draw.randrange(6)
        if kind == 0:
            return topic, None, draw.randbytes(draw.randrange(40)), []
        if kind == 1:
            return topic, key, self._framed(source, event)[: draw.randrange(1, 30)], [("h", b"\xff")]
        changed = {
            2: {"event": event["event"] + "d"}, 3: {"source": "nobody"}, 4: {"user_id": "", "anonymous_id": ""},
            5: {"time": event["time"] + 2 * WEEK},
        }[kind]  # fmt: skip
        return topic, key, json.dumps({**event, **changed}).encode(), []

    def _conflicting(self, raw: Raw) -> Raw:
        """The same event id with other properties, if it is a form in which that is quickly done."""
        topic, key, value, headers = raw
        for old, new in ((b'"stars": 4', b'"stars": 2'), (b'"amount": 20.0', b'"amount": 21.5'), (b"toys", b"tour")):
            if old in (value or b""):
                return topic, key, (value or b"").replace(old, new), headers
        return raw


_SOURCES = {"raw.backend": "shop", "raw.sdk": "app", "raw.partner": "partner"}
_ANY, _OWN = TOPICS, ("raw.backend", "raw.partner")
_Make = Callable[[Load, dict[str, str], int], tuple[dict[str, Any], int]]
_SHARES: tuple[tuple[int, str, tuple[str, ...], _Make], ...] = (
    (40, "Visited", _ANY, Load._visited), (16, "Browsed", _ANY, Load._browsed), (10, "Rated", _ANY, Load._rated),
    (16, "Paid", _OWN, Load._paid), (6, "Carted", _ANY, Load._carted), (8, "Joined", _ANY, Load._joined),
    (4, "Refunded", _OWN, Load._refunded),
)  # fmt: skip
_KINDS = [(name, topics, make) for share, name, topics, make in _SHARES for _ in range(share)]

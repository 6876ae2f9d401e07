"""Seeded traffic for ``tests/workspaces/coffee``: good events, and a stated share of everything that can be wrong."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.deployment import Headers

WORKSPACE = Path(__file__).parents[1] / "workspaces" / "coffee"
LATER = WORKSPACE.with_name("coffee-later")
RAW = ("raw.backend", "raw.roastery", "raw.sdk", "raw.integration")
Raw = tuple[str, bytes | None, bytes | None, Headers]
"""Topic without prefix, key, value, headers."""

BROKEN, REPEATED, CONFLICTING, ANONYMOUS, HOT = 0.06, 0.04, 0.01, 0.1, 0.08


class Traffic:
    """An endless stream of raw records of ``users`` users who do something now, or did up to ten seconds ago. The same
    seed gives the same, but for the times."""

    def __init__(self, seed: int, users: int = 500) -> None:
        self._random = random.Random(seed)
        self._users = users
        self._number = 0
        self._recent: list[Raw] = []

    def take(self, count: int) -> list[Raw]:
        return [self._next() for _ in range(count)]

    def _next(self) -> Raw:
        chance, draw = self._random.random(), self._random
        if chance < BROKEN:
            return self._broken()
        if chance < BROKEN + REPEATED and self._recent:
            return draw.choice(self._recent)
        if chance < BROKEN + REPEATED + CONFLICTING and self._recent:
            return self._conflicting(draw.choice(self._recent))
        made = self._raw(*self._good())
        self._recent = [*self._recent[-200:], made]
        return made

    def _good(self) -> tuple[str, dict[str, Any]]:
        """Topic and envelope of an event that validation must take."""
        self._number += 1
        topic, envelope = self._random.choice(self._makers)(self)
        # New users come all the time, so that there is always somebody to enter an offer.
        name = f"{self._random.randrange(self._users) + self._number // 40}"
        anonymous = self._random.random() < ANONYMOUS
        who = {"anonymous_id": f"anon-{name}"} if anonymous else {"user_id": f"u-{name}"}
        if self._random.random() < HOT:
            who = {"user_id": "u-hot"}
        elif self._random.random() < 0.05:
            who = {"user_id": f"ü☕ {name}", "anonymous_id": "a"}
        at = int(time.time() * 1000) - self._random.randrange(10_000)
        text = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
        when = self._random.choice([{"time": at}, {"time": text}, {}])
        return topic, {"event_id": f"e-{self._number}", **who, **when, **envelope}

    def _raw(self, topic: str, envelope: dict[str, Any]) -> Raw:
        key = (envelope.get("user_id") or envelope.get("anonymous_id") or "").encode()
        value = json.dumps(envelope, ensure_ascii=self._random.random() < 0.5).encode()
        return topic, key, value, [("trace", f"{self._number}".encode())]

    def _conflicting(self, raw: Raw) -> Raw:
        topic, key, value, headers = raw
        envelope = json.loads(value or b"{}")
        properties = envelope.get("properties") or {}
        for name, other in (("grams", 7), ("total", 77), ("stars", 2), ("kilos", 7.5)):
            if name in properties:
                return topic, key, json.dumps({**envelope, "properties": {**properties, name: other}}).encode(), headers
        return raw

    def _brewed(self) -> tuple[str, dict[str, Any]]:
        draw = self._random
        properties: dict[str, Any] = {
            "drink": draw.choice(["espresso", "filter", "cortado", "flat_white"]),
            "grams": draw.choice([9, 18, 18.0, 29, 58]) if draw.random() < 0.3 else 18,
            "decaf": draw.random() < 0.1,
        }
        more = {
            "strength": draw.choice([5, 9.5, 9.6]), "notes": ["nutty", "ü"], "settings": {"a": 1, "b": 2**40},
            "recipe": {"title": "V60"}, "finished_at": "2026-03-05T10:00:00.25+01:00",
            "pressure": draw.choice([9, 9.5]), "mood": {"deep": [1, None, "x"]}, "weather": "rain",
        }  # fmt: skip
        properties |= {name: value for name, value in more.items() if draw.random() < 0.2}
        event = draw.choice(["☕ Brewed", "brew.finished"])
        if draw.random() < 0.4:
            return "raw.backend", {"event": event, "properties": properties}
        return "raw.sdk", {"event": event, "source": draw.choice(["app.v2", "kiosk"]), "properties": properties}

    def _ordered(self) -> tuple[str, dict[str, Any]]:
        draw = self._random
        properties = {
            "shop": draw.choice(["north", "south"]), "number": draw.randrange(4000),
            "total": draw.choice([5, 20, 60.5]), "currency": draw.choice(["EUR", "CHF", "SEK"]),
            "phone": draw.choice([None, "+41 79"]),
        }  # fmt: skip
        if draw.random() < 0.2:
            properties["coupon"] = "FREE10"
        envelope = {"event": draw.choice(["Müsli/Order Placed!", "order placed"]), "properties": properties}
        return (
            ("raw.integration", {**envelope, "source": "partner"}) if draw.random() < 0.2 else ("raw.backend", envelope)
        )

    def _rated(self) -> tuple[str, dict[str, Any]]:
        properties = {
            "bean": self._random.choice(["Gesha", "Bourbon"]),
            "stars": self._random.choice([1, 3, 4, 5, 5, 5]),
        }
        verified = self._random.choice([{}, {"verified": None}, {"verified": True}, {"verified": False}])
        return "raw.sdk", {"event": "bean.rated", "source": "kiosk", "properties": {**properties, **verified}}

    def _linked(self) -> tuple[str, dict[str, Any]]:
        if self._random.random() < 0.5:
            return "raw.backend", {"event": "card → linked", "source": "till", "properties": {}}
        return "raw.sdk", {"event": "card → linked", "source": self._random.choice(["kiosk", "app.v2"])}

    def _roasted(self) -> tuple[str, dict[str, Any]]:
        properties = {"batch": "b", "kilos": self._random.choice([0.4, 0.6, 3]), "unplanned": True}
        if self._random.random() < 0.5:
            properties["origin"] = self._random.choice(["ET", "KE", "BR"])
        return "raw.roastery", {"event": "Roasted", "properties": properties}

    def _woke(self) -> tuple[str, dict[str, Any]]:
        return "raw.sdk", {"event": "machine: woke up", "source": self._random.choice(["kiosk", "app.v2"])}

    _makers: tuple[Callable[[Traffic], tuple[str, dict[str, Any]]], ...] = (
        _brewed, _brewed, _brewed, _brewed, _ordered, _ordered, _rated, _rated, _linked, _roasted, _woke,
    )  # fmt: skip

    def _broken(self) -> Raw:
        topic, envelope = self._good()
        properties = envelope.setdefault("properties", {})
        match self._random.randrange(9):
            case 0:
                return topic, None, self._random.randbytes(self._random.randrange(60)), []
            case 1:
                return "raw.backend", b"k", None, [("h", None), ("h", b"\xff")]
            case 2:
                envelope["source"] = "nobody"
            case 3:
                envelope["event"] += "d"
            case 4:
                topic = "raw.sdk" if topic != "raw.sdk" else "raw.backend"
                envelope["source"] = "partner"
            case 5:
                envelope["user_id"] = envelope["anonymous_id"] = ""
            case 6:
                envelope["time"] = 4_000_000_000_000
            case 7:
                envelope |= {"event": "order placed", "source": "till", "properties": {**properties, "surprise": 1}}
                topic = "raw.backend"
            case _:
                bad = {"shop": "NORTH", "number": 1, "total": 1, "currency": "EUR"}
                envelope |= {"event": "order placed", "source": "till", "properties": bad}
                topic = "raw.backend"
        return self._raw(topic, envelope)


def hostile(seed: int, count: int) -> Iterator[Raw]:
    """Values nobody should send: random bytes, mutilated events, JSON at the edges of what JSON allows."""
    draw = random.Random(seed)
    traffic = Traffic(seed)
    edges = _edges()
    for n in range(count):
        topic, key, value, headers = traffic.take(1)[0]
        broken = bytearray(value or b"{}")
        match draw.randrange(4):
            case 0:
                broken[draw.randrange(len(broken))] = draw.randrange(256)
            case 1:
                del broken[draw.randrange(len(broken)) :]
            case 2:
                at = draw.randrange(len(broken))
                broken[at:at] = draw.choice(
                    [b"\x00", b"\xff", b'"', b"{", b"[", b"\\u0000", b"\\ud800", b"1e999", b"\n"]
                )
            case _:
                yield topic, draw.choice([key, None, b"", b"\xff\xfe"]), edges[n % len(edges)], headers
                continue
        if draw.random() < 0.05:
            headers = [*headers, ("trace", b"again"), draw.choice([("ce_id", b"1"), ("ce-id", b"1"), ("ü", None)])]
        yield topic, key, bytes(broken), headers


def _edges() -> list[bytes | None]:
    def event(**changed: Any) -> bytes:
        good = {"event": "card → linked", "source": "till", "user_id": "u-1", "event_id": "x"}
        return json.dumps({**good, **changed}).encode()

    def deep(levels: int, opening: str = "[", closing: str = "]") -> bytes:
        return event(properties={"x": "HERE"}).replace(b'"HERE"', (opening * levels + closing * levels).encode())

    return [
        None, b"", b" ", b"\x00", b"\x00\x00\x00\x03\xe8\x02a", b"null", b"true", b"0", b'""', b"[]", b"{}", b"[{}]",
        b"\xef\xbb\xbf" + event(), event() + b" ", event() + b"{}", b"NaN", b"{'event': 1}", b'{"event":', b"\xff" * 50,
        deep(15), deep(16), deep(17), deep(500), deep(100_000),
        event(user_id="x" * 512), event(user_id="x" * 513), event(event_id="x" * 513), event(user_id="\u0000"),
        event(user_id=5), event(user_id=None, anonymous_id=""), event(user_id={"a": 1}), event(event=["card → linked"]),
        event(time=10**30), event(time=-(2**63)), event(time=-(2**63) - 1), event(time=1.5), event(time=True),
        event(time="0001-01-01T00:00:00Z"), event(time="9999-12-31T23:59:59Z"), event(time=""), event(type="screen"),
        event(type="alias", previous_id="u-2"), event(type=""), event(properties=[]), event(properties=None),
        event(context={"a": "b"}), event(specversion="1.0"), event(event="x" * 100), event(source=""),
        event(properties={"x": "y" * 900_000}), event(properties={"x": 10**400}),
        event(properties={f"k{n}": n for n in range(5000)}),
        b'{"event": "card \\u2192 linked", "source": "till", "user_id": "\\ud800"}',
        b'{"event": "card \\u2192 linked", "source": "till", "user_id": "u-1", "user_id": "u-2"}',
        b'{"event": "card \\u2192 linked", "source": "till", "user_id": "u-1", "properties": {"a": 1e999}}',
    ]  # fmt: skip

"""A shop whose release makes two mistakes, and the same shop whose release makes none: the same people and minutes.

Each slice stands for a minute of traffic. While the mistakes last, one sender leaves out a property that the plan
requires, and another sends a number as a string. What somebody did wrongly comes last of what their offer asks for,
since a replay comes after what has happened meanwhile: the order of the journal is the order of decisions.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from tests.end_to_end.coffee import Raw

START = 1_780_000_000_000

BEFORE, DURING, AFTER = range(4), range(4, 13), range(13, 15)
BUYERS, VISITS = 6, 20
TOPICS = ("raw.backend", "raw.till")

SOURCES = "- {id: web, origin: backend, topics: [raw.backend]}\n- {id: till, origin: backend, topics: [raw.till]}\n"
VISITED = {
    "type": "record", "namespace": "events", "name": "Visited", "fields": [
        {"name": "meta", "type": "events.Meta"}, {"name": "page", "type": "string"}],
}  # fmt: skip
OFFERS = """
kind: offer
id: second-visit
entry: {event: Visited, count: {at_least: 2}}
completion: {event: Purchased, where: amount >= 10}
reward: {id: coupon, value: 5 EUR}
---
kind: offer
id: buyers
entry: {event: Purchased, where: store == 7 || amount >= 50}
"""


def purchased(version: int) -> dict[str, Any]:
    """The schema of a purchase. The second version says what a purchase without a currency means."""
    currency: dict[str, Any] = {"name": "currency", "type": "string"}
    return {
        "type": "record", "namespace": "events", "name": "Purchased", "version": version, "unique": ["order"],
        "fields": [
            {"name": "meta", "type": "events.Meta"}, {"name": "order", "type": "string"},
            {"name": "amount", "type": "double", "minimum": 0}, {"name": "store", "type": "int"},
            currency | ({"default": "EUR"} if version > 1 else {}),
        ],
    }  # fmt: skip


def workspace(directory: Path) -> Path:
    """The shop as it was planned at first."""
    directory.mkdir()
    (directory / "sources.yaml").write_text(SOURCES)
    (directory / "visited.avsc").write_text(json.dumps(VISITED))
    (directory / "purchased.avsc").write_text(json.dumps(purchased(1)))
    (directory / "offers.yaml").write_text(OFFERS)
    return directory


def mended(directory: Path) -> Path:
    """What mends the first mistake."""
    directory.mkdir()
    (directory / "purchased-2.avsc").write_text(json.dumps(purchased(2)))
    return directory


def minute(number: int, mistaken: bool) -> list[Raw]:
    """The traffic of one minute, the same bytes every time but for the mistakes."""
    draw = random.Random(number)
    wrong = mistaken and number in DURING
    raws = []
    for n in range(BUYERS):
        user = f"u-{number}-{n}"
        topic = TOPICS[n % 2]  # all of a user's events on one topic: between topics there is no order
        raws += [_raw(number, f"{user}-v{visit}", user, "Visited", {"page": "/"}, topic) for visit in range(2)]
        bought: dict[str, Any] = {"order": user, "amount": draw.choice([5, 12.5, 60]), "store": 7, "currency": "EUR"}
        if wrong and n % 2:
            del bought["currency"]
        elif wrong:
            bought["store"] = "7"
        raws.append(_raw(number, f"{user}-p", user, "Purchased", bought, topic))
    raws += [_raw(number, f"v-{number}-{n}", f"guest-{n}", "Visited", {"page": "/x"}) for n in range(VISITS)]
    return raws


def _raw(number: int, made: str, user: str, name: str, properties: dict[str, Any], topic: str = "raw.backend") -> Raw:
    at = START + number * 60_000 + len(made)
    event = {"event": name, "event_id": made, "user_id": user, "time": at, "properties": properties}
    return topic, user.encode(), json.dumps(event).encode(), []

"""The records everything is measured with: seeded, about 200 bytes each, 50,000 users."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID

import fastavro

from schemas.codec import plain_times

WORKSPACE = Path(__file__).parent / "workspace"
TOPIC = "raw.backend"
USERS = 50_000
START = 1_780_000_000_000
_BROWSED = ("page_viewed", "product_viewed", "cart_updated", "search_performed", "review_posted", "login")
_CATEGORIES = ("books", "garden", "toys", "grocery", "music", "sports")


def events(count: int, seed: int = 20) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of raw records. Half are purchases, half of those over 50."""
    draw = random.Random(seed)
    for n in range(count):
        user = f"u{draw.randrange(USERS)}"
        event = {
            "event_id": str(UUID(int=draw.getrandbits(128), version=4)),
            "user_id": user,
            "event": "purchase_completed" if draw.random() < 0.5 else draw.choice(_BROWSED),
            "time": START + n,
            "properties": {
                "amount": round(draw.random() * 100, 2),
                "sku": f"sku-{draw.randrange(10_000)}",
                "category": draw.choice(_CATEGORIES),
                "flag": draw.random() < 0.5,
            },
        }
        yield user.encode(), json.dumps(event, separators=(",", ":")).encode()


def framed(count: int, schemas: Mapping[int, dict[str, Any]]) -> Iterator[tuple[bytes, bytes]]:
    """The same events as a producer of Avro sends them: in Confluent wire format under the given schemas, by id."""
    writers = {
        name: (b"\x00" + schema_id.to_bytes(4, "big"), fastavro.parse_schema(whole(schema)))
        for schema_id, schema in schemas.items()
        for name in schema["event"]
    }
    for key, value in events(count):
        event = json.loads(value)
        head, schema = writers[event["event"]]
        meta = {"event_id": event["event_id"], "user_id": event["user_id"], "time": event["time"]}
        body = BytesIO()
        fastavro.schemaless_writer(body, schema, {"meta": meta, **event["properties"]})
        yield key, head + body.getvalue()


def standard_purchases(count: int, schema: dict[str, Any], more: dict[str, Any]) -> Iterator[bytes]:
    """Framed purchases of the standard plan under the schema id 1000, with ``more`` properties set."""
    parsed = fastavro.parse_schema(whole(schema))
    for key, value in events(count):
        event = json.loads(value)
        meta = {"event_id": event["event_id"], "user_id": key.decode(), "time": event["time"]}
        properties = {"order_id": event["event_id"], "amount": event["properties"]["amount"], "currency": "EUR", **more}
        body = BytesIO()
        fastavro.schemaless_writer(body, parsed, {"meta": meta, **properties})
        yield b"\x00" + (1000).to_bytes(4, "big") + body.getvalue()


def whole(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with events.Meta inside, as a registry gives it out."""
    meta = json.loads((WORKSPACE.parents[1] / "schemas" / "internal" / "Meta.avsc").read_text())
    fields = [{**field, "type": meta} if field["name"] == "meta" else field for field in schema["fields"]]
    return plain_times({**schema, "fields": fields})  # type: ignore[no-any-return]


def bad(count: int) -> Iterator[tuple[bytes, bytes]]:
    """The same events, each broken in one of the ways that senders have."""
    breaks = cycle(_BREAKS)
    for key, value in events(count):
        yield key, next(breaks)(json.loads(value))


def _without(name: str) -> Callable[[dict[str, Any]], bytes]:
    return lambda event: json.dumps({key: one for key, one in event.items() if key != name}).encode()


def _with(**more: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda event: json.dumps({**event, **more}).encode()


def _property(**more: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda event: json.dumps({**event, "properties": {**event["properties"], **more}}).encode()


_BREAKS = (
    lambda event: json.dumps(event).encode()[:-20],
    _with(event="purchase_complete"),
    _with(source="nobody"),
    _without("user_id"),
    _property(amount="59.90"),
    _property(sku=None),
    _with(event="purchase_completed", properties={"amount": -1, "sku": "s", "category": "c", "flag": True}),
    _without("properties"),
)


def opened(number: int) -> tuple[bytes, bytes]:
    """(key, value) of an event that enters a user nobody has seen before."""
    user = f"new-{number}"
    event = {"event": "account_opened", "user_id": user, "event_id": f"o{number}", "properties": {"plan": "free"}}
    return user.encode(), json.dumps(event, separators=(",", ":")).encode()

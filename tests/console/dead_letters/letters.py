"""Dead letters made by hand, without a broker."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.dead_letter import StoredLetter
from schemas.plan import Plan, load_event_schema

BOUGHT: dict[str, Any] = {
    "type": "record", "namespace": "events", "name": "Bought", "event": ["Bought"],
    "fields": [
        {"name": "meta", "type": "events.Meta"},
        {"name": "amount", "type": "double"},
        {"name": "email", "type": ["null", "string"], "default": None, "pii": True},
        {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []},
    ],
}  # fmt: skip
PLAN = Plan([load_event_schema(BOUGHT, 1000)])
LETTER = StoredLetter(
    at=(3, 120), appended_ms=1_772_704_800_000, id="ab" * 16, topic="offerflow.raw.backend", partition=1, offset=7,
    timestamp=1_772_704_799_000, key=b"u-1", value=b'{"event":"Bought","user_id":"u-1","properties":{"amount":"12"}}',
    headers=[], reason="schema_violation", detail="amount: expected a number, got \"12\"", field="amount",
    expected="a number", got='"12"', event="Bought", source="shop", schema_id=1000, attempts=1,
    component="validation", version="0.1.0", failed_at=1_772_704_799_500,
)  # fmt: skip


def letter(**given: Any) -> StoredLetter:
    """LETTER with some fields changed."""
    return msgspec.structs.replace(LETTER, **given)


def same(schema_id: int) -> int:
    """Schema ids when there is no other registry."""
    return schema_id

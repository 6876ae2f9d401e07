"""The records everything is measured with: seeded, about 200 bytes each, 50,000 users."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

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


def opened(number: int) -> tuple[bytes, bytes]:
    """(key, value) of an event that enters a user nobody has seen before."""
    user = f"new-{number}"
    event = {"event": "account_opened", "user_id": user, "event_id": f"o{number}", "properties": {"plan": "free"}}
    return user.encode(), json.dumps(event, separators=(",", ":")).encode()

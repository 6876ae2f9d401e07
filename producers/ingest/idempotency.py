"""Event ids from the header ``Idempotency-Key``, for protocols whose events carry none of their own."""

from __future__ import annotations

import hashlib

from producers.ingest.request import Request
from schemas.envelope import MAX_ID

_INDEX = 8


def given_ids(request: Request, events: int) -> list[str]:
    """One for each event of the request: the key itself if there is one event, else with its index from 0 behind it.
    Empty where the header is missing; what is longer than an id may be counts by its hash."""
    header = request.headers.get(b"idempotency-key", b"").strip()
    if not header:
        return [""] * events
    try:
        key = header.decode()
    except UnicodeDecodeError:
        key = header.decode("latin-1")
    if len(key) > MAX_ID - _INDEX:
        key = hashlib.sha256(header).hexdigest()
    return [key] if events == 1 else [f"{key}-{index}" for index in range(events)]

"""Rows of the index, made by hand."""

from __future__ import annotations

from typing import Any

from offerflow.runtime.store.events import EventRow


def row(offset: int, event: str | None, **given: Any) -> EventRow:
    """A valid event in the journal's first partition, unless told otherwise."""
    said: dict[str, Any] = {
        "dead": 0, "partition": 0, "segment": 0, "event_id": f"e-{offset}", "user_id": None, "anonymous_id": None,
        "time": 0, "received_at": 1000 + offset, "source": "shop", "origin": "backend", "reason": None, **given,
    }  # fmt: skip
    return EventRow(offset=offset, event=event, **said)

"""Requests in the journal: what arrives under the reserved names `offerflow.…` and is judged like planned events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from offerflow.rules.nearest import Nearest
from offerflow.rules.requests import EnterOffer, FulfilReward, Request, ReverseReward
from schemas.codec import event_reader, load_schema
from schemas.plan import EventSchema, load_event_schema

PREFIX = "offerflow."
"""No event of a plan has a name that begins so."""
_KINDS: tuple[type[Request], ...] = (EnterOffer, FulfilReward, ReverseReward)


def _schema(kind: type[Request]) -> EventSchema:
    written = load_schema("internal", kind.__name__)
    # The full name, since a plan may have an event of the short one.
    return replace(load_event_schema(written, int(written["id"])), name=PREFIX + kind.__name__)


REQUESTS_BY_ID: Mapping[int, EventSchema] = {schema.id: schema for schema in map(_schema, _KINDS)}
REQUESTS_BY_NAME: Mapping[str, EventSchema] = {schema.name: schema for schema in REQUESTS_BY_ID.values()}
nearest_request = Nearest(REQUESTS_BY_NAME)


class RequestReader:
    """Decodes the requests of one kind. ``name`` is what they arrive as."""

    def __init__(self, kind: type[Request], schema: EventSchema) -> None:
        self.name = schema.name
        self._kind = kind
        self._read: Callable[[bytes], dict[str, Any]] = event_reader(schema.definition, None)

    def __call__(self, value: bytes, partition: int, offset: int) -> Request:
        fields = self._read(value)
        meta = fields.pop("meta")
        return self._kind(
            event_id=meta["event_id"],
            user_id=meta["user_id"],
            anonymous_id=meta["anonymous_id"],
            time=meta["time"],
            received_at=meta["received_at"],
            source=meta["source"],
            content_hash=meta["content_hash"],
            partition=partition,
            offset=offset,
            exempt=meta["lateness"] == "ignore",
            **fields,
        )


REQUESTS: Mapping[int, RequestReader] = {
    schema.id: RequestReader(kind, schema) for kind, schema in zip(_KINDS, REQUESTS_BY_ID.values(), strict=True)
}
"""Readers by schema id."""

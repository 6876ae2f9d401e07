"""What was sent, read from the raw record in whatever form it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from console.dead_letters.document import Unreadable, read_document
from console.events.arrivals import Arrival
from console.events.world import World
from schemas.envelope import Undecodable
from schemas.raw import is_framed, read

__all__ = ["ABSENT", "Sent", "Unreadable", "read_sent"]


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()


class Sent(NamedTuple):
    """``body`` is the record as a JSON document; ``time`` as the client gave it, ``event`` is the type in brackets
    where it has no name of its own. ABSENT is what was not sent."""

    body: Any
    event: Any = ABSENT
    user_id: Any = ABSENT
    anonymous_id: Any = ABSENT
    event_id: Any = ABSENT
    time: Any = ABSENT
    source: Any = ABSENT
    properties: Mapping[str, Any] = {}


def read_sent(world: World, arrival: Arrival) -> Sent:
    """Raises Unreadable for bytes that are none of the forms."""
    document = read_document(arrival.value, arrival.headers, world.plan, world.our_id)
    if is_framed(arrival.value):
        meta, properties = document.body["meta"], {k: v for k, v in document.body.items() if k != "meta"}
        return Sent(
            document.body, arrival.event, meta["user_id"], meta["anonymous_id"], meta["event_id"] or ABSENT,
            meta["time"], meta["source"] or ABSENT, properties,
        )  # fmt: skip
    try:
        envelope = read(arrival.value, arrival.headers)
    except Undecodable:
        return Sent(document.body, **_readable(document.body))
    properties = envelope.properties or {}
    if envelope.type == "alias" and envelope.previous_id is not None:
        properties = {**properties, "previous_id": envelope.previous_id}
    via = document.body.get("via") if isinstance(document.body, Mapping) else None
    time = via.get("time") if isinstance(via, Mapping) else None
    name = envelope.event if envelope.type in (None, "track") else f"({envelope.type})"
    return Sent(
        document.body, name, _given(envelope.user_id), _given(envelope.anonymous_id), _given(envelope.event_id),
        _given(envelope.time if time is None else time), _given(envelope.source), properties,
    )  # fmt: skip


def _given(value: Any) -> Any:
    return ABSENT if value is None else value


def _readable(body: Any) -> dict[str, Any]:
    """What an object that is no envelope says all the same."""
    if not isinstance(body, Mapping):
        return {}
    properties = body.get("properties")
    names = ("event", "user_id", "anonymous_id", "event_id", "time", "source")
    return {
        **{name: body[name] for name in names if name in body},
        "properties": properties if isinstance(properties, Mapping) else {},
    }

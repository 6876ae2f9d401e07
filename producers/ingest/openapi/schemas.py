"""The schemas that the document names: the native envelope, answers, and what the API for servers takes and tells."""

from __future__ import annotations

from typing import Any

import msgspec

from offerflow.runtime.store.outcomes import STATES
from producers.envelope import Envelope
from producers.ingest.api import offers, rewards
from schemas.envelope import MAX_DEPTH, MAX_ID

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
MAYBE: Schema = {"type": ["string", "null"]}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def record(properties: dict[str, Schema], required: tuple[str, ...] = (), **more: Any) -> Schema:
    """An object; members beside ``properties`` are taken too."""
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **needed, **more}


_SAID = {
    "event": "A name the event plan knows, matched exactly. Needed where `type` is absent or `track`.",
    "type": "What kind of call it was; all but `track` become the events `Identified`, `Aliased`, `Page Viewed`,"
    " `Screen Viewed` and `Group Joined`.",
    "user_id": "Who did it. This or `anonymous_id` is needed.",
    "anonymous_id": "Who did it, as long as nobody knows them.",
    "previous_id": "For `alias`: the id the user had before.",
    "event_id": "An id of the sender's own, so that a repeat counts once. Without it one is made and answered.",
    "time": "When it happened: RFC 3339 with an offset, or milliseconds since 1970. Default: when Kafka took it.",
    "source": "Set by the key, whatever is written here.",
    "properties": f"Judged against the event plan. At most {MAX_DEPTH} levels deep.",
    "context": "Carried along.",
}
_OBJECTS = {"properties": {"type": ["object", "null"]}, "context": {"type": ["object", "null"]}}


def event() -> Schema:
    """The native envelope, of the Struct by which the edge reads it."""
    (read,) = msgspec.json.schema_components([Envelope])[1].values()
    fields = {name: {key: value for key, value in field.items() if key != "default"}
              for name, field in read["properties"].items() if name != "specversion"}  # fmt: skip
    fields = {name: {**field, **_OBJECTS.get(name, {}), "description": _SAID[name]} for name, field in fields.items()}
    for name in ("user_id", "anonymous_id", "previous_id", "event_id"):
        fields[name]["maxLength"] = MAX_ID
    named = {"properties": {"event": {"type": "string", "minLength": 1}}, "required": ["event"]}
    typed = {"properties": {"type": {"enum": ["identify", "alias", "page", "screen", "group"]}}, "required": ["type"]}
    known = [
        {"properties": {name: {"type": "string", "minLength": 1}}, "required": [name]}
        for name in ("user_id", "anonymous_id")
    ]
    return {
        "type": "object", "properties": fields, "allOf": [{"anyOf": known}, {"anyOf": [named, typed]}],
        "examples": [{"event": "Account Created", "user_id": "u-1", "properties": {"country": "DE"}}],
    }  # fmt: skip


def _taken(kind: type[msgspec.Struct]) -> Schema:
    """What an endpoint of the API reads, of the Struct by which it does."""
    (found,) = msgspec.json.schema_components([kind])[1].values()
    return {key: value for key, value in found.items() if key != "title"}


def _error(*more: str) -> Schema:
    at_fault = record({"index": {"type": "integer"}, "field": TEXT, "message": TEXT})
    content: dict[str, Schema] = {"error": {**TEXT, "description": "A stable word for programs."}, "message": TEXT}
    return record({**content, **({"events": list_of(at_fault)} if more else {})}, ("error", "message"))


def _verdicts() -> Schema:
    verdict = record(
        {
            "index": {"type": "integer"}, "id": TEXT, "event": MAYBE,
            "verdict": {"enum": ["valid", "dropped", "dead"]}, "reason": TEXT, "message": TEXT, "field": TEXT,
            "expected": TEXT, "got": TEXT, "stripped": list_of(TEXT),
        },
        ("index", "id", "verdict"),
    )  # fmt: skip
    return record({"error": {"const": "not_valid"}, "message": TEXT, "events": list_of(verdict)}, ("error", "events"))


def _stripped() -> Schema:
    return record({"index": {"type": "integer"}, "id": TEXT, "properties": list_of(TEXT)}, ("index", "properties"))


def _evidence() -> Schema:
    return record({"eventId": TEXT, "event": TEXT, "time": MOMENT})


def _reward() -> Schema:
    texts = dict.fromkeys(("value", "currency", "offer", "variant", "by", "reason", "side", "instance"), MAYBE)
    times = dict.fromkeys(("satisfiedAt", "fulfilledAt", "reversedAt"), MOMENT)
    return record({
        "id": TEXT, "state": {"enum": list(STATES)}, "userId": TEXT, "reward": TEXT, **texts, **times,
        "attributes": {"type": "object"}, "late": {"type": "boolean"}, "onHold": {"type": "boolean"},
        "evidence": list_of(_evidence()), "evidenceCount": {"type": "integer"},
    }, ("id", "state", "userId", "reward"))  # fmt: skip


def components() -> dict[str, Schema]:
    """Every schema that the document refers to by name."""
    return {
        "Event": event(),
        "Taken": record(
            {"accepted": {"type": "integer"}, "ids": list_of(TEXT), "stripped": list_of(_stripped())},
            ("accepted", "ids"),
            description="Kafka has every event of the request. The ids are in the order of the events. `stripped`, only"
            " with `validate=strict`: properties that the event plan does not have and that are left out.",
        ),
        "Error": _error("events"),
        "Verdicts": _verdicts(),
        "EnterOffer": _taken(offers.Enter),
        "FulfilReward": _taken(rewards.Fulfil),
        "Nothing": _taken(rewards.Nothing),
        "Asked": record({"eventId": TEXT}, ("eventId",), description="Kafka has the request; its id."),
        "Reward": _reward(),
        "Rewards": record(
            {"rewards": list_of(ref("Reward")), "next": TEXT, "more": {"type": "boolean"}}, ("rewards", "next", "more")
        ),
        "OpenOffers": record({"userId": TEXT, "anonymousId": TEXT, "offers": list_of({"type": "object"})}, ("offers",)),
        "Offer": record({"id": TEXT, "status": TEXT, "variants": list_of({"type": "object"})}, ("id", "status")),
    }

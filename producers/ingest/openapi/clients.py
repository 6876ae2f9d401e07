"""What the clients of each protocol send and hear, by path. Loose on purpose: whatever can be read is taken, and judged
against the event plan afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from producers.ingest.adapters.imported import MOST
from producers.ingest.openapi.schemas import Schema, list_of, record, ref

ANY: Schema = {"type": "object"}
_ID: Schema = {"type": ["string", "number", "null"]}
_TIME: Schema = {"type": ["string", "number", "null"]}


class Protocol(NamedTuple):
    """``title`` and ``told`` are for readers; ``security`` names the ways in which a key may come."""

    title: str
    told: str
    security: tuple[str, ...]


class Exchange(NamedTuple):
    """One path. ``body`` is None where there is none; ``answer`` is that of ``status`` when all went well."""

    summary: str
    body: Schema | None = None
    status: int = 200
    answer: Schema | None = None
    query: Mapping[str, Schema] = {}
    media: tuple[str, ...] = ("application/json",)


PROTOCOLS: Mapping[str, Protocol] = {
    "native": Protocol("Events", "The protocol of offerflow itself.", ("bearer",)),
    "import": Protocol("Past events", "Events of long ago, by servers.", ("bearer",)),
    "segment": Protocol(
        "Segment and RudderStack", "Point the host of an SDK at this server.", ("basic", "bearer", "body", "query")
    ),
    "amplitude": Protocol(
        "Amplitude", "Set the server URL of an SDK to `/2/httpapi` here.", ("body", "basic", "bearer")
    ),
    "amplitude_stream": Protocol(
        "Amplitude event streaming", "A webhook destination of Amplitude's event streaming.", ("basic", "bearer", "key")
    ),
    "posthog": Protocol("PostHog", "Set the host of a server SDK to this server.", ("body", "bearer", "query")),
    "cloudevents": Protocol("CloudEvents", "CloudEvents 1.0 over HTTP.", ("bearer", "basic")),
    "resonance": Protocol("Resonance", "Anything written for the Resonance events API.", ("key", "bearer")),
    "reteno": Protocol("Reteno", "Anything written for the Reteno API, its mobile SDKs too.",
                       ("basic", "bearer", "reteno")),
}  # fmt: skip
"""By the name of the adapter, which is the ``protocol`` label of the metrics."""


def _native(most: int) -> Schema:
    many = list_of(ref("Event"), minItems=1, maxItems=most)
    return {"anyOf": [ref("Event"), many, record({"events": many}, ("events",))]}


_STRICT = {"validate": {"enum": ["strict"], "description": "Judge every event against the event plan first."}}

_ITEM = {
    "messageId": _ID, "userId": _ID, "anonymousId": _ID, "timestamp": _TIME, "originalTimestamp": _TIME,
    "sentAt": _TIME, "context": ANY, "integrations": ANY, "writeKey": {"type": "string"},
}  # fmt: skip
_CALLS: Mapping[str, tuple[str, dict[str, Schema]]] = {
    "track": ("An event.", {"event": {"type": "string"}, "properties": ANY}),
    "identify": ("Who a user is.", {"traits": ANY}),
    "page": ("A page was seen.", {"name": _ID, "category": _ID, "properties": ANY}),
    "screen": ("A screen was seen.", {"name": _ID, "category": _ID, "properties": ANY}),
    "group": ("A user belongs to a group.", {"groupId": _ID, "traits": ANY}),
    "alias": ("A user has another id now.", {"previousId": _ID}),
    "merge": ("Two users are one.", {"previousId": _ID}),
}
_SHORT = {"t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias"}
_BATCH = record(
    {"batch": list_of(record({**_ITEM, "type": {"enum": [name for name in _CALLS if name != "merge"]}})),
     "writeKey": {"type": "string"}, "sentAt": _TIME},
    ("batch",),
)  # fmt: skip
_SUCCESS = record({"success": {"const": True}}, ("success",))
_CODE = record({"code": {"const": 200}, "events_ingested": {"type": "integer"}}, ("code",))
_AMPLITUDE = record(
    {"api_key": {"type": "string"},
     "events": list_of(record({
         "event_type": {"type": "string"}, "user_id": _ID, "device_id": _ID, "time": _TIME, "insert_id": _ID,
         "event_properties": ANY, "user_properties": ANY, "revenue": {"type": ["number", "null"]},
     }), minItems=1)},
    ("api_key", "events"),
)  # fmt: skip
_POSTHOG_EVENT = {
    "event": {"type": "string"}, "distinct_id": _ID, "uuid": _ID, "timestamp": _TIME, "properties": ANY,
    "api_key": {"type": "string"},
}  # fmt: skip
_POSTHOG = record({"api_key": {"type": "string"}, "batch": list_of(record(_POSTHOG_EVENT)), "sent_at": _TIME},
                  ("batch",))  # fmt: skip
_CLOUD = record(
    {"specversion": {"const": "1.0"}, "id": {"type": "string"}, "type": {"type": "string"},
     "source": {"type": "string"}, "subject": {"type": "string"}, "time": {"type": "string", "format": "date-time"},
     "data": ANY},
    ("specversion", "id", "type", "source"),
)  # fmt: skip
_PARAMS = list_of(record({"name": {"type": "string"}, "value": {}}, ("name",)))
_RETENO = record({"eventTypeKey": {"type": "string"}, "keyValue": _ID, "params": _PARAMS, "eventParams": ANY},
                 ("eventTypeKey",))  # fmt: skip
_RETENO_DEVICE = record(
    {"deviceId": _ID, "externalUserId": _ID, "events": list_of(record({
        "eventTypeKey": {"type": "string"}, "occurred": _TIME, "params": _PARAMS,
    }))},
    ("events",),
)  # fmt: skip

NAMED: Mapping[str, Schema] = {
    **{f"Segment.{name}": record({**_ITEM, **more}) for name, (_, more) in _CALLS.items()},
    "Segment.batch": _BATCH, "Amplitude": _AMPLITUDE,
    "PostHog": {"anyOf": [record(_POSTHOG_EVENT, ("event",)), _POSTHOG]},
    "CloudEvent": _CLOUD, "Reteno": _RETENO,
    "Reteno.events": {"anyOf": [_RETENO_DEVICE, record({"events": list_of(ref("Reteno"))}, ("events",))]},
}  # fmt: skip
"""What several paths take, by the name the document gives it."""

EXCHANGES: Mapping[str, Exchange] = {
    "/v1/events": Exchange("Send one event or many.", _native(2000), 202, ref("Taken"), _STRICT),
    "/v1/events/import": Exchange("Send events of long ago.", _native(MOST), 202, ref("Taken"), _STRICT),
    **{f"/v1/{name}": Exchange(told, ref(f"Segment.{name}"), 200, _SUCCESS)
       for name, (told, _) in _CALLS.items()},
    **{f"/v1/{short}": Exchange(_CALLS[name][0], ref(f"Segment.{name}"), 200, _SUCCESS)
       for short, name in _SHORT.items()},
    **{path: Exchange("Calls of any kind.", ref("Segment.batch"), 200, _SUCCESS)
       for path in ("/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch")},
    "/2/httpapi": Exchange("Events of an Amplitude SDK.", ref("Amplitude"), 200, _CODE),
    "/batch": Exchange("Events of an Amplitude SDK, or of a PostHog one.",
                       {"anyOf": [ref("Amplitude"), ref("PostHog")]}, 200, {"anyOf": [_CODE, ANY]}),
    "/integrations/amplitude": Exchange("One event in Amplitude's export format.", ANY),
    **{path: Exchange("Events of a PostHog SDK.", ref("PostHog"), 200, ANY)
       for path in ("/i/v0/e", "/capture", "/e", "/i/v0/ai/batch", "/i/v1/analytics/events")},
    **{path: Exchange("Feature flags, of which there are none.", ANY, 200, ANY) for path in ("/flags", "/decide")},
    "/cloudevents": Exchange(
        "CloudEvents: one as JSON, several as a JSON array, or the data alone with attributes in `ce-` headers.",
        {"anyOf": [ref("CloudEvent"), list_of(ref("CloudEvent")), ANY]}, 202, ref("Taken"), {},
        ("application/cloudevents+json", "application/cloudevents-batch+json", "application/json"),
    ),
    "/events/v1/events": Exchange(
        "An event.",
        record({"userId": _ID, "name": {"type": "string"}, "eventAt": _TIME, "data": ANY}, ("userId", "name")),
        200, ANY,
    ),
    **{path: Exchange("An event.", ref("Reteno"), 200, ref("Taken")) for path in ("/api/v2/event", "/api/v1/event")},
    "/api/v1/events": Exchange("Events of a device, or past events: at most 500, with a server key.",
                               ref("Reteno.events"), 200, ref("Taken")),
    "/api/v1/user": Exchange("What a mobile SDK knows of its user.", ANY, 200, ref("Taken")),
    "/api/v1/device": Exchange("What a mobile SDK knows of its device.", ANY, 200, ref("Taken")),
}  # fmt: skip
"""Of protocols' paths. One that is not here is told as taking and giving any JSON."""

"""The topics as AsyncAPI 3.0 (https://www.asyncapi.com/docs/reference/specification/v3.0.0): what may be sent on the
raw topics under the plan, and what can be read from the others. The same plan gives the same text.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

from ruamel.yaml import YAML

from console.plan.entries import Entry, PlanView
from console.plan.json_schema import properties_schema
from offerflow.runtime.topics import CHANNELS
from schemas.codec import inlined, load_schema
from schemas.envelope import MAX_ID, TYPED
from schemas.output_topics import RECORD_OF

AVRO = "application/vnd.apache.avro;version=1.9.0"
_AVRO_BINDING = {
    "kafka": {
        "schemaIdLocation": "payload",
        "schemaIdPayloadEncoding": "confluent",
        "schemaLookupStrategy": "TopicIdStrategy",
        "bindingVersion": "0.5.0",
    }
}
_INTERNAL = ("Tick", "RulesetActivated")
Part = dict[str, Any]


def asyncapi_text(view: PlanView, title: str, prefix: str) -> str:
    """The document as YAML."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = False
    yaml.width = 120
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.representer.ignore_aliases = lambda _: True
    out = io.StringIO()
    yaml.dump(asyncapi(view, title, prefix), out)
    return out.getvalue()


def asyncapi(view: PlanView, title: str, prefix: str) -> Part:
    """The document. ``prefix`` is that of the topics."""
    raw = _raw_topics(view)
    channels: dict[str, Part] = {}
    for topic, origin in raw.items():
        entries = [entry for entry in view.entries if origin in entry.origins]
        names = [f"{entry.record}.{form}" for entry in entries for form in ("native", "cloudevent", "avro")]
        channels[topic] = _channel(prefix, topic, f"What senders of the origin {origin} send.", names)
    journal = [*(f"{entry.record}.avro" for entry in view.entries), *_INTERNAL]
    channels["journal"] = _channel(prefix, "journal", "Valid events and control records, by entity.", journal)
    for topic, record in RECORD_OF.items():
        channels[topic] = _channel(prefix, topic, str(load_schema("outputs", record)["doc"]), [record])
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": title,
            "version": str(view.serial or 0),
            "description": (
                "Each raw topic takes three forms of an event: the native JSON envelope, a CloudEvent (structured, or"
                " binary with its attributes in ce_ headers) and Avro in Confluent wire format. Read every other topic"
                " with isolation.level=read_committed."
            ),
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {
            **{f"receive.{topic}": _operation("receive", topic) for topic in raw},
            **{f"send.{topic}": _operation("send", topic) for topic in ("journal", *RECORD_OF)},
        },
        "components": {"schemas": _schemas(view.entries), "messages": _messages(view.entries)},
    }


def _raw_topics(view: PlanView) -> dict[str, str]:
    """Raw topics with the origin each is for: the fixed ones, then those of sources."""
    own = {
        topic: source["origin"]
        for source in view.sources
        for topic in source.get("topics", ())
        if topic not in CHANNELS
    }
    return {**CHANNELS, **dict(sorted(own.items()))}


def _channel(prefix: str, topic: str, description: str, messages: Iterable[str]) -> Part:
    return {
        "address": prefix + topic,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"kafka": {"topic": prefix + topic, "bindingVersion": "0.5.0"}},
    }


def _operation(action: str, topic: str) -> Part:
    return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}}


def _schemas(entries: Iterable[Entry]) -> dict[str, Part]:
    identifier = {"type": ["string", "null"], "maxLength": MAX_ID}
    envelope: Part = {
        "type": "object",
        "description": "The native JSON envelope; one of user_id and anonymous_id is required.",
        "properties": {
            "user_id": dict(identifier),
            "anonymous_id": dict(identifier),
            "event_id": dict(identifier),
            "time": {"type": ["string", "integer", "null"], "description": "RFC 3339, or milliseconds since 1970 UTC"},
            "source": {"type": ["string", "null"]},
            "type": {"type": ["string", "null"], "enum": ["track", *TYPED, None]},
            "previous_id": {"type": ["string", "null"]},
        },
        "anyOf": [{"required": ["user_id"]}, {"required": ["anonymous_id"]}],
    }
    attributes: Part = {
        "type": "object",
        "description": "A structured CloudEvent (https://github.com/cloudevents/spec, 1.0).",
        "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "minLength": 1},
            "source": {"type": "string", "minLength": 1},
            "subject": {"type": "string", "description": "The user id."},
            "userid": {"type": "string", "description": "The user id; wins over subject."},
            "anonymousid": {"type": "string"},
            "time": {"type": "string", "format": "date-time"},
        },
    }
    found: dict[str, Part] = {"Envelope": envelope, "CloudEvent": attributes}
    for entry in entries:
        found[f"{entry.record}.properties"] = properties_schema(entry.definition)
        found[f"{entry.record}.avro"] = {"schemaFormat": AVRO, "schema": _bare(inlined(entry.definition))}
    return found


def _messages(entries: Iterable[Entry]) -> dict[str, Part]:
    found: dict[str, Part] = {}
    for entry in entries:
        said: Part = {"name": entry.name, "title": entry.name, **({"summary": entry.doc} if entry.doc else {})}
        needed = ["properties"] if any("default" not in field for field in entry.properties) else []
        found[f"{entry.record}.native"] = {
            **said,
            "contentType": "application/json",
            "payload": _extended("Envelope", entry, _named(entry), "properties", needed),
        }
        found[f"{entry.record}.cloudevent"] = {
            **said,
            "contentType": "application/cloudevents+json",
            "payload": _extended(
                "CloudEvent", entry, {"properties": {"type": {"enum": entry.names}}}, "data", ["data"] if needed else []
            ),
        }
        found[f"{entry.record}.avro"] = {
            **said,
            "contentType": "application/vnd.apache.avro",
            "payload": {"$ref": f"#/components/schemas/{entry.record}.avro"},
            "bindings": _AVRO_BINDING,
        }
    for name in _INTERNAL:
        found[name] = _record(load_schema("internal", name), {})
    for name in RECORD_OF.values():
        found[name] = _record(load_schema("outputs", name), {} if name == "DeadLetter" else _ce_headers(name))
    return found


def _extended(base: str, entry: Entry, own: Part, member: str, needed: list[str]) -> Part:
    properties = {**own.get("properties", {}), member: {"$ref": f"#/components/schemas/{entry.record}.properties"}}
    schema = {**own, "properties": properties}
    if needed:
        schema["required"] = [*schema.get("required", ()), *needed]
    return {"allOf": [{"$ref": f"#/components/schemas/{base}"}, schema]}


def _named(entry: Entry) -> Part:
    """How a native envelope says which event it is: by name, or for a few by its type."""
    types = [kind for kind, name in TYPED.items() if name in entry.names]
    named: Part = {"properties": {"event": {"enum": entry.names}}, "required": ["event"]}
    if not types:
        return named
    return {"anyOf": [named, {"properties": {"type": {"enum": types}}, "required": ["type"]}]}


def _record(schema: Mapping[str, Any], headers: Part) -> Part:
    return {
        "name": schema["name"],
        "title": schema["name"],
        **({"summary": schema["doc"]} if "doc" in schema else {}),
        "contentType": "application/vnd.apache.avro",
        "payload": {"schemaFormat": AVRO, "schema": _bare(schema)},
        **headers,
        "bindings": _AVRO_BINDING,
    }


def _ce_headers(name: str) -> Part:
    texts = ("ce_id", "ce_source", "ce_subject")
    properties: Part = {text: {"type": "string"} for text in texts}
    properties["ce_specversion"] = {"const": "1.0"}
    properties["ce_type"] = {"const": f"offerflow.{name}"}
    properties["ce_time"] = {"type": "string", "format": "date-time"}
    return {"headers": {"type": "object", "properties": properties}}


def _bare(schema: Any) -> Any:
    """The schema without the attributes that Avro does not define, which readers of other formats stumble over."""
    if isinstance(schema, list):
        return [_bare(one) for one in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = ("type", "name", "namespace", "doc", "fields", "symbols", "items", "values", "default", "logicalType",
            "precision", "scale", "size", "aliases")  # fmt: skip
    return {key: schema[key] if key in ("doc", "default", "symbols") else _bare(schema[key])
            for key in kept if key in schema}  # fmt: skip

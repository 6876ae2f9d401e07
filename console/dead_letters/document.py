"""A dead letter's value as the JSON that people read and patch, and back to what is sent again.

JSON (native, structured CloudEvents): the value itself, sent again as JSON. Binary CloudEvents: the structured event
they are equal to, attributes from the headers and ``data`` from the value, sent again as binary. Avro, of a raw topic
or of the journal: the fields under the schema it names, sent again under that schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import fastavro

from schemas.cloudevents import PREFIX
from schemas.codec import FRAME, event_reader, inlined, plain_times, schema_id_of
from schemas.envelope import depth
from schemas.plan import EventSchema, Plan
from schemas.raw import attributes, form_of
from schemas.values import field_encoder
from schemas.violations import Violation

Header = tuple[str, bytes | None]
SchemaIds = Callable[[int], int | None]
DEEPEST = 200
"""Levels of JSON that are worked on; events have 16 at most."""


class Unreadable(ValueError):
    """There is no document; the message says why."""


@dataclass(frozen=True, slots=True)
class Document:
    """``form``: ``json``, ``cloudevent`` (binary) or ``avro``. ``schema`` is set for Avro."""

    form: str
    body: Any
    schema: EventSchema | None = None


def read_document(value: bytes | None, headers: Sequence[Header], plan: Plan, schema_ids: SchemaIds) -> Document:
    """Raises Unreadable for bytes that are none of the forms."""
    form = form_of(value, headers)
    if form == "avro" and value is not None:
        schema = _schema_of(value, plan, schema_ids)
        try:
            return Document("avro", event_reader(schema.definition, None)(value), schema)
        except Exception as error:  # whatever a decoder makes of broken bytes
            why = str(error) or "its bytes end too early"
            raise Unreadable(f"does not decode as {schema.name} version {schema.version}: {why}") from None
    if form == "binary":
        return Document("cloudevent", _structured(value, headers))
    return Document("json", _json(value))


def write_document(document: Document, body: Any, value: bytes | None, headers: Sequence[Header]) -> Resent:
    """Value and headers that carry ``body`` in the form of ``document``. Raises Unreadable if it does not fit there."""
    if document.form == "avro":
        assert document.schema is not None  # noqa: S101 - as read
        assert value is not None  # noqa: S101 - as read
        return value[:FRAME] + _encode(document.schema, body), list(headers)
    if document.form == "cloudevent":
        return _binary(body, headers)
    return _dump(body), list(headers)


def without_form(headers: Sequence[Header]) -> list[Header]:
    """The headers but for those that say what form the value has."""
    return [(name, value) for name, value in headers if not name.startswith(PREFIX) and name.lower() != "content-type"]


Resent = tuple[bytes | None, list[Header]]


def _json(value: bytes | None) -> Any:
    if value is None:
        raise Unreadable("has no value")
    try:
        body = json.loads(value.decode())
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is not JSON: {error}") from None
    if depth(body) > DEEPEST:
        raise Unreadable(f"is nested deeper than {DEEPEST} levels")
    return body


def _dump(body: Any) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:  # not a number, half a character
        raise Unreadable(f"cannot be written as JSON: {error}") from None


# -- binary CloudEvents ---------------------------------------------------------------------------------------------


def _structured(value: bytes | None, headers: Sequence[Header]) -> dict[str, Any]:
    said, media = attributes(headers)
    # What the media type of data is, content-type says in this form, whatever ce_datacontenttype does.
    said.pop(f"{PREFIX}datacontenttype", None)
    event: dict[str, Any] = {
        name.removeprefix(PREFIX): content.decode("utf-8", "replace") for name, content in said.items()
    }
    if media:
        event["datacontenttype"] = media.decode("utf-8", "replace")
    return {**event, "data": _json(value)} if value else event


def _binary(body: Any, headers: Sequence[Header]) -> Resent:
    if not isinstance(body, dict):
        raise Unreadable("is no CloudEvent any more: expected an object of attributes and data")
    made: list[Header] = []
    for attribute, content in body.items():
        if attribute == "data" or content is None:
            continue
        if isinstance(content, dict | list):
            raise Unreadable(f"attribute {attribute!r} is not a text: a binary CloudEvent carries it in a header")
        text = content if isinstance(content, str) else json.dumps(content)
        try:
            made.append(("content-type" if attribute == "datacontenttype" else PREFIX + attribute, text.encode()))
        except UnicodeEncodeError as error:
            raise Unreadable(f"attribute {attribute!r} cannot be written as UTF-8: {error}") from None
    return (_dump(body["data"]) if body.get("data") is not None else None), [*without_form(headers), *made]


# -- Avro -----------------------------------------------------------------------------------------------------------


def _schema_of(value: bytes, plan: Plan, schema_ids: SchemaIds) -> EventSchema:
    try:
        outside = schema_id_of(value)
    except ValueError as error:
        raise Unreadable(f"is {error}") from None
    schema = plan.by_id.get(schema_ids(outside) or -1)
    if schema is None:
        raise Unreadable(f"is Avro under schema id {outside}, which the event plan does not have")
    return schema


def _encode(schema: EventSchema, body: Any) -> bytes:
    whole = plain_times(inlined(schema.definition))
    buffer = BytesIO()
    try:
        fastavro.schemaless_writer(buffer, fastavro.parse_schema(whole), body, strict=True)
    except Exception:  # its words would repeat values that may be personal
        raise Unreadable(
            f"does not fit {schema.name} version {schema.version} any more: {_misfit(whole, body)}"
        ) from None
    return buffer.getvalue()


def _misfit(whole: dict[str, Any], body: Any) -> str:
    """The first thing that is wrong, in words that never repeat a value of a pii field."""
    if not isinstance(body, dict):
        return "expected an object"
    for field in whole["fields"]:
        name = field["name"]
        if name not in body and "default" not in field:
            return f"{name}: expected a value, since the field is required"
        try:
            field_encoder(field, closed=True)(body.get(name, field.get("default")), name)
        except Violation as violation:
            return str(violation)
    return f"only {', '.join(field['name'] for field in whole['fields'])} may be there, each of its type"

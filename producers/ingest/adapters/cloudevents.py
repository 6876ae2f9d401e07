"""CloudEvents 1.0 over HTTP: ``POST /cloudevents``, binary, structured or batched.

Which of the three is told by what is there, whatever Content-Type says: attributes in headers mean binary, an array
batched. Only where there are both headers and a Content-Type of CloudEvents, as some proxies make it, the body counts.
An event becomes a native envelope by the same table as one that comes through Kafka (docs/formats.md, CloudEvents).
Source: the specification, its JSON format and its HTTP protocol binding.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import UNSET, Raw

from producers.ingest.adapters.protocol import RawEvent
from producers.ingest.answers import Answer, Refusal, json_answer, plain_refusal
from producers.ingest.bodies import json_of, one_or_many, tolerant, within
from producers.ingest.clock import happened
from producers.ingest.envelopes import Sent, Via, raw_event
from producers.ingest.idempotency import given_ids
from producers.ingest.keyring import Source, first_key
from producers.ingest.limits import Limits
from producers.ingest.members import Members, fields_of
from producers.ingest.request import Request

_PREFIX = b"ce-"
_MEDIA = b"application/cloudevents"
_FORMS = (
    "expected a CloudEvent as JSON with specversion, id, source and type, an array of them, or the data of one whose"
    " attributes are headers: ce-specversion, ce-id, ce-source, ce-type"
)
_decode_raw = msgspec.json.Decoder(Raw).decode
_encode = msgspec.json.encode


class CloudEventsAdapter:
    name = "cloudevents"
    routes: Mapping[str, tuple[str, ...]] = {"/cloudevents": ("POST",)}

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def claims(self, request: Request) -> bool:
        return True

    def key(self, request: Request) -> str | Refusal:
        return first_key(
            request.headers, "the header `Authorization: Bearer sk_…`",
            named=(b"x-api-key",), query=request.query, query_names=("access_token",),
        )  # fmt: skip

    def read(self, request: Request, source: Source) -> Sequence[RawEvent] | Refusal | Answer:
        attributes = _attributes(request.headers)
        items = self._binary(attributes, request) if attributes is not None else self._json(request.body)
        if isinstance(items, Refusal):
            return items
        if not items:
            return self.accepted(())  # a batch may be empty
        ids = given_ids(request, len(items))
        return [
            raw_event(_sent(Members(fields), given, request.received_at), source)
            for fields, given in zip(items, ids, strict=True)
        ]

    def accepted(self, events: Sequence[RawEvent]) -> Answer:
        return json_answer(HTTPStatus.ACCEPTED, {"accepted": len(events), "ids": [event.id for event in events]})

    def refused(self, refusal: Refusal) -> Answer:
        return plain_refusal(refusal)

    def _json(self, body: bytes) -> list[dict[str, Raw]] | Refusal:
        """The attributes of each event and its data, from a body that holds both."""
        text = json_of(body, self._limits)
        if isinstance(text, Refusal):
            return text
        batched = text.lstrip()[:1] == b"["
        items = one_or_many(text, _FORMS, self._limits)
        checked = items if isinstance(items, Refusal) else within(items, self._limits)
        if isinstance(checked, Refusal):
            return checked
        events = []
        for item in checked:
            fields = fields_of(item)
            if not batched and (fields is None or "specversion" not in fields):
                return Refusal(HTTPStatus.BAD_REQUEST, "bad_body", f"the body is no CloudEvent: {_FORMS}")
            events.append({"item": Raw(item)} if fields is None else fields)
        return events

    def _binary(self, attributes: dict[str, Raw], request: Request) -> list[dict[str, Raw]] | Refusal:
        if request.body.strip():
            data = _data_of(request.body, self._limits)
            within_limits = within([data], self._limits)
            if isinstance(within_limits, Refusal):
                return within_limits
            attributes["data"] = data
        media = request.headers.get(b"content-type")
        if media:
            attributes["datacontenttype"] = Raw(_encode(_unescaped(media)))
        return [attributes]


def _attributes(headers: Mapping[bytes, bytes]) -> dict[str, Raw] | None:
    """Those of an event in binary mode, as they are in JSON; None if the body has them."""
    if b"ce-type" not in headers and b"ce-specversion" not in headers:
        return None
    if headers.get(b"content-type", b"").strip().lower().startswith(_MEDIA):
        return None
    return {
        name[len(_PREFIX) :].decode("latin-1"): Raw(_encode(_unescaped(value)))
        for name, value in headers.items()
        if name.startswith(_PREFIX)
    }


def _unescaped(value: bytes) -> str:
    """The text of a header value. The binding wants it percent-encoded; some SDKs send UTF-8 as it is, others Latin-1,
    and both leave a percent sign alone. A value in double quotes loses them."""
    value = value.strip()
    if len(value) > 1 and value[:1] == value[-1:] == b'"':
        value = value[1:-1].replace(b'\\"', b'"').replace(b"\\\\", b"\\")
    for text in (unquote_to_bytes(value), value):
        try:
            return text.decode()
        except UnicodeDecodeError:
            continue
    return value.decode("latin-1")


def _data_of(body: bytes, limits: Limits) -> Raw:
    """Data in binary mode as JSON, whatever type it is said to have. What is none becomes text, or base64 where it is
    not even that: validation makes a dead letter of it, which shows what came."""
    data = tolerant(_decode_raw, body.removeprefix(b"\xef\xbb\xbf").strip(), _FORMS, limits)
    if not isinstance(data, Refusal):
        try:
            bytes(data).decode()
            return Raw(bytes(data))
        except UnicodeDecodeError:
            pass
    try:
        return Raw(_encode(body.decode()))
    except UnicodeDecodeError:
        return Raw(_encode(base64.b64encode(body).decode()))


def _from_base64(raw: Raw) -> Raw:
    """The JSON object that ``data_base64`` holds; the base64 itself where it holds something else."""
    try:
        data = binascii.a2b_base64(msgspec.json.decode(raw, type=str).encode(), strict_mode=True)
        data.decode()
        msgspec.json.decode(data, type=dict[str, Raw])
    except (ValueError, RecursionError):
        return raw
    return Raw(data)


def _sent(members: Members, given_id: str, received_at: int) -> Sent:
    time = happened(members.value("time"), None, received_at)
    encoded = members.raw("data_base64")
    properties: Any = members.raw("data")
    if properties is UNSET and isinstance(encoded, Raw):
        properties = _from_base64(encoded)
    elif isinstance(encoded, Raw):
        members.put_back("data_base64", encoded)
    user_id = members.text("userid")
    if user_id is UNSET:
        user_id = members.text("subject")
    sent = Sent(
        event=members.text("type"),
        user_id=user_id,
        anonymous_id=members.text("anonymousid"),
        event_id=members.id("id"),
        time=time.time,
        properties=properties,
    )
    if sent.event_id is UNSET and given_id:
        sent.event_id = given_id
    sent.via = Via("cloudevents", time=time.given, rest=members.rest)
    return sent

"""CloudEvents at the edge: the three modes, what real SDKs put into headers, and what becomes of odd data."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from producers.ingest.adapters.cloudevents import CloudEventsAdapter
from producers.ingest.answers import Answer, Refusal
from producers.ingest.limits import Limits
from schemas.cloudevents import structured
from schemas.envelope import Undecodable, decode
from tests.producers.ingest.edge import KEY, SOURCE, Edge
from tests.producers.ingest.exchange import asked, envelopes, refused, said, taken

ADAPTER = CloudEventsAdapter(Limits())
DATA = {"order_id": "o-1", "amount": 59.9, "currency": "EUR"}
EVENT = {
    "specversion": "1.0", "id": "b051a440", "source": "/shop", "type": "Purchase Completed", "subject": "u-42",
    "time": "2026-03-05T10:00:00.250Z", "datacontenttype": "application/json", "data": DATA,
}  # fmt: skip
ENVELOPE = {
    "source": "shop-backend", "event": "Purchase Completed", "user_id": "u-42", "event_id": "b051a440",
    "time": 1_772_704_800_250, "properties": DATA,
}  # fmt: skip
SAID = {"protocol": "cloudevents", "time": "2026-03-05T10:00:00.250Z"}


def headers(**more: str | bytes) -> dict[str, Any]:
    named = {f"ce_{name}": value for name, value in EVENT.items() if name not in ("data", "datacontenttype")}
    return {**named, "content_type": "application/json", **more}


def test_structured() -> None:
    """Attributes become the envelope's members by the table of the Kafka binding; the others stay in `via`."""
    (envelope,) = envelopes(ADAPTER, asked("/cloudevents", EVENT, content_type="application/cloudevents+json"))
    rest = {name: EVENT[name] for name in ("specversion", "source", "datacontenttype")}
    assert envelope == {**ENVELOPE, "via": {**SAID, "rest": rest}}


def test_binary() -> None:
    """The same event with its attributes in headers, whatever the data's type is said to be."""
    (envelope,) = envelopes(ADAPTER, asked("/cloudevents", DATA, **headers()))
    (plain,) = envelopes(ADAPTER, asked("/cloudevents", DATA, **headers(content_type="text/plain")))
    assert {**envelope, "via": 0} == {**plain, "via": 0} == {**ENVELOPE, "via": 0}
    assert envelope["via"]["rest"] == {"specversion": "1.0", "source": "/shop", "datacontenttype": "application/json"}


def test_structured_with_headers_beside_it() -> None:
    """Some senders and proxies repeat attributes in headers: the Content-Type of CloudEvents, or the lack of a type
    among the headers, says that the body is the event."""
    structured_type = {"content_type": "application/cloudevents+json; charset=utf-8"}
    for more in ({**headers(), **structured_type}, {"ce_id": "other"}):
        (envelope,) = envelopes(ADAPTER, asked("/cloudevents", EVENT, **more))
        assert {**envelope, "via": 0} == {**ENVELOPE, "via": 0}


def test_batched() -> None:
    """An array is a batch under any Content-Type, each event with its own id; an empty one is taken too."""
    batch = [EVENT, {**EVENT, "id": "second", "userid": "u-1", "anonymousid": "a-1"}]
    first, second = envelopes(ADAPTER, asked("/cloudevents", batch))
    assert (first["event_id"], second["event_id"]) == ("b051a440", "second")
    assert (second["user_id"], second["anonymous_id"]) == ("u-1", "a-1")
    assert second["via"]["rest"]["subject"] == "u-42"
    empty = ADAPTER.read(asked("/cloudevents", []), SOURCE)
    assert isinstance(empty, Answer)
    assert (empty.status, said(empty)) == (202, {"accepted": 0, "ids": []})


def test_as_through_kafka() -> None:
    """Validation reads the same from the raw record as from the same event in Kafka."""
    (event,) = taken(ADAPTER, asked("/cloudevents", EVENT))
    ours, theirs = decode(event.value), structured(json.dumps(EVENT).encode())
    for name in ("event", "event_id", "user_id", "anonymous_id", "properties"):
        assert getattr(ours, name) == getattr(theirs, name), name


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"Caf%C3%A9 %E2%82%AC", "Café €"),  # as the binding says, and the Python SDK does
        ("Café €".encode(), "Café €"),  # Go
        ("Café 100%".encode("latin-1"), "Café 100%"),  # Node
        (b"100% off", "100% off"),
        (b'"quoted \\"name\\""', 'quoted "name"'),
        (b"plain", "plain"),
        (b"%FF", "%FF"),
    ],
)
def test_header_values(sent: bytes, text: str) -> None:
    """Percent-encoded, raw UTF-8 and raw Latin-1 with a bare percent sign are all read."""
    (envelope,) = envelopes(ADAPTER, asked("/cloudevents", DATA, **headers(ce_type=sent, ce_shop=sent)))
    assert envelope["event"] == envelope["via"]["rest"]["shop"] == text


def test_data_in_base64() -> None:
    """JSON in `data_base64` becomes the properties; the bytes of the data stay as they are."""
    inside = b'{"order_id": "o-1",  "amount": 59.90}'
    event = {**EVENT, "data": None, "data_base64": base64.b64encode(inside).decode()}
    (taken_event,) = taken(ADAPTER, asked("/cloudevents", event))
    assert b'"properties":' + inside in taken_event.value


@pytest.mark.parametrize(
    "request_",
    [
        asked("/cloudevents", b"hello", **headers(content_type="text/plain")),
        asked("/cloudevents", b"\xff\x00", **headers(content_type="application/octet-stream")),
        asked("/cloudevents", b'{"a": ', **headers()),
        asked("/cloudevents", b"[1]", **headers()),
        asked("/cloudevents", {**EVENT, "data": "text"}),
        asked("/cloudevents", {**EVENT, "data": None, "data_base64": "AAAA"}),
    ],
)
def test_data_that_is_no_object(request_: Any) -> None:
    """It is taken, since CloudEvents transports send once, and validation says that properties are no object."""
    (event,) = taken(ADAPTER, request_)
    with pytest.raises(Undecodable, match="properties"):
        decode(event.value)


def test_no_data_is_no_properties() -> None:
    """An event may be all attributes, in both modes."""
    for request in (asked("/cloudevents", b" ", **headers()), asked("/cloudevents", {**EVENT, "data": None})):
        assert "properties" not in envelopes(ADAPTER, request)[0]


def test_ids() -> None:
    """`id` wins over Idempotency-Key, which gives events of a batch without ids theirs; else one is minted and told."""
    bare = {name: value for name, value in EVENT.items() if name != "id"}
    first, second = taken(ADAPTER, asked("/cloudevents", [EVENT, bare], idempotency_key="k"))
    assert (first.id, second.id) == ("b051a440", "k-1")
    minted = taken(ADAPTER, asked("/cloudevents", bare))
    assert len(minted[0].id) == 36
    answer = ADAPTER.accepted(minted)
    assert (answer.status, said(answer)) == (202, {"accepted": 1, "ids": [minted[0].id]})


@pytest.mark.parametrize("odd", [5, True, ["x"], {"a": 1}])
def test_attributes_of_another_type_are_taken(odd: Any) -> None:
    """A number is an id in digits; anything else stays for the dead letter to show, and an `id` that is none is kept
    beside a minted one."""
    (event,) = taken(ADAPTER, asked("/cloudevents", {**EVENT, "id": odd, "subject": odd, "type": odd}))
    envelope = json.loads(event.value)
    if odd == 5 and odd is not True:
        assert (envelope["event_id"], envelope["user_id"], envelope["event"]) == ("5", "5", "5")
    else:
        assert (envelope["via"]["rest"]["id"], envelope["user_id"], envelope["event"]) == (odd, odd, odd)
        assert len(event.id) == 36


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'"text"', b'{"id": "no specversion"}', b"5", b"{}"])
def test_what_is_no_cloudevent(body: bytes) -> None:
    """400 with what was expected."""
    refusal = refused(ADAPTER, asked("/cloudevents", body))
    assert refusal.status == 400
    assert "CloudEvent" in refusal.message or "not UTF-8" in refusal.message


def test_an_item_that_is_no_object_does_not_cost_the_batch() -> None:
    """The others are taken as they are, and the dead letter of this one shows what came."""
    odd, good = envelopes(ADAPTER, asked("/cloudevents", [5, EVENT]))
    assert (odd["via"]["rest"], good["event_id"]) == ({"item": 5}, "b051a440")


def test_limits() -> None:
    """Too many, too large, too deep: in every mode the limit is named."""
    small = CloudEventsAdapter(Limits(event_bytes=300, events=2, depth=3))
    deep = {"a": {"b": {"c": {"d": {}}}}}
    for request, error in (
        (asked("/cloudevents", [EVENT] * 3), "too_many_events"),
        (asked("/cloudevents", {**EVENT, "data": {"x": "x" * 300}}), "event_too_large"),
        (asked("/cloudevents", {"x": "x" * 300}, **headers()), "event_too_large"),
        (asked("/cloudevents", {"specversion": "1.0", "data": deep}), "too_deep"),
        (asked("/cloudevents", deep, **headers()), "too_deep"),
    ):
        assert refused(small, request).error == error


def test_where_the_key_is() -> None:
    """Bearer, else `x-api-key`, else `access_token` of the query, as webhooks send it; without one 401 says so."""
    for request in (
        asked("/cloudevents", authorization="Bearer sk_a"),
        asked("/cloudevents", x_api_key="sk_a"),
        asked("/cloudevents", query=b"access_token=sk_a"),
    ):
        assert ADAPTER.key(request) == "sk_a"
    missing = ADAPTER.key(asked("/cloudevents"))
    assert isinstance(missing, Refusal)
    assert (missing.status, "Bearer" in missing.message) == (401, True)


def test_over_http() -> None:
    """The whole way through the application: with and without a slash at the end, 202 and one record in Kafka."""
    edge = Edge()
    for path in ("/cloudevents", "/cloudevents/"):
        answer = edge.post(EVENT, path, KEY)
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "ids": ["b051a440"]})
    assert [record.key for record in edge.publisher.records] == [b"u-42", b"u-42"]


def test_a_webhook_that_asks_first() -> None:
    """Senders such as Azure Event Grid want to hear that they may deliver, before they have a key to show."""
    answer = Edge().request("OPTIONS", "/cloudevents", headers={"WebHook-Request-Origin": "events.example"})
    assert answer.status_code == 200
    assert (answer.headers["webhook-allowed-origin"], answer.headers["webhook-allowed-rate"]) == ("events.example", "*")

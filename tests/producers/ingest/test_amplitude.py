"""Amplitude's events as envelopes, from its SDKs and from its event streaming, and the answers its SDKs go by."""

from __future__ import annotations

from typing import Any

import pytest

from producers.ingest.adapters.amplitude import AmplitudeAdapter
from producers.ingest.adapters.amplitude_stream import AmplitudeStreamAdapter
from producers.ingest.answers import BadEvent, Refusal, unauthorized, unavailable
from producers.ingest.limits import Limits
from producers.ingest.request import Request
from schemas.envelope import MAX_ID, decode
from tests.producers.ingest.edge import SOURCE, Edge
from tests.producers.ingest.exchange import RECEIVED, asked, envelopes, refused, said, taken

ADAPTER = AmplitudeAdapter(Limits())
STREAM = AmplitudeStreamAdapter(Limits())
AT_MS = RECEIVED - 750
EVENT = {
    "event_type": "Order Completed", "user_id": "user1", "device_id": "d-1", "insert_id": "i-1", "time": AT_MS,
    "event_properties": {"amount": 5}, "library": "amplitude-python/1.3.0",
}  # fmt: skip
KEPT = {"protocol": "amplitude", "library": "amplitude-python/1.3.0"}


def http(*items: object, path: str = "/2/httpapi", **more: Any) -> Request:
    return asked(path, {"api_key": "wk_a", "events": list(items), **more})


def test_an_event_of_an_sdk() -> None:
    """Ids, name, time and properties are where the envelope has them; what is left over is kept."""
    (envelope,) = envelopes(ADAPTER, http({**EVENT, "platform": "Web", "session_id": 17, "api_key": "wk_a"}))
    assert envelope == {
        "source": SOURCE.id, "event": "Order Completed", "user_id": "user1", "anonymous_id": "d-1", "event_id": "i-1",
        "time": AT_MS, "properties": {"amount": 5}, "via": {**KEPT, "rest": {"platform": "Web", "session_id": 17}},
    }  # fmt: skip


def test_properties_are_the_bytes_that_came() -> None:
    """Spelling of numbers, order and blanks included."""
    body = b'{"events":[{"event_type":"A","user_id":"u","event_properties":{"b": 1.50, "a":12345678901234567890 }}]}'
    (event,) = taken(ADAPTER, asked("/2/httpapi", body))
    assert b'"properties":{"b": 1.50, "a":12345678901234567890 }' in event.value
    assert event.name == "A"


def test_a_clock_that_is_hours_wrong_is_put_right_by_the_time_of_upload() -> None:
    """What the client wrote is kept beside the time that is right."""
    three_hours = 3 * 3600 * 1000
    (envelope,) = envelopes(
        ADAPTER, http({**EVENT, "time": AT_MS - three_hours}, client_upload_time="2026-03-05T07:00:00.000Z")
    )
    assert envelope["time"] == AT_MS
    assert envelope["via"]["time"] == AT_MS - three_hours
    assert envelope["via"]["sent_at"] == "2026-03-05T07:00:00.000Z"


@pytest.mark.parametrize(
    ("ids", "user", "anonymous"),
    [({"user_id": 42}, "42", None), ({"device_id": "d"}, None, "d"), ({"user_id": None, "device_id": ""}, None, None)],
)
def test_who_it_was(ids: dict[str, Any], user: str | None, anonymous: str | None) -> None:
    """Numbers are ids as they were written, null and nothing are none; validation says that nobody is named."""
    (event,) = taken(ADAPTER, http({"event_type": "A", **ids}))
    envelope = decode(event.value)
    assert (envelope.user_id, envelope.anonymous_id, event.key) == (user, anonymous, user or anonymous or "")


def test_an_identify_is_the_event_identified() -> None:
    """What `$set` sets are traits, before those that are set once; every other operation is kept."""
    what = {"$set": {"plan": "pro"}, "$setOnce": {"plan": "free", "country": "DE"}, "$add": {"logins": 1}}
    (event,) = taken(ADAPTER, http({**EVENT, "event_type": "$identify", "user_properties": what}))
    envelope = decode(event.value)
    assert (event.name, envelope.type, envelope.user_id, envelope.anonymous_id, envelope.event_id) == (
        "Identified", "identify", "user1", "d-1", "i-1",
    )  # fmt: skip
    assert envelope.properties == {"plan": "pro", "country": "DE"}
    (kept,) = envelopes(ADAPTER, http({**EVENT, "event_type": "$identify", "user_properties": what}))
    assert kept["via"]["rest"]["user_properties"] == {"$setOnce": what["$setOnce"], "$add": {"logins": 1}}


def test_traits_without_operations_are_traits() -> None:
    """User properties that just stand there are set; an item of them alone is an identify."""
    (envelope,) = envelopes(ADAPTER, http({"user_id": "u", "user_properties": {"plan": "pro"}}))
    assert (envelope["type"], envelope["properties"]) == ("identify", {"plan": "pro"})


def test_user_properties_of_an_event_are_an_event_before_it() -> None:
    """Its id comes from that of the event, so that it is the same when the event is sent again."""
    before, event = taken(ADAPTER, http({**EVENT, "user_properties": {"plan": "pro"}}))
    assert (before.id, before.name, before.key) == ("i-1.identified", "Identified", "user1")
    said_of = decode(before.value)
    assert (said_of.time, said_of.anonymous_id, said_of.properties) == (AT_MS, "d-1", {"plan": "pro"})
    assert (event.id, decode(event.value).properties) == ("i-1", {"amount": 5})
    answer = said(ADAPTER.accepted(taken(ADAPTER, http({**EVENT, "user_properties": {"plan": "pro"}}))))
    assert answer["events_ingested"] == 1


@pytest.mark.parametrize("nothing", [{}, None, {"$unset": {"a": "-"}}])
def test_user_properties_that_set_nothing_are_no_event(nothing: object) -> None:
    """An empty object says nothing of anybody."""
    assert len(taken(ADAPTER, http({**EVENT, "user_properties": nothing}))) == 1


def test_groups_of_an_identify_are_joined() -> None:
    """SDKs send `setGroup` as an identify that names groups; each becomes an event, several of a type too."""
    item = {
        **EVENT,
        "event_type": "$identify",
        "user_properties": {"$set": {"org": "15"}},
        "groups": {"org": ["15", 16]},
    }
    identified, *joined = taken(ADAPTER, http(item))
    assert decode(identified.value).properties == {"org": "15"}
    assert [(event.id, event.name) for event in joined] == [
        ("i-1.group", "Group Joined"),
        ("i-1.group1", "Group Joined"),
    ]
    assert [decode(event.value).properties for event in joined] == [
        {"group_id": "15", "group_type": "org"}, {"group_id": "16", "group_type": "org"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "item",
    [{"groups": {"org": list(range(500))}}, {"groups": {"o" * 600: list(range(500))}},
     {"groups": {"org": list(range(500))}, "user_id": "u" * 600}],
)  # fmt: skip
def test_one_event_does_not_become_very_many(item: dict[str, Any]) -> None:
    """However many groups it names, and however long their names and that of the user are."""
    events = taken(ADAPTER, http({**EVENT, "event_type": "$identify", **item}))
    assert sum(len(event.value) for event in events) < 10_000


def test_properties_of_a_group() -> None:
    """What is set of a group goes with the group that is named."""
    item = {
        **EVENT,
        "event_type": "$groupidentify",
        "groups": {"org": "15"},
        "group_properties": {"$set": {"plan": "x"}},
    }
    (event,) = taken(ADAPTER, http(item))
    assert event.name == "Group Joined"
    assert decode(event.value).properties == {"group_id": "15", "group_type": "org", "plan": "x"}


def test_revenue_has_plain_names() -> None:
    """No plan can hold a name that begins with `$`; members of the event are properties too."""
    revenue = {"$price": 9.5, "$quantity": 2, "$productId": "p", "$currency": "EUR", "note": "x"}
    (envelope,) = envelopes(ADAPTER, http({**EVENT, "event_type": "revenue_amount", "event_properties": revenue}))
    plain = {"price": 9.5, "quantity": 2, "product_id": "p", "currency": "EUR"}
    assert envelope["properties"] == {**plain, **revenue}
    (envelope,) = envelopes(ADAPTER, http({**EVENT, "price": 3, "revenue": None, "event_properties": {"price": 4}}))
    assert envelope["properties"] == {"price": 4}


def test_pages_screens_and_sessions_have_the_names_of_the_plan() -> None:
    """What SDKs track by themselves fits the standard plan; what is no text there is left alone."""
    page = {"[Amplitude] Page Location": "https://a/b?c", "[Amplitude] Page Path": "/b", "[Amplitude] Page Title": 5}
    (envelope,) = envelopes(ADAPTER, http({**EVENT, "event_type": "[Amplitude] Page Viewed", "event_properties": page}))
    assert envelope["properties"] == {**page, "url": "https://a/b?c", "path": "/b"}
    (envelope,) = envelopes(ADAPTER, http({"event_type": "session_start", "user_id": "u", "session_id": AT_MS}))
    assert envelope["properties"] == {"session_id": str(AT_MS)}


def test_an_export_event_of_the_stream() -> None:
    """Amplitude's own id of the event, its corrected time (UTC, though it does not say so), and no traits made of the
    snapshot of a user that comes with every event."""
    event = {
        "$insert_id": "i-9", "uuid": "b1", "event_type": "Order Completed", "user_id": "user1", "device_id": "d-1",
        "event_time": "2026-03-05 09:59:59.250000", "client_event_time": "2026-03-05 08:00:00.000000",
        "event_properties": {"amount": 5}, "user_properties": {"plan": "pro"}, "city": None, "library": "http/2.0",
    }  # fmt: skip
    (envelope,) = envelopes(STREAM, asked("/integrations/amplitude", event))
    assert (envelope["event_id"], envelope["time"], envelope["via"]["time"]) == ("i-9", AT_MS, event["event_time"])
    assert envelope["properties"] == {"amount": 5}
    assert envelope["via"]["rest"]["user_properties"] == {"plan": "pro"}
    (envelope,) = envelopes(STREAM, asked("/integrations/amplitude", {**event, "$insert_id": None}))
    assert envelope["event_id"] == "b1"


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: [e], lambda e: {"events": [e]}])
def test_every_form_of_a_body_of_the_stream(wrap: Any) -> None:
    """One event alone, as Amplitude sends it, and several, as a template may write them."""
    assert len(taken(STREAM, asked("/integrations/amplitude", wrap(EVENT)))) == 1


@pytest.mark.parametrize(
    "headers",
    [{"authorization": "Bearer wk_a"}, {"authorization": "Basic d2tfYTo="}, {"x_api_key": "wk_a"},
     {"x_offerflow_key": "wk_a"}],
)  # fmt: skip
def test_where_a_sync_puts_the_key(headers: dict[str, str]) -> None:
    """Whatever header can be typed into the form of a sync."""
    assert STREAM.key(asked("/integrations/amplitude", {}, **headers)) == "wk_a"


def test_the_key_is_in_the_body() -> None:
    """And a body that cannot be read is told that rather than that it has no key."""
    assert ADAPTER.key(http(EVENT)) == "wk_a"
    missing = ADAPTER.key(asked("/2/httpapi", {"events": [EVENT]}))
    assert isinstance(missing, Refusal)
    assert missing.status == 401
    unread = ADAPTER.key(asked("/2/httpapi", b'{"api_key":"wk_a",'))
    assert isinstance(unread, Refusal)
    assert unread.error == "malformed_json"


def test_a_batch_is_told_by_its_body() -> None:
    """The path is shared with PostHog."""
    assert ADAPTER.claims(http(EVENT, path="/batch"))
    assert not ADAPTER.claims(asked("/batch", {"api_key": "wk_a", "batch": []}))
    assert not ADAPTER.claims(asked("/batch", b"{"))


def test_taken_is_code_200() -> None:
    """The body says what the status says; SDKs look at the body."""
    request = http(EVENT, EVENT)
    assert said(ADAPTER.accepted(taken(ADAPTER, request))) == {
        "code": 200, "events_ingested": 2, "payload_size_bytes": len(request.body), "server_upload_time": RECEIVED,
    }  # fmt: skip


def test_a_large_event_is_dropped_alone() -> None:
    """400 with its index: a 413 would make the client halve its batches for good."""
    adapter = AmplitudeAdapter(Limits(event_bytes=200))
    refusal = refused(adapter, http(EVENT, {**EVENT, "event_properties": {"note": "x" * 200}}))
    answer = adapter.refused(refusal)
    assert answer.status == said(answer)["code"] == 400
    assert said(answer)["events_with_invalid_fields"] == {"event": [1]}


def test_what_is_no_event_is_left_to_validation() -> None:
    """The rest of its batch is taken with it, and the dead letter shows what came."""
    _, number = envelopes(ADAPTER, http(EVENT, 5))
    assert number["via"] == {"protocol": "amplitude", "rest": {"item": 5}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"api_key":"wk_a"}',
        b'{"events":[]}',
        b'{"events":5}',
        b"[]",
        b'"x"',
        b"\xff",
        pytest.param(b"[" * 99_999, id="deep"),
    ],
)
def test_a_body_without_events_is_not_sent_again(body: bytes) -> None:
    """`missing_field` is what makes SDKs give up; nothing else about such a body would."""
    answer = said(ADAPTER.refused(refused(ADAPTER, asked("/2/httpapi", body))))
    assert (answer["code"], answer["missing_field"]) == (400, "events")


def test_too_many_events_are_to_be_halved() -> None:
    """413, as the protocol has it."""
    adapter = AmplitudeAdapter(Limits(events=2))
    answer = adapter.refused(refused(adapter, http(EVENT, EVENT, EVENT)))
    assert answer.status == said(answer)["code"] == 413


@pytest.mark.parametrize("refusal", [unauthorized("not known"), Refusal(403, "origin", "not from there")])
def test_a_wrong_key_is_400_in_the_words_that_sdks_know(refusal: Refusal) -> None:
    """Anything else they would take for an outage, and try again."""
    answer = ADAPTER.refused(refusal)
    assert (answer.status, said(answer)["code"]) == (400, 400)
    assert said(answer)["error"].startswith("Invalid API key: ")


def test_a_quota_lists_what_is_to_wait() -> None:
    """Clients send the events that are listed half a minute later."""
    answer = ADAPTER.refused(Refusal(429, "over_quota", "slowly", headers=((b"retry-after", b"3"),), count=3))
    assert (answer.status, said(answer)["code"], said(answer)["throttled_events"]) == (429, 429, [0, 1, 2])
    assert (b"retry-after", b"3") in answer.headers


def test_an_outage_is_503_with_retry_after() -> None:
    """With its code."""
    answer = ADAPTER.refused(unavailable("Kafka is away", 2))
    assert (answer.status, said(answer)["code"]) == (503, 503)
    assert (b"retry-after", b"2") in answer.headers


def test_fields_that_are_missing_and_fields_that_are_wrong() -> None:
    """SDKs drop the events of both lists."""
    bad = [BadEvent(0, "event_type", "missing: expected a name"), BadEvent(1, "event_type", "too long")]
    answer = said(ADAPTER.refused(Refusal(400, "bad_events", "two", bad)))
    assert answer["events_with_missing_fields"] == {"event_type": [0]}
    assert answer["events_with_invalid_fields"] == {"event_type": [1]}


def test_over_http(edge_of_shop: Edge) -> None:
    """Path, slash, key in the body and the shared batch, through the application."""
    for path in ("/2/httpapi", "/2/httpapi/", "/batch", "/batch/"):
        answer = edge_of_shop.post({"api_key": "sk_local", "events": [EVENT]}, path, key=None)
        assert (answer.status_code, answer.json()["code"]) == (200, 200)
    assert [record.key for record in edge_of_shop.publisher.records] == [b"user1"] * 4
    wrong = edge_of_shop.post({"api_key": "nothing", "events": [EVENT]}, "/2/httpapi", key=None)
    assert (wrong.status_code, wrong.json()["error"][:16]) == (400, "Invalid API key:")


@pytest.fixture
def edge_of_shop() -> Edge:
    return Edge()


def test_a_time_of_upload_that_is_none_is_not_copied_to_every_event() -> None:
    """Else a small request would become a large one."""
    items = [{**EVENT, "insert_id": f"i-{number}"} for number in range(20)]
    for uploaded in ("x" * 100_000, ["x" * 100_000]):
        events = taken(ADAPTER, http(*items, client_upload_time=uploaded))
        assert max(len(event.value) for event in events) < 1000


def test_traits_of_an_event_with_a_long_id() -> None:
    """Their event has an id that may be one, and the same one when it comes again."""
    item = {**EVENT, "insert_id": "i" * 510, "user_properties": {"$set": {"plan": "pro"}}}
    first, again = ([event.id for event in taken(ADAPTER, http(item))] for _ in range(2))
    assert first == again
    assert (first[1], len(first[0]) <= MAX_ID) == ("i" * 510, True)

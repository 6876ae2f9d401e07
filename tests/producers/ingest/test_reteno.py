"""The Reteno protocol: events of servers, past events, and what the mobile SDKs send, from requests in their form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from producers.ingest.adapters.reteno import MOST_PAST, RetenoAdapter
from producers.ingest.answers import Answer, Refusal
from producers.ingest.limits import Limits
from schemas.envelope import MAX_ID
from tests.producers.ingest.edge import KEY, SOURCE, Edge
from tests.producers.ingest.exchange import asked, envelopes, fixture, of_fixture, refused, said, taken

ADAPTER = RetenoAdapter(Limits())
EVENT = "/api/v2/event"
EVENTS = "/api/v1/events"
BASIC = "Basic dXNlcjpza19h"  # user:sk_a
WHO = {"name": "externalCustomerId", "value": "u-1"}
SAID = {"key": "wk_a", "device": "d-1", "user": "u-1"}


def listed(**parameters: Any) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in parameters.items()]


@pytest.mark.parametrize(
    "parameters",
    [
        {"params": listed(externalCustomerId="u-1", order_id="o-1", amount=59.9)},
        {"eventParams": {"externalCustomerId": "u-1", "order_id": "o-1", "amount": 59.9}},
        {"params": {"externalCustomerId": "u-1", "order_id": "o-1", "amount": 59.9}},
        {"params": listed(externalCustomerId="u-1", order_id="o-1"), "eventParams": {"amount": 59.9}},
    ],
)
def test_an_event_of_a_server(parameters: dict[str, Any]) -> None:
    """A list of names and values and an object are the same properties; `keyValue` is the id."""
    body = {"eventTypeKey": "Purchase Completed", "keyValue": "order-1", **parameters}
    for path in (EVENT, "/api/v1/event"):
        (event,) = taken(ADAPTER, asked(path, body))
        assert json.loads(event.value) == {
            "source": "shop-backend", "event": "Purchase Completed", "user_id": "u-1", "event_id": "order-1",
            "properties": {"externalCustomerId": "u-1", "order_id": "o-1", "amount": 59.9},
            "via": {"protocol": "reteno"},
        }  # fmt: skip
    answer = ADAPTER.accepted([event])
    assert (answer.status, said(answer)) == (200, {"accepted": 1, "ids": ["order-1"]})


@pytest.mark.parametrize(
    ("parameters", "user", "device"),
    [
        ({"externalCustomerId": "u", "contactId": 7, "email": "a@b.c"}, "u", None),
        ({"contactId": 7, "email": "a@b.c", "phone": "+1"}, "7", None),
        ({"email": "a@b.c", "phone": "+1"}, "a@b.c", None),
        ({"phone": "+1", "pushToken": "t"}, "+1", "t"),
        ({"pushToken": "t"}, None, "t"),
        ({"externalCustomerId": "", "email": None, "order_id": "o"}, "k", None),
        ({"externalCustomerId": {"odd": 1}}, "k", None),
    ],
)
def test_whom_it_is_about(parameters: dict[str, Any], user: str | None, device: str | None) -> None:
    """The best parameter that names the user; a push token is a device; with none of them it is `keyValue`."""
    (envelope,) = envelopes(ADAPTER, asked(EVENT, {"eventTypeKey": "A", "keyValue": "k", "eventParams": parameters}))
    assert (envelope.get("user_id"), envelope.get("anonymous_id")) == (user, device)


@pytest.mark.parametrize("parameters", [{"email": "a@b.c"}, {"externalCustomerId": "u-1", "email": "a@b.c"}, {}])
def test_a_key_that_names_the_user_is_no_event_id(parameters: dict[str, Any]) -> None:
    """Else the second event of a person would be taken for the first again."""
    body = {"eventTypeKey": "A", "keyValue": "a@b.c", "eventParams": parameters}
    first, second = (taken(ADAPTER, asked(EVENT, body))[0].id for _ in range(2))
    assert "a@b.c" not in (first, second)
    assert first != second


def test_past_events() -> None:
    """`occurred` may lack seconds or be a date; they are marked as past, and their ids are the same when sent again."""
    body = {"events": [
        {"eventTypeKey": "orderCreated", "keyValue": "a@b.c", "occurred": "2020-05-14",
         "params": [*listed(email="a@b.c"), WHO, {"name": "items", "value": [{"externalItemId": "20060"}]}]},
        {"eventTypeKey": "orderCreated", "keyValue": "o-2", "occurred": "2020-05-14T10:11", "params": [WHO]},
    ]}  # fmt: skip
    first, second = taken(ADAPTER, asked(EVENTS, body, authorization=BASIC))
    assert (first.past, second.past) == (True, True)
    one, two = json.loads(first.value), json.loads(second.value)
    assert (one["time"], two["time"]) == (1_589_414_400_000, 1_589_451_060_000)
    assert one["properties"]["items"] == [{"externalItemId": "20060"}]
    assert (one["user_id"], two["event_id"]) == ("u-1", "o-2")
    assert one["via"]["time"] == "2020-05-14"
    again = taken(ADAPTER, asked(EVENTS, body, authorization=BASIC))
    assert [event.id for event in again] == [first.id, second.id]


def test_past_events_are_for_servers() -> None:
    """403 for a key that may live in an app, unless the request is an SDK's; 413 beyond 500."""
    past = {"events": [{"eventTypeKey": "A", "keyValue": "k"}]}
    assert refused(ADAPTER, asked(EVENTS, past, authorization="Bearer wk_a")).status == 403
    assert not taken(ADAPTER, asked(EVENTS, {**past, "deviceId": "d"}, authorization="Bearer wk_a"))[0].past
    many = {"events": past["events"] * (MOST_PAST + 1)}
    refusal = refused(ADAPTER, asked(EVENTS, many, authorization=BASIC))
    assert (refusal.status, refusal.error, "500" in refusal.message) == (413, "too_many_events", True)


def test_the_android_sdk() -> None:
    """Its events with device and user, in debug mode; those it sends by itself are events of the plan."""
    screen, session, opened, push, lesson = envelopes(ADAPTER, of_fixture("reteno-android-events", **SAID))
    for envelope in (screen, session, opened, push, lesson):
        assert (envelope["user_id"], envelope["anonymous_id"]) == ("u-1", "d-1")
        assert envelope["via"]["debug"] is True
        assert envelope["via"]["library"] == {"name": "reteno", "version": "2.0.16"}
    assert (screen["event"], screen["properties"]["name"]) == ("Screen Viewed", "CartFragment")
    assert session["properties"]["session_id"] == "5b0a8f7e-0f6b-4a53-9d12-7a4c9a0c1d55"
    assert opened["properties"]["from_background"] is False
    assert (push["event"], push["properties"]) == ("Push Permission Changed", {"granted": True})
    assert (lesson["event"], lesson["properties"]) == ("Lesson Started", {"lesson_id": "l-1", "course_id": None})
    assert lesson["time"] == 1_772_704_804_000


def test_the_ios_sdk() -> None:
    """Milliseconds in its times, numbers in its text."""
    updated, ended, lesson = envelopes(ADAPTER, of_fixture("reteno-ios-events", **SAID))
    assert (updated["time"], updated["properties"]["previous_version"]) == (1_772_704_800_125, "1.9")
    assert ended["properties"]["duration_seconds"] == 95.0
    assert ended["properties"]["durationInSeconds"] == "95"
    assert lesson["event"] == "Lesson Started"
    assert "debug" not in lesson["via"]


def test_an_sdk_that_sends_again_sends_the_same_ids() -> None:
    """SDKs give events no ids and repeat them after a lost answer; equal events of one request stay apart."""
    first, again = (taken(ADAPTER, of_fixture("reteno-android-events", **SAID)) for _ in range(2))
    assert [event.id for event in first] == [event.id for event in again]
    other = taken(ADAPTER, of_fixture("reteno-android-events", **{**SAID, "user": "u-2"}))
    assert not {event.id for event in first} & {event.id for event in other}
    twice = fixture("reteno-ios-events", **SAID)["body"]
    twice["events"] = twice["events"][-1:] * 2
    assert len({event.id for event in taken(ADAPTER, asked(EVENTS, twice))}) == 2


def test_a_user_of_an_sdk() -> None:
    """An identify that links device and user, with the plan's names for the attributes it has."""
    (event,) = taken(ADAPTER, of_fixture("reteno-ios-user", **SAID))
    envelope = json.loads(event.value)
    assert (envelope["type"], event.name) == ("identify", "Identified")
    assert (envelope["user_id"], envelope["anonymous_id"]) == ("u-1", "d-1")
    traits = envelope["properties"]
    expected = {"first_name": "Ada", "last_name": "Byron", "language": "uk", "timezone": "Europe/Kyiv", "city": "Kyiv",
                "phone": "+380501234567", "email": "ada@shop.example", "plan": "pro"}  # fmt: skip
    assert {name: traits[name] for name in expected} == expected
    assert envelope["via"]["rest"] == {"subscriptionKeys": ["news"], "groupNamesInclude": ["beta"]}
    assert event.id != taken(ADAPTER, of_fixture("reteno-ios-user", **SAID))[0].id


@pytest.mark.parametrize(
    ("attributes", "traits"),
    [
        ({"firstName": "Ada", "address": None, "fields": None}, {"first_name": "Ada"}),
        ({"fields": [{"key": "plan", "value": "pro"}, {"key": "city"}]}, {"plan": "pro", "city": None}),
        ({"firstName": "Ada", "fields": [5]}, {"firstName": "Ada", "fields": [5]}),
        (5, 5),
        (None, None),
    ],
)
def test_attributes_of_a_user(attributes: Any, traits: Any) -> None:
    """What is null is not there; what is of another form goes on as it came."""
    body = {"deviceId": "d", "externalUserId": "u", "userAttributes": attributes}
    (envelope,) = envelopes(ADAPTER, asked("/api/v1/user", body))
    found = envelope.get("properties")
    assert found == traits or {name: found[name] for name in traits} == traits


def test_a_device_of_an_sdk() -> None:
    """Its push token is an event; without one there is nothing to say, and 200."""
    request = of_fixture("reteno-android-device", **SAID)
    (envelope,) = envelopes(ADAPTER, request)
    assert (envelope["event"], envelope["anonymous_id"]) == ("Push Token Updated", "d-1")
    assert envelope["properties"] == {"token": "dGVzdA:APA91bExample", "provider": "fcm"}
    nothing = ADAPTER.read(asked("/api/v1/device", {"deviceId": "d", "pushToken": ""}), SOURCE)
    assert isinstance(nothing, Answer)
    assert nothing.status == 200


@pytest.mark.parametrize("parameters", [5, "x", [5], [{"value": 1}], [{"name": 5, "value": 1}], [[]]])
@pytest.mark.parametrize("path", [EVENT, EVENTS])
def test_parameters_of_another_form(parameters: Any, path: str) -> None:
    """They are taken as they came, for the dead letter to show; nothing is lost."""
    event = {"eventTypeKey": "A", "keyValue": "k", "params": parameters}
    body = event if path == EVENT else {"events": [event]}
    (envelope,) = envelopes(ADAPTER, asked(path, body, authorization=BASIC))
    assert envelope["properties"] == parameters == envelope["via"]["rest"]["params"]


def test_an_item_that_is_no_object_does_not_cost_the_batch() -> None:
    """An SDK would drop the others with it; the dead letter of this one shows what came."""
    odd, good = envelopes(ADAPTER, asked(EVENTS, {"deviceId": "d", "events": [[5], {"eventTypeKey": "A"}]}))
    assert (odd["via"]["rest"], good["event"], good["anonymous_id"]) == ({"item": [5]}, "A", "d")


def test_half_an_emoji() -> None:
    """A text that was cut within a surrogate pair costs nothing but that character."""
    body = b'{"eventTypeKey": "A", "keyValue": "k", "params": [{"name": "title", "value": "cut \\ud83d"}]}'
    (envelope,) = envelopes(ADAPTER, asked(EVENT, body))
    assert envelope["properties"] == {"title": "cut \ufffd"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"name": "A"}', b"5", b"[5]", b'{"eventTypeKey"'])
def test_a_body_of_another_form_is_answered_with_the_structure(body: bytes) -> None:
    """400, and `expected` shows the members there are."""
    for path in (EVENT, EVENTS):
        answer = ADAPTER.refused(refused(ADAPTER, asked(path, body, authorization=BASIC)))
        assert answer.status == 400
        assert said(answer)["expected"]["eventTypeKey"]


def test_where_the_key_is() -> None:
    """The password of Basic with any user, Bearer, or the header of the SDKs."""
    for headers in ({"authorization": BASIC}, {"authorization": "Bearer sk_a"}, {"x_reteno_access_key": "sk_a"}):
        assert ADAPTER.key(asked(EVENT, **headers)) == "sk_a"
    missing = ADAPTER.key(asked(EVENT))
    assert isinstance(missing, Refusal)
    assert missing.status == 401


def test_over_http() -> None:
    """The whole way through the application: exactly 200, which is all that the SDKs take for success."""
    edge = Edge()
    read = fixture("reteno-android-events", **{**SAID, "key": KEY})
    answer = edge.request("POST", read["path"], json=read["body"], headers=read["headers"])
    assert (answer.status_code, answer.json()["accepted"]) == (200, 5)
    assert {record.key for record in edge.publisher.records} == {b"u-1"}
    assert edge.post({"deviceId": "d", "events": []}, EVENTS).json() == {"accepted": 0, "ids": []}


@pytest.mark.parametrize("device", ["d", {"a": 1}, ["d"], 7])
def test_a_retry_has_the_ids_of_the_first(device: Any) -> None:
    """Whatever the device says that it is."""
    body = {"deviceId": device, "events": [{"eventTypeKey": "A", "occurred": "2026-03-05T10:00:00Z"}]}
    first, again = (taken(ADAPTER, asked(EVENTS, body))[0].id for _ in range(2))
    assert first == again


def test_a_sender_is_not_multiplied() -> None:
    """Who sends is part of each event, and is held against the limit of one; a version is cut."""
    events = [{"eventTypeKey": "A"}] * 20
    for who in ("deviceId", "externalUserId"):
        refusal = refused(ADAPTER, asked(EVENTS, {"deviceId": "d", who: "x" * 100_000, "events": events}))
        assert (refusal.status, refusal.error) == (413, "event_too_large")
    many = taken(ADAPTER, asked(EVENTS, {"deviceId": "d", "events": events}, x_reteno_sdk_version="1" * 10_000))
    assert max(len(event.value) for event in many) < 1000


def test_a_long_idempotency_key_is_told_by_its_hash() -> None:
    """The ids are no longer than an id may be, are told apart, and are the same when the request comes again."""
    events = [{"eventTypeKey": "A", "params": [WHO]}, {"eventTypeKey": "B", "params": [WHO]}]
    first, again = (
        [event.id for event in taken(ADAPTER, asked(EVENT, events, idempotency_key="k" * 1000))] for _ in range(2)
    )
    assert first == again
    assert len({*first}) == 2
    assert max(map(len, first)) <= MAX_ID
